// SPDX-License-Identifier: Apache-2.0
#pragma once
// memwatch's own HTTP server: one port, one thread, loopback unless told otherwise. Explicit by design: nothing listens until
// a program calls start(). With `debug_listen` there are two of each: metrics for whoever scrapes, the debug routes elsewhere.
//
// A port in use, or any other failure, degrades to no server with a status that says why; the host goes on.

#ifdef MEMWATCH_DISABLE
#include <memwatch/none.hpp>
#else
#include <cstdint>
#include <memory>
#include <string>

#include <memwatch/base/export.hpp>
#include <memwatch/session.hpp>

namespace memwatch {
inline namespace v1 {

// Where and how to serve; server_options.def says what each is. The environment wins over what is set here.
struct server_options {
#define MEMWATCH_SERVER_OPTION(type, member, default_value, environment, changes, least, most, unit, help) \
    type member = default_value;
#include <memwatch/server_options.def>
};

// Whether the server listens, and where.
struct server_status {
    bool is_listening{};
    std::string address;        // "127.0.0.1:9467" as bound; empty when not listening
    std::string detail;         // why not, in one sentence
    std::string debug_address;  // where /debug/... is, when it is an address of its own; empty when that is not listening
};

class server {
public:
    // Binds and starts the server thread (all signals blocked, sockets close-on-exec). Errors: none; see status().
    [[nodiscard]] MEMWATCH_API static server start(const session& s, server_options wanted = {}) noexcept;

    MEMWATCH_API server() noexcept;
    MEMWATCH_API server(server&&) noexcept;
    MEMWATCH_API server& operator=(server&&) noexcept;

    // stop().
    MEMWATCH_API ~server();

    // Stops accepting, ends open connections, joins the thread. Idempotent.
    MEMWATCH_API void stop() noexcept;

    [[nodiscard]] MEMWATCH_API server_status status() const;
    [[nodiscard]] MEMWATCH_API std::uint16_t port() const noexcept;  // 0 when not listening

private:
    class impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace v1
}  // namespace memwatch
#endif
