// SPDX-License-Identifier: Apache-2.0
#pragma once
// HTTP/1.1 with keep-alive on 127.0.0.1, by Boost.Beast, which stays in the .cpp. Knows nothing of orders or memwatch: bytes
// become a request, a handler's response becomes bytes.

#include <cstdint>
#include <functional>
#include <memory>

#include "messages.hpp"

namespace orders {

// Threads: construct, stop and destroy from one thread; the handler is called on the server's own.
class http_server {
public:
    using respond = std::function<void(response)>;  // may be called on any thread, once
    using handler = std::function<void(request, respond)>;

    // Listens at once; port 0 takes any free one. Throws std::system_error when the port is taken.
    http_server(std::uint16_t port, unsigned threads, handler on_request);
    ~http_server();

    [[nodiscard]] std::uint16_t port() const;

    // Accepts nothing more, answers the requests that are being worked on, closes the connections. Idempotent.
    void stop();

private:
    class impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace orders
