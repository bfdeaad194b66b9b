// SPDX-License-Identifier: Apache-2.0
#pragma once
// HTTP/1.1 on one address (TCP or a unix socket) with one thread. A guest in someone else's process: it takes no signals,
// raises no SIGPIPE, keeps no descriptor open across exec or in a forked child, and bounds what strangers can make it hold.
//
// In: a handler. Out: nothing but responses. Threads: the handler runs on the server's own thread only; the members of
// http_server may be called from any other. Errors: a status, never an exception.
//
//   limit             value     what happens
//   request head      16 KiB    431, connection closed
//   request body      64 KiB    413, connection closed
//   reading           10 s      for a whole request (so bytes that drip in buy no time); closed without an answer
//   idle              30 s      between requests of one connection; then closed
//   writing           60 s      for a whole response; closed
//   connections       32        the one that has waited longest for its request is closed to let a new one in
//
// The handler blocks the thread: a scrape waits while a large snapshot is encoded. That is the price of one thread, and what
// makes the memory bound hold. What a handler defers is waited for by a timer instead, and others are served meanwhile; a
// client that hangs up, or stop(), drops it.
//
// After fork() the child has no server thread. A pthread_atfork handler, registered once, closes the child's copies of the
// sockets and of the event loop's descriptors; status() in the child says so, and a new server may be started there.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <memwatch/base/result.hpp>
#include <memwatch/serve/http_handler.hpp>

#include "serve/access.hpp"
#include "serve/deferred.hpp"
#include "serve/listen_address.hpp"

namespace memwatch {
inline namespace v1 {
namespace serve {

struct http_limits {
    std::uint32_t max_head_bytes{16 * 1024};
    std::uint64_t max_body_bytes{64 * 1024};
    std::uint64_t read_ms{10'000};
    std::uint64_t idle_ms{30'000};
    std::uint64_t write_ms{60'000};
    std::size_t max_connections{32};
    void (*on_thread)() noexcept = nullptr;  // called first on the server's thread
};

using request_handler = std::function<outcome(const http_request&, const requester&)>;

class http_server {
public:
    // Binds, then serves on a new thread. Errors: io (port in use, no such address, no thread), in words for a person.
    [[nodiscard]] static result<std::unique_ptr<http_server>> start(const listen_address& where, request_handler handler,
                                                                    const http_limits& limits = {}) noexcept;

    // For a handler that never defers and asks nothing about the peer.
    [[nodiscard]] static result<std::unique_ptr<http_server>> start(const listen_address& where, http_handler_function handler,
                                                                    const http_limits& limits = {}) noexcept;

    http_server(const http_server&) = delete;
    http_server& operator=(const http_server&) = delete;

    // stop().
    ~http_server();

    // Stops accepting, ends open connections (a handler that runs is waited for), joins the thread. Idempotent.
    void stop() noexcept;

    [[nodiscard]] bool is_listening() const noexcept;              // false in a forked child
    [[nodiscard]] const listen_address& address() const noexcept;  // as bound

private:
    class impl;
    explicit http_server(std::unique_ptr<impl> made) noexcept;

    std::unique_ptr<impl> impl_;
};

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
