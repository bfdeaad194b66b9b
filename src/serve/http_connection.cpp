// SPDX-License-Identifier: Apache-2.0
#include "serve/http_connection.hpp"

#include <chrono>
#include <string>

#include "serve/answers.hpp"

namespace memwatch {
inline namespace v1 {
namespace serve {

namespace {

namespace beast = boost::beast;
namespace http = beast::http;
namespace net = boost::asio;
using milliseconds = std::chrono::milliseconds;

constexpr std::size_t max_drained_bytes = 1 << 20;
constexpr std::uint64_t drain_ms = 1000;

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
    http_response out = refuse(status, what);
    add_security_headers(out);
    return out;
}

// What to say to a request that could not be read; nothing for one that ended, timed out or broke.
std::optional<http_response> refusal_of(const beast::error_code& failure) {
    if (failure == http::error::header_limit || failure == http::error::buffer_overflow) {
        return refusal_of(431, "the request head is larger than this server takes");
    }
    if (failure == http::error::body_limit) { return refusal_of(413, "the request body is larger than this server takes"); }
    const bool is_parse_error = failure.category() == beast::error_code(http::error::bad_target).category();
    if (!is_parse_error || failure == http::error::end_of_stream || failure == http::error::partial_message) {
        return std::nullopt;
    }
    return refusal_of(400, "this is not an HTTP/1.1 request");
}

}  // namespace

void http_connection::expire_after(std::uint64_t after_ms) {
    deadline_.expires_after(milliseconds(after_ms));
    deadline_.async_wait([self = shared_from_this()](beast::error_code failure) {
        // A wait that was cancelled too late arrives without an error; then the deadline has moved on.
        if (!failure && self->deadline_.expiry() <= net::steady_timer::clock_type::now()) { self->owner_.close(*self); }
    });
}

void http_connection::abandon() noexcept {
    held_.reset();
    try {
        deadline_.cancel();
    } catch (...) {}
}

// Between two requests: idle is cheap, so it gets its own, longer limit; the first byte starts the clock of read().
void http_connection::wait_for_next() {
    waiting_since_ = owner_.next_wait();
    if (buffer_.size() != 0) { return read(); }
    expire_after(owner_.limits().idle_ms);
    socket_.async_read_some(buffer_.prepare(1024), [self = shared_from_this()](beast::error_code failure, std::size_t bytes) {
        if (failure) { return self->owner_.close(*self); }
        self->buffer_.commit(bytes);
        self->read();
    });
}

void http_connection::read() {
    waiting_since_ = owner_.next_wait();
    parser_.emplace();
    parser_->header_limit(owner_.limits().max_head_bytes);
    parser_->body_limit(owner_.limits().max_body_bytes);
    expire_after(owner_.limits().read_ms);
    http::async_read(socket_, buffer_, *parser_,
                     [self = shared_from_this()](beast::error_code failure, std::size_t) { self->on_read(failure); });
}

void http_connection::on_read(const beast::error_code& failure) {
    waiting_since_ = 0;
    envelope_ = {};
    if (failure) {
        std::optional<http_response> refusal = refusal_of(failure);
        return refusal ? write(std::move(*refusal)) : owner_.close(*this);
    }
    envelope_.version = parser_->get().version();
    const std::size_t hosts = parser_->get().count(http::field::host);
    if (hosts > 1 || (hosts == 0 && envelope_.version >= 11)) {  // RFC 9112 3.2
        return write(refusal_of(400, "Host: exactly one is needed"));
    }
    envelope_.keep_alive = parser_->get().keep_alive();
    outcome out = owner_.answer(to_request(parser_->release()), who_);
    if (auto* const later = std::get_if<deferred>(&out)) { return hold(std::move(*later)); }
    write(std::move(std::get<http_response>(out)));
}

void http_connection::hold(deferred later) {
    is_due_ = false;
    deadline_.expires_after(std::chrono::nanoseconds(later.after_ns));
    held_ = std::move(later);
    deadline_.async_wait([self = shared_from_this()](beast::error_code failure) {
        if (failure || !self->held_ || self->deadline_.expiry() > net::steady_timer::clock_type::now()) { return; }
        self->is_due_ = true;
        if (!self->is_watching_) { return self->answer_held(); }
        beast::error_code ignored;
        self->socket_.cancel(ignored);  // the read's end answers: its memory is in use until then
    });
    watch_held();
}

void http_connection::watch_held() {
    // More would have to stay in the kernel, where nobody sees the client go: a window would stay open for nobody.
    if (buffer_.size() >= owner_.limits().max_head_bytes) { return owner_.close(*this); }
    is_watching_ = true;
    socket_.async_read_some(buffer_.prepare(1024), [self = shared_from_this()](beast::error_code failure, std::size_t bytes) {
        self->is_watching_ = false;
        self->buffer_.commit(bytes);
        if (!self->held_) { return; }  // closed meanwhile
        if (self->is_due_) { return self->answer_held(); }
        if (failure) { return self->owner_.close(*self); }
        self->watch_held();
    });
}

void http_connection::answer_held() {
    const deferred due = std::move(*held_);
    held_.reset();
    write(due.then());
}

void http_connection::write(http_response answer) {
    response_ = to_response(std::move(answer), envelope_.version, envelope_.keep_alive);
    expire_after(owner_.limits().write_ms);
    http::async_write(socket_, response_, [self = shared_from_this()](beast::error_code failure, std::size_t) {
        const bool is_last = self->response_.need_eof() || !self->response_.keep_alive();
        self->response_ = {};  // a large answer is not kept while the connection idles
        if (failure) { return self->owner_.close(*self); }
        is_last ? self->drain() : self->wait_for_next();
    });
}

// Closing with unread bytes in the kernel sends RST, which can destroy the answer before the client reads it; so half-close,
// and read what still comes for a moment.
void http_connection::drain() {
    if (drained_bytes_ == 0) {
        beast::error_code ignored;
        socket_.shutdown(stream_socket::shutdown_send, ignored);
        expire_after(drain_ms);
        waiting_since_ = owner_.next_wait();
    }
    buffer_.clear();
    socket_.async_read_some(buffer_.prepare(16 * 1024),
                            [self = shared_from_this()](beast::error_code failure, std::size_t bytes) {
                                self->drained_bytes_ += bytes;
                                if (failure || self->drained_bytes_ > max_drained_bytes) { return self->owner_.close(*self); }
                                self->drain();
                            });
}

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
