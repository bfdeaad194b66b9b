// SPDX-License-Identifier: Apache-2.0
#include "serve/http_server.hpp"

#include <algorithm>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "serve/descriptors.hpp"

namespace memwatch {
inline namespace v1 {
namespace serve {

namespace {

namespace beast = boost::beast;
namespace http = beast::http;
namespace net = boost::asio;
using tcp = net::ip::tcp;
using milliseconds = std::chrono::milliseconds;

constexpr std::size_t max_drained_bytes = 1 << 20;
constexpr std::uint64_t drain_ms = 1000;
constexpr milliseconds accept_pause{100};  // after EMFILE and the like: a readable listener would spin otherwise

http_request to_request(http::request<http::string_body>&& from) {
    http_request out;
    out.method = std::string(from.method_string());
    out.target = std::string(from.target());
    for (const auto& field : from) { out.headers.emplace_back(std::string(field.name_string()), std::string(field.value())); }
    out.body = std::move(from.body());
    return out;
}

http::response<http::string_body> to_response(http_response&& from, unsigned version, bool keep_alive) {
    http::response<http::string_body> out;
    out.version(version);
    out.result(from.status);
    bool has_length = false;  // a HEAD answer tells the length of the body it leaves out
    for (const auto& [name, value] : from.headers) {
        out.set(name, value);
        has_length = has_length || name == "Content-Length";
    }
    out.body() = std::move(from.body);
    if (!has_length) { out.prepare_payload(); }
    out.keep_alive(keep_alive);
    return out;
}

http_response refusal_of(unsigned status, const char* what) {
    return {status, {{"Content-Type", "text/plain; charset=utf-8"}, {"X-Content-Type-Options", "nosniff"}}, what};
}

// What to say to a request that could not be read; nothing for one that ended, timed out or broke.
std::optional<http_response> refusal_of(const beast::error_code& failure) {
    if (failure == http::error::header_limit || failure == http::error::buffer_overflow) {
        return refusal_of(431, "the request head is larger than this server takes\n");
    }
    if (failure == http::error::body_limit) { return refusal_of(413, "the request body is larger than this server takes\n"); }
    const bool is_parse_error = failure.category() == beast::error_code(http::error::bad_target).category();
    if (!is_parse_error || failure == http::error::end_of_stream || failure == http::error::partial_message) {
        return std::nullopt;
    }
    return refusal_of(400, "this is not an HTTP/1.1 request\n");
}

}  // namespace

class http_server::impl {
public:
    impl(http_handler_function handler, const http_limits& limits)
        : handler_(std::move(handler)), limits_(limits), acceptor_(loop_), pause_(loop_) {}

    ~impl() { stop(); }

    [[nodiscard]] result<void> start(const listen_address& where);
    void stop() noexcept;

    [[nodiscard]] bool is_in_child() const noexcept { return guard_.is_in_child(); }
    [[nodiscard]] bool is_listening() const noexcept {
        return is_listening_.load(std::memory_order_relaxed) && !is_in_child();  // relaxed: see stop()
    }
    [[nodiscard]] const listen_address& address() const noexcept { return address_; }

private:
    class connection;

    [[nodiscard]] result<void> listen(const listen_address& where);
    void run() noexcept;
    void accept();
    void accept_waiting();
    [[nodiscard]] bool try_accept();
    void adopt(int descriptor);
    void make_room();
    void close(connection& c) noexcept;

    const http_handler_function handler_;
    const http_limits limits_;
    net::io_context loop_{1};
    descriptor_guard guard_;
    tcp::acceptor acceptor_;
    net::steady_timer pause_;
    listen_address address_;
    std::vector<std::shared_ptr<connection>> connections_;  // the server's thread only, or nobody's after the join
    std::uint64_t waits_{};                                 // numbers the waits of connections; as above
    std::atomic<bool> is_listening_{false};
    std::mutex stop_mutex_;
    std::thread thread_;  // guarded by stop_mutex_ once started
};

// One connection: read a request, answer, again. Everything runs on the server's thread.
class http_server::impl::connection : public std::enable_shared_from_this<connection> {
public:
    connection(impl& owner, tcp::socket socket) : owner_(owner), socket_(std::move(socket)), deadline_(owner.loop_) {}

    void begin() { read(); }

    [[nodiscard]] tcp::socket& socket() noexcept { return socket_; }
    void forget_deadline() noexcept;
    // When it began to wait for a request, as a number that grows; 0 while it is being answered.
    [[nodiscard]] std::uint64_t waiting_since() const noexcept { return waiting_since_; }

private:
    void wait_for_next();
    void read();
    void on_read(const beast::error_code& failure);
    void write(http_response answer, unsigned version, bool keep_alive);
    void drain();

    void expire_after(std::uint64_t after_ms);

    impl& owner_;
    tcp::socket socket_;
    net::steady_timer deadline_;  // of the operation under way (beast::tcp_stream would close behind the guard's back)
    beast::flat_buffer buffer_{256 * 1024};
    std::optional<http::request_parser<http::string_body>> parser_;
    http::response<http::string_body> response_;
    std::uint64_t waiting_since_{};
    std::size_t drained_bytes_{};
};

void http_server::impl::connection::expire_after(std::uint64_t after_ms) {
    deadline_.expires_after(milliseconds(after_ms));
    deadline_.async_wait([self = shared_from_this()](beast::error_code failure) {
        // A wait that was cancelled too late arrives without an error; then the deadline has moved on.
        if (!failure && self->deadline_.expiry() <= net::steady_timer::clock_type::now()) { self->owner_.close(*self); }
    });
}

void http_server::impl::connection::forget_deadline() noexcept {
    try {
        deadline_.cancel();
    } catch (...) {}
}

// Between two requests: idle is cheap, so it gets its own, longer limit; the first byte starts the clock of read().
void http_server::impl::connection::wait_for_next() {
    waiting_since_ = ++owner_.waits_;
    if (buffer_.size() != 0) { return read(); }
    expire_after(owner_.limits_.idle_ms);
    socket_.async_read_some(buffer_.prepare(1024), [self = shared_from_this()](beast::error_code failure, std::size_t bytes) {
        if (failure) { return self->owner_.close(*self); }
        self->buffer_.commit(bytes);
        self->read();
    });
}

void http_server::impl::connection::read() {
    waiting_since_ = ++owner_.waits_;
    parser_.emplace();
    parser_->header_limit(owner_.limits_.max_head_bytes);
    parser_->body_limit(owner_.limits_.max_body_bytes);
    expire_after(owner_.limits_.read_ms);
    http::async_read(socket_, buffer_, *parser_,
                     [self = shared_from_this()](beast::error_code failure, std::size_t) { self->on_read(failure); });
}

void http_server::impl::connection::on_read(const beast::error_code& failure) {
    waiting_since_ = 0;
    if (failure) {
        std::optional<http_response> refusal = refusal_of(failure);
        return refusal ? write(std::move(*refusal), 11, false) : owner_.close(*this);
    }
    const unsigned version = parser_->get().version();
    const bool keep_alive = parser_->get().keep_alive();
    const std::size_t hosts = parser_->get().count(http::field::host);
    if (hosts > 1 || (hosts == 0 && version >= 11)) {  // RFC 9112 3.2
        return write(refusal_of(400, "Host: exactly one is needed\n"), version, false);
    }
    write(owner_.handler_(to_request(parser_->release())), version, keep_alive);
}

void http_server::impl::connection::write(http_response answer, unsigned version, bool keep_alive) {
    response_ = to_response(std::move(answer), version, keep_alive);
    expire_after(owner_.limits_.write_ms);
    http::async_write(socket_, response_, [self = shared_from_this()](beast::error_code failure, std::size_t) {
        const bool is_last = self->response_.need_eof() || !self->response_.keep_alive();
        self->response_ = {};  // a large answer is not kept while the connection idles
        if (failure) { return self->owner_.close(*self); }
        is_last ? self->drain() : self->wait_for_next();
    });
}

// Closing with unread bytes in the kernel sends RST, which can destroy the answer before the client reads it; so half-close,
// and read what still comes for a moment.
void http_server::impl::connection::drain() {
    if (drained_bytes_ == 0) {
        beast::error_code ignored;
        socket_.shutdown(tcp::socket::shutdown_send, ignored);
        expire_after(drain_ms);
        waiting_since_ = ++owner_.waits_;
    }
    buffer_.clear();
    socket_.async_read_some(buffer_.prepare(16 * 1024),
                            [self = shared_from_this()](beast::error_code failure, std::size_t bytes) {
                                self->drained_bytes_ += bytes;
                                if (failure || self->drained_bytes_ > max_drained_bytes) { return self->owner_.close(*self); }
                                self->drain();
                            });
}

result<void> http_server::impl::listen(const listen_address& where) {
    const result<int> opened = guard_.open_listener(where);
    if (!opened) { return tl::unexpected(opened.error()); }
    beast::error_code failure;
    acceptor_.assign(where.is_v6 ? tcp::v6() : tcp::v4(), *opened, failure);
    if (failure) {
        guard_.close(*opened, [&] { close_descriptor(*opened); });
        return fail(error_code::io, "cannot listen: " + failure.message(), where.to_string());
    }
    guard_.add_event_loop_of(*opened);
    address_ = where;
    address_.port = acceptor_.local_endpoint().port();
    return {};
}

result<void> http_server::impl::start(const listen_address& where) {
    if (auto listening = listen(where); !listening) { return listening; }
    accept();
    const signals_blocked blocked;
    thread_ = std::thread([this] { run(); });
    is_listening_.store(true, std::memory_order_relaxed);  // relaxed: see stop()
    return {};
}

void http_server::impl::run() noexcept {
    name_this_thread("memwatch-http");
    if (limits_.on_thread != nullptr) { limits_.on_thread(); }
    while (!loop_.stopped()) {
        try {
            loop_.run();
        } catch (...) {
            // Out of memory inside one operation: its connection is lost, the server is not.
        }
    }
}

void http_server::impl::accept() {
    acceptor_.async_wait(tcp::acceptor::wait_read, [this](beast::error_code failure) {
        if (failure == net::error::operation_aborted) { return; }
        accept_waiting();
    });
}

void http_server::impl::accept_waiting() {
    if (try_accept()) { return accept(); }
    pause_.expires_after(accept_pause);
    pause_.async_wait([this](beast::error_code failure) {
        if (!failure) { accept(); }
    });
}

// False when the process is out of descriptors or memory.
bool http_server::impl::try_accept() {
    const int descriptor = guard_.accept(acceptor_.native_handle());
    if (descriptor < 0) { return descriptor != -2; }
    try {
        adopt(descriptor);
        return true;
    } catch (...) {  // out of memory; whatever socket object there was has closed it
        guard_.close(descriptor, [] {});
        return false;
    }
}

void http_server::impl::adopt(int descriptor) {
    tcp::socket socket(loop_, address_.is_v6 ? tcp::v6() : tcp::v4(), descriptor);
    const auto accepted = std::make_shared<connection>(*this, std::move(socket));
    make_room();
    connections_.push_back(accepted);
    accepted->begin();
}

void http_server::impl::make_room() {
    if (connections_.size() < limits_.max_connections) { return; }
    const auto rank = [](const std::shared_ptr<connection>& c) { return c->waiting_since() == 0 ? ~0ULL : c->waiting_since(); };
    const auto oldest = std::min_element(connections_.begin(), connections_.end(),
                                         [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
    const std::shared_ptr<connection> victim = *oldest;
    close(*victim);
}

void http_server::impl::close(connection& c) noexcept {
    c.forget_deadline();
    if (c.socket().is_open()) {
        guard_.close(c.socket().native_handle(), [&] {
            beast::error_code ignored;
            c.socket().close(ignored);
        });
    }
    const auto it = std::find_if(connections_.begin(), connections_.end(), [&](const auto& each) { return each.get() == &c; });
    if (it != connections_.end()) { connections_.erase(it); }
}

void http_server::impl::stop() noexcept {
    if (is_in_child()) { return; }
    const std::lock_guard once(stop_mutex_);
    is_listening_.store(false, std::memory_order_relaxed);  // relaxed: a flag for status(), publishes nothing
    loop_.stop();
    if (thread_.joinable()) { thread_.join(); }
    while (!connections_.empty()) {
        const std::shared_ptr<connection> last = connections_.back();
        close(*last);
    }
    if (acceptor_.is_open()) {
        guard_.close(acceptor_.native_handle(), [&] {
            beast::error_code ignored;
            acceptor_.close(ignored);
        });
    }
}

http_server::http_server(std::unique_ptr<impl> made) noexcept : impl_(std::move(made)) {}

http_server::~http_server() {
    // In a forked child the thread does not exist and the descriptors are closed: nothing in there can be taken down safely.
    if (impl_ != nullptr && impl_->is_in_child()) { static_cast<void>(impl_.release()); }
}

result<std::unique_ptr<http_server>> http_server::start(const listen_address& where, http_handler_function handler,
                                                        const http_limits& limits) noexcept {
    try {
        auto made = std::make_unique<impl>(std::move(handler), limits);
        if (auto started = made->start(where); !started) { return tl::unexpected(started.error()); }
        return std::unique_ptr<http_server>(new http_server(std::move(made)));
    } catch (const std::exception& e) { return fail(error_code::io, std::string("cannot start the server: ") + e.what()); }
}

void http_server::stop() noexcept { impl_->stop(); }

bool http_server::is_listening() const noexcept { return impl_->is_listening(); }

const listen_address& http_server::address() const noexcept { return impl_->address(); }

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
