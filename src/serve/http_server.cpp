// SPDX-License-Identifier: Apache-2.0
#include "serve/http_server.hpp"

#include <algorithm>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "serve/descriptors.hpp"
#include "serve/http_connection.hpp"

namespace memwatch {
inline namespace v1 {
namespace serve {

namespace {

namespace beast = boost::beast;
namespace net = boost::asio;
using tcp = net::ip::tcp;
using milliseconds = std::chrono::milliseconds;

constexpr milliseconds accept_pause{100};  // after EMFILE and the like: a readable listener would spin otherwise

}  // namespace

class http_server::impl final : private connection_owner {
public:
    impl(request_handler handler, const http_limits& limits)
        : handler_(std::move(handler)), limits_(limits), listener_(loop_), pause_(loop_) {}
    impl(const impl&) = delete;
    impl& operator=(const impl&) = delete;

    ~impl() { stop(); }

    [[nodiscard]] result<void> start(const listen_address& where);
    void stop() noexcept;

    [[nodiscard]] bool is_in_child() const noexcept { return guard_.is_in_child(); }
    [[nodiscard]] bool is_listening() const noexcept {
        return is_listening_.load(std::memory_order_relaxed) && !is_in_child();  // relaxed: see stop()
    }
    [[nodiscard]] const listen_address& address() const noexcept { return address_; }

private:
    [[nodiscard]] net::io_context& loop() noexcept override { return loop_; }
    [[nodiscard]] const http_limits& limits() const noexcept override { return limits_; }
    [[nodiscard]] outcome answer(const http_request& request, const requester& who) override { return handler_(request, who); }
    [[nodiscard]] std::uint64_t next_wait() noexcept override { return ++waits_; }
    void close(http_connection& c) noexcept override;

    [[nodiscard]] result<void> listen(const listen_address& where);
    void run() noexcept;
    void accept();
    void accept_waiting();
    [[nodiscard]] bool try_accept();
    void adopt(int descriptor);
    void make_room();

    const request_handler handler_;
    const http_limits limits_;
    net::io_context loop_{1};
    descriptor_guard guard_;
    net::posix::stream_descriptor listener_;  // only waited on: accept4() is the guard's
    net::steady_timer pause_;
    listen_address address_;
    socket_file file_;                                           // of a unix socket; removed by stop()
    std::vector<std::shared_ptr<http_connection>> connections_;  // the server's thread only, or nobody's after the join
    std::uint64_t waits_{};                                      // as above
    std::atomic<bool> is_listening_{false};
    std::mutex stop_mutex_;
    std::thread thread_;  // guarded by stop_mutex_ once started
};

result<void> http_server::impl::listen(const listen_address& where) {
    result<descriptor_guard::listening_socket> opened = guard_.open_listener(where);
    if (!opened) { return tl::unexpected(opened.error()); }
    beast::error_code failure;
    listener_.assign(opened->descriptor, failure);
    if (failure) {
        remove_socket_file(opened->file);
        guard_.close(opened->descriptor, [&] { close_descriptor(opened->descriptor); });
        return fail(error_code::io, "cannot listen: " + failure.message(), where.to_string());
    }
    guard_.add_event_loop_of(opened->descriptor);
    address_ = std::move(opened->where);
    file_ = std::move(opened->file);
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
    listener_.async_wait(net::posix::stream_descriptor::wait_read, [this](beast::error_code failure) {
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
    const int descriptor = guard_.accept(listener_.native_handle());
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
    const auto protocol = address_.is_unix() ? net::generic::stream_protocol(net::local::stream_protocol())
                                             : net::generic::stream_protocol(address_.is_v6 ? tcp::v6() : tcp::v4());
    stream_socket socket(loop_, protocol, descriptor);
    const requester who{address_.is_unix() && is_own_peer(descriptor)};
    const auto accepted = std::make_shared<http_connection>(static_cast<connection_owner&>(*this), std::move(socket), who);
    make_room();
    connections_.push_back(accepted);
    accepted->begin();
}

void http_server::impl::make_room() {
    if (connections_.size() < limits_.max_connections) { return; }
    const auto rank = [](const std::shared_ptr<http_connection>& c) {
        return c->waiting_since() == 0 ? ~0ULL : c->waiting_since();
    };
    const auto oldest = std::min_element(connections_.begin(), connections_.end(),
                                         [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
    const std::shared_ptr<http_connection> victim = *oldest;
    close(*victim);
}

void http_server::impl::close(http_connection& c) noexcept {
    c.abandon();
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
        const std::shared_ptr<http_connection> last = connections_.back();
        close(*last);
    }
    if (listener_.is_open()) {
        remove_socket_file(file_);
        guard_.close(listener_.native_handle(), [&] {
            beast::error_code ignored;
            listener_.close(ignored);
        });
    }
}

http_server::http_server(std::unique_ptr<impl> made) noexcept : impl_(std::move(made)) {}

http_server::~http_server() {
    // In a forked child the thread does not exist and the descriptors are closed: nothing in there can be taken down safely.
    if (impl_ != nullptr && impl_->is_in_child()) { static_cast<void>(impl_.release()); }
}

result<std::unique_ptr<http_server>> http_server::start(const listen_address& where, request_handler handler,
                                                        const http_limits& limits) noexcept {
    try {
        auto made = std::make_unique<impl>(std::move(handler), limits);
        if (auto started = made->start(where); !started) { return tl::unexpected(started.error()); }
        return std::unique_ptr<http_server>(new http_server(std::move(made)));
    } catch (const std::exception& e) { return fail(error_code::io, std::string("cannot start the server: ") + e.what()); }
}

result<std::unique_ptr<http_server>> http_server::start(const listen_address& where, http_handler_function handler,
                                                        const http_limits& limits) noexcept {
    try {
        return start(where, request_handler([handler = std::move(handler)](const http_request& r, const requester&) {
                         return handler(r);
                     }),
                     limits);
    } catch (const std::exception& e) { return fail(error_code::io, std::string("cannot start the server: ") + e.what()); }
}

void http_server::stop() noexcept { impl_->stop(); }

bool http_server::is_listening() const noexcept { return impl_->is_listening(); }

const listen_address& http_server::address() const noexcept { return impl_->address(); }

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
