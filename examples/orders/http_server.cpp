// SPDX-License-Identifier: Apache-2.0
#include "http_server.hpp"

#include <pthread.h>

#include <atomic>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace orders {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;

constexpr std::size_t body_limit = 64 * 1024;
constexpr std::chrono::seconds idle_limit{30};

std::string header(const http::request<http::string_body>& from, beast::string_view name) {
    const auto value = from[name];
    return {value.data(), value.size()};
}

request to_request(http::request<http::string_body>&& from) {
    request out;
    const beast::string_view target = from.target();
    const std::size_t path_size = std::min(target.find('?'), target.size());
    out.method = std::string{from.method_string()};
    out.path.assign(target.data(), path_size);
    if (path_size < target.size()) { out.query.assign(target.data() + path_size + 1, target.size() - path_size - 1); }
    out.traceparent = header(from, "traceparent");
    out.idempotency_key = header(from, "Idempotency-Key");
    out.session_token = header(from, "X-Session");
    out.body = std::move(from.body());
    return out;
}

// One client. Everything happens on its strand; read and write alternate, so one request is in work at a time.
class connection : public std::enable_shared_from_this<connection> {
public:
    connection(tcp::socket&& socket, const http_server::handler& on_request, const std::atomic<bool>& is_stopping)
        : stream_(std::move(socket)), on_request_(on_request), is_stopping_(is_stopping) {}

    void start() {
        asio::dispatch(stream_.get_executor(), [self = shared_from_this()] { self->read(); });
    }

    // Closes an idle connection; a busy one closes after its response.
    void close_when_idle() {
        asio::dispatch(stream_.get_executor(), [self = shared_from_this()] {
            if (!self->is_busy_) { self->stream_.close(); }
        });
    }

private:
    void read() {
        parser_.emplace();
        parser_->body_limit(body_limit);
        stream_.expires_after(idle_limit);
        http::async_read(stream_, buffer_, *parser_, [self = shared_from_this()](beast::error_code failed, std::size_t) {
            if (!failed) { self->answer(); }
        });
    }

    void answer() {
        is_busy_ = true;
        const bool keeps_alive = parser_->get().keep_alive();
        on_request_(to_request(parser_->release()), [self = shared_from_this(), keeps_alive](response done) {
            asio::dispatch(self->stream_.get_executor(), [self, keeps_alive, done = std::move(done)]() mutable {
                self->write(std::move(done), keeps_alive);
            });
        });
    }

    void write(response&& done, bool keeps_alive) {
        reply_ = {static_cast<http::status>(done.status), 11};
        reply_.set(http::field::content_type, "application/json");
        if (!done.traceparent.empty()) { reply_.set("traceparent", done.traceparent); }
        reply_.keep_alive(keeps_alive && !is_stopping_);
        reply_.body() = std::move(done.body);
        reply_.prepare_payload();
        stream_.expires_after(idle_limit);
        http::async_write(stream_, reply_, [self = shared_from_this()](beast::error_code failed, std::size_t) {
            self->is_busy_ = false;
            if (failed || !self->reply_.keep_alive()) { return self->stream_.close(); }
            self->read();
        });
    }

    beast::tcp_stream stream_;  // on a strand
    beast::flat_buffer buffer_;
    std::optional<http::request_parser<http::string_body>> parser_;
    http::response<http::string_body> reply_;
    bool is_busy_{};  // between a whole request and the end of its response
    const http_server::handler& on_request_;
    const std::atomic<bool>& is_stopping_;
};

}  // namespace

class http_server::impl {
public:
    impl(std::uint16_t port, unsigned threads, handler on_request)
        : on_request_(std::move(on_request)),
          acceptor_(asio::make_strand(io_), tcp::endpoint{asio::ip::address_v4::loopback(), port}) {
        port_ = acceptor_.local_endpoint().port();
        accept();
        for (unsigned i = 0; i < threads; ++i) {
            threads_.emplace_back([this, i] {
                pthread_setname_np(pthread_self(), ("http-" + std::to_string(i)).c_str());
                io_.run();
            });
        }
    }
    ~impl() { stop(); }

    [[nodiscard]] std::uint16_t port() const { return port_; }

    void stop() {
        if (is_stopping_.exchange(true)) { return; }
        asio::post(acceptor_.get_executor(), [this] { acceptor_.close(); });
        {
            const std::scoped_lock lock{mutex_};
            for (const auto& open : connections_) {
                if (const auto c = open.lock()) { c->close_when_idle(); }
            }
        }
        for (std::thread& thread : threads_) { thread.join(); }  // run() returns when the last connection is gone
    }

private:
    void accept() {
        acceptor_.async_accept(asio::make_strand(io_), [this](beast::error_code failed, tcp::socket socket) {
            if (is_stopping_ || !acceptor_.is_open()) { return; }
            if (!failed) { open(std::move(socket)); }
            accept();
        });
    }

    void open(tcp::socket&& socket) {
        socket.set_option(tcp::no_delay{true});
        const auto client = std::make_shared<connection>(std::move(socket), on_request_, is_stopping_);
        {
            const std::scoped_lock lock{mutex_};
            std::erase_if(connections_, [](const auto& gone) { return gone.expired(); });
            connections_.push_back(client);
        }
        client->start();
        if (is_stopping_) { client->close_when_idle(); }  // stop() may have looked before it was listed
    }

    const handler on_request_;
    std::atomic<bool> is_stopping_{};  // seq_cst: read once a response, not worth an argument
    asio::io_context io_;
    tcp::acceptor acceptor_;  // on a strand
    std::uint16_t port_{};
    std::mutex mutex_;
    std::vector<std::weak_ptr<connection>> connections_;
    std::vector<std::thread> threads_;
};

http_server::http_server(std::uint16_t port, unsigned threads, handler on_request)
    : impl_(std::make_unique<impl>(port, threads, std::move(on_request))) {}
http_server::~http_server() = default;
std::uint16_t http_server::port() const { return impl_->port(); }
void http_server::stop() { impl_->stop(); }

}  // namespace orders
