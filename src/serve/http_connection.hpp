// SPDX-License-Identifier: Apache-2.0
#pragma once
// One connection of the server: read a request, answer, again. Everything runs on the server's thread.
//
//   waiting --first byte--> reading --request--> [handler] --response--> writing --> waiting
//                                                    \--deferred--> holding --due--> [then] --> writing
//                                                                      |  client gone: dropped, which cancels
//
// While holding, the loop goes on: other connections are served. What the client sends meanwhile (a pipelined request) is kept
// up to `max_head_bytes`; that it hangs up is noticed by reading. A client that only ends its sending side counts as gone.

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "serve/http_server.hpp"

namespace memwatch {
inline namespace v1 {
namespace serve {

using stream_socket = boost::asio::generic::stream_protocol::socket;  // TCP or unix

class http_connection;

// What a connection needs of its server.
class connection_owner {
public:
    [[nodiscard]] virtual boost::asio::io_context& loop() noexcept = 0;
    [[nodiscard]] virtual const http_limits& limits() const noexcept = 0;
    [[nodiscard]] virtual outcome answer(const http_request& request, const requester& who) = 0;
    [[nodiscard]] virtual std::uint64_t next_wait() noexcept = 0;  // numbers the waits of connections
    virtual void close(http_connection& c) noexcept = 0;

protected:
    ~connection_owner() = default;
};

class http_connection : public std::enable_shared_from_this<http_connection> {
public:
    http_connection(connection_owner& owner, stream_socket socket, requester who)
        : owner_(owner), socket_(std::move(socket)), who_(who), deadline_(owner.loop()) {}

    void begin() { read(); }

    [[nodiscard]] stream_socket& socket() noexcept { return socket_; }
    // When it began to wait for a request, as a number that grows; 0 while it is being answered.
    [[nodiscard]] std::uint64_t waiting_since() const noexcept { return waiting_since_; }
    // Ends waits and what was deferred; the owner closes the socket.
    void abandon() noexcept;

private:
    using error_code = boost::beast::error_code;
    using request_parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
    using response = boost::beast::http::response<boost::beast::http::string_body>;

    // How the response at hand has to be sent.
    struct envelope {
        unsigned version{11};
        bool keep_alive{};
    };

    void wait_for_next();
    void read();
    void on_read(const error_code& failure);
    void hold(deferred later);
    void watch_held();
    void answer_held();
    void write(http_response answer);
    void drain();
    void expire_after(std::uint64_t after_ms);

    connection_owner& owner_;
    stream_socket socket_;
    const requester who_;
    boost::asio::steady_timer deadline_;  // of the operation under way (beast::tcp_stream would close behind the guard's back)
    boost::beast::flat_buffer buffer_{256 * 1024};
    std::optional<request_parser> parser_;
    envelope envelope_;
    std::optional<deferred> held_;
    bool is_due_{};       // of what is held: its time has come
    bool is_watching_{};  // a read is under way while holding
    response response_;
    std::uint64_t waiting_since_{};
    std::size_t drained_bytes_{};
};

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
