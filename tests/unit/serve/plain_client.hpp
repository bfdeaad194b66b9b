// SPDX-License-Identifier: Apache-2.0
#pragma once
// A server to test and a client that speaks bytes, over TCP and unix sockets.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <utility>

#include "serve/http_server.hpp"

namespace memwatch_test {

namespace serve = memwatch::serve;

inline memwatch::http_response echo(const memwatch::http_request& request) {
    return {200, {{"Content-Type", "text/plain"}}, request.method + " " + request.target + " " + request.body};
}

inline std::unique_ptr<serve::http_server> start(const std::string& listen, serve::http_limits limits = {},
                                                 memwatch::http_handler_function handler = &echo) {
    auto server = serve::http_server::start(*serve::parse_listen_address(listen), std::move(handler), limits);
    REQUIRE(server);
    return std::move(*server);
}

// A plain blocking client; five seconds without an answer fail the test rather than hang it.
class client {
public:
    explicit client(const serve::listen_address& to)
        : descriptor_(::socket(to.is_unix() ? AF_UNIX
                               : to.is_v6   ? AF_INET6
                                            : AF_INET,
                               SOCK_STREAM, 0)) {
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_port = htons(to.port);
        v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        sockaddr_in6 v6{};
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(to.port);
        v6.sin6_addr = in6addr_loopback;
        sockaddr_un local{};
        local.sun_family = AF_UNIX;
        to.path.copy(local.sun_path, sizeof local.sun_path - 1);
        const int failed = to.is_unix() ? ::connect(descriptor_, reinterpret_cast<sockaddr*>(&local), sizeof local)
                           : to.is_v6   ? ::connect(descriptor_, reinterpret_cast<sockaddr*>(&v6), sizeof v6)
                                        : ::connect(descriptor_, reinterpret_cast<sockaddr*>(&v4), sizeof v4);
        is_connected_ = failed == 0;
    }
    client(const client&) = delete;
    ~client() { ::close(descriptor_); }

    [[nodiscard]] bool is_connected() const { return is_connected_; }

    bool send(const std::string& bytes) {
        return ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
    }

    // Ends the sending side; what the server sends can still be read.
    void finish() { ::shutdown(descriptor_, SHUT_WR); }

    // Everything until `end` was seen or the server closed.
    std::string receive(const std::string& end = "\r\n\r\n") {
        std::string out;
        char buffer[4096];
        while (out.find(end) == std::string::npos) {
            pollfd waiting{descriptor_, POLLIN, 0};
            if (::poll(&waiting, 1, 5000) != 1) { return out + "<timeout>"; }
            const ssize_t got = ::recv(descriptor_, buffer, sizeof buffer, 0);
            if (got <= 0) { return out + "<closed>"; }
            out.append(buffer, static_cast<std::size_t>(got));
        }
        return out;
    }

private:
    int descriptor_;
    bool is_connected_{};
};

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

inline std::string get(const std::string& target) { return "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n"; }

}  // namespace memwatch_test
