// SPDX-License-Identifier: Apache-2.0
#include "http/client.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <exception>
#include <utility>

#include <memwatch/version.hpp>

namespace memwatch {
inline namespace v1 {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

// Beast keeps time for asynchronous operations only: start one, run until it has ended.
template <class Start>
beast::error_code finish(asio::io_context& context, Start start) {
    beast::error_code outcome;
    start([&outcome](beast::error_code ec, auto&&...) { outcome = ec; });
    context.restart();
    context.run();
    return outcome;
}

// The server's own words, one line of them; printing neutralises them.
std::string first_line(const std::string& body) {
    constexpr std::size_t longest = 200;
    return body.substr(0, std::min(body.find_first_of("\r\n"), longest));
}

// Seconds only: nobody sends memwatch's clients a date.
std::uint64_t read_seconds(std::string_view text) {
    std::uint64_t seconds = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), seconds);
    return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() ? seconds : 0;
}

class plain_sockets final : public socket_keeper {
public:
    int open(int family) override { return ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }
    void close(int, const std::function<void()>& close) override { close(); }
};

class http_exchange {
public:
    http_exchange(asio::io_context& context, socket_keeper& keeper, const http_url& url, const http_limits& limits)
        : url_(url), limits_(limits), context_(context), keeper_(keeper), stream_(context_) {}
    ~http_exchange() { close(); }
    http_exchange(const http_exchange&) = delete;
    http_exchange& operator=(const http_exchange&) = delete;

    result<http_answer> get() { return exchange(http::request<http::empty_body>(http::verb::get, url_.target, 11)); }

    result<http_answer> post_json(const std::string& body) {
        http::request<http::string_body> request(http::verb::post, url_.target, 11, body);
        request.set(http::field::content_type, "application/json");
        request.prepare_payload();
        return exchange(std::move(request));
    }

private:
    template <class Request>
    result<http_answer> exchange(Request request) {
        beast::error_code ec = connect();
        if (!ec) { ec = ask(request); }
        if (ec == http::error::body_limit) { return fail(error_code::limit, "the answer is too large", address()); }
        if (ec) { return fail(error_code::unreachable, words_of(ec), address()); }
        auto& response = parser_.get();
        const auto later = response[http::field::retry_after];
        return http_answer{response.result_int(), std::move(response.body()), read_seconds({later.data(), later.size()})};
    }

    beast::error_code connect() {
        if (!url_.socket.empty()) { return connect_to(asio::local::stream_protocol::endpoint(url_.socket)); }
        beast::error_code ec;
        asio::ip::tcp::resolver resolver(context_);
        const auto endpoints = resolver.resolve(url_.host, url_.port, ec);
        for (const auto& each : endpoints) {
            ec = connect_to(each.endpoint());
            if (!ec) { break; }
        }
        return ec;
    }

    beast::error_code connect_to(const asio::generic::stream_protocol::endpoint& where) {
        close();
        const int descriptor = keeper_.open(where.protocol().family());
        if (descriptor < 0) { return {errno, boost::system::system_category()}; }
        beast::error_code ec;
        stream_.socket().assign(where.protocol(), descriptor, ec);
        if (ec) {
            keeper_.close(descriptor, [descriptor] { ::close(descriptor); });
            return ec;
        }
        keeper_.watched(descriptor);
        stream_.expires_after(limits_.connect);
        return finish(context_, [&](auto done) { stream_.async_connect(where, done); });
    }

    void close() {
        if (!stream_.socket().is_open()) { return; }
        keeper_.close(stream_.socket().native_handle(), [this] {
            beast::error_code ignored;
            stream_.socket().close(ignored);
        });
    }

    beast::error_code ask(auto& request) {
        request.set(http::field::host, url_.authority());
        request.set(http::field::user_agent, std::string("memwatch/") + version);
        request.set(http::field::connection, "close");
        stream_.expires_after(limits_.answer);
        const beast::error_code ec = finish(context_, [&](auto done) { http::async_write(stream_, request, done); });
        if (ec) { return ec; }
        parser_.body_limit(limits_.body_bytes);
        return finish(context_, [&](auto done) { http::async_read(stream_, buffer_, parser_, done); });
    }

    static std::string words_of(const beast::error_code& ec) {
        if (ec == beast::error::timeout) { return "no answer in time"; }
        if (ec == http::error::end_of_stream || ec == http::error::partial_message) {
            return "the connection closed too early";
        }
        const std::string words = ec.message();
        return ec.category() == http::make_error_code(http::error::end_of_stream).category()
                   ? "not an HTTP answer (" + words + ")"
                   : words;
    }

    [[nodiscard]] std::string address() const { return url_.address(); }

    const http_url& url_;
    const http_limits& limits_;
    asio::io_context& context_;
    socket_keeper& keeper_;
    beast::basic_stream<asio::generic::stream_protocol> stream_;
    beast::flat_buffer buffer_;
    http::response_parser<http::string_body> parser_;
};

}  // namespace

error refusal_of(const http_url& url, const http_answer& answer) {
    const error_code code = answer.status == 404                          ? error_code::not_found
                            : answer.status >= 400 && answer.status < 500 ? error_code::invalid_argument
                                                                          : error_code::unreachable;
    const std::string words = first_line(answer.body);
    return {code, "the server answered " + std::to_string(answer.status) + (words.empty() ? "" : ": " + words),
            url.address() + url.target};
}

class http_client::impl {
public:
    explicit impl(socket_keeper* keeper) : keeper_(keeper == nullptr ? plain_ : *keeper) {}

    // `exchange` is given one and asks it; the one adapter around Boost.
    template <class Exchange>
    result<http_answer> run(const http_url& url, const http_limits& limits, Exchange exchange) {
        try {
            http_exchange one(context_, keeper_, url, limits);
            return exchange(one);
        } catch (const std::exception& e) { return fail(error_code::unreachable, e.what(), url.address()); }
    }

private:
    plain_sockets plain_;
    socket_keeper& keeper_;
    asio::io_context context_;
};

http_client::http_client(socket_keeper* keeper) : impl_(std::make_unique<impl>(keeper)) {}
http_client::~http_client() = default;

result<http_answer> http_client::ask(const http_url& url, const http_limits& limits) {
    return impl_->run(url, limits, [](http_exchange& one) { return one.get(); });
}

result<std::string> http_client::post_json(const http_url& url, const std::string& body, const http_limits& limits) {
    result<http_answer> answer = impl_->run(url, limits, [&](http_exchange& one) { return one.post_json(body); });
    if (!answer) { return tl::unexpected<error>(answer.error()); }
    if (answer->status / 100 != 2) { return tl::unexpected<error>(refusal_of(url, *answer)); }
    return std::move(answer->body);
}

result<std::string> http_get(const http_url& url, const http_limits& limits) {
    result<http_answer> answer = http_ask(url, limits);
    if (!answer) { return tl::unexpected<error>(answer.error()); }
    if (answer->status != 200) { return tl::unexpected<error>(refusal_of(url, *answer)); }
    return std::move(answer->body);
}

result<http_answer> http_ask(const http_url& url, const http_limits& limits) { return http_client().ask(url, limits); }

result<std::string> http_post_json(const http_url& url, const std::string& body, const http_limits& limits) {
    return http_client().post_json(url, body, limits);
}

}  // namespace v1
}  // namespace memwatch
