// SPDX-License-Identifier: Apache-2.0
#pragma once
// Who may ask for what, before any route runs.
//
//   bound to        Host                     /metrics, /healthz    GET /debug/...    POST
//   loopback        a loopback name only     open, also without    open              bearer token
//   anything else   any                      open                  bearer token      bearer token
//   unix socket     any                      open                  own user, else    own user, else
//                                                                  bearer token      bearer token
//   host's server   (its business)           open                  open              bearer token
//
// Own user: the peer of the socket is this process' user or root by SO_PEERCRED, as at the control socket, and the request did
// not come through a proxy that says so (Forwarded, X-Forwarded-For, Via): a proxy lends its user to strangers.
//
// The Host check stops DNS rebinding: a page of evil.example whose name suddenly resolves to 127.0.0.1 still says
// `Host: evil.example`. A request that carries an Origin other than its own Host comes from a foreign page and is refused
// everywhere; there is no CORS. Threads: any.

#include <optional>
#include <string>
#include <string_view>

#include <memwatch/base/result.hpp>
#include <memwatch/serve/http_handler.hpp>

#include "serve/listen_address.hpp"

namespace memwatch {
inline namespace v1 {
namespace serve {

enum class exposure { loopback, network, unix_socket, mounted };

// What the connection says about who asks, beyond the request.
struct requester {
    bool is_own_user{};  // unix sockets only
};

[[nodiscard]] exposure exposure_of(const listen_address& where) noexcept;

struct access_policy {
    exposure where{exposure::mounted};
    std::string token;  // empty = none configured: everything that needs one is refused
};

// A refusal, to be sent as is.
struct refusal {
    unsigned status{};
    std::string what;
};

// Value of the first header called `name` (case-insensitive); empty when there is none.
[[nodiscard]] std::string_view header(const http_request& request, std::string_view name) noexcept;

// Host and Origin, before the route is known: an empty or missing Host (HTTP/1.0) is no foreign one. Nothing = fine.
[[nodiscard]] std::optional<refusal> check_origin(const http_request& request, const access_policy& policy);

// Whether a route needs the token from this requester: changing ones, and debug routes beyond loopback.
enum class sensitivity { open, debug, change };
[[nodiscard]] bool needs_token(sensitivity what, const http_request& request, const requester& who, exposure where) noexcept;

// On loopback a debug or changing route wants a Host: health checkers that speak HTTP/1.0 leave it out, no honest browser or
// tool that asks for debug routes does. Nothing = fine.
[[nodiscard]] std::optional<refusal> check_host_given(sensitivity what, const http_request& request,
                                                      const access_policy& policy);

// The bearer token: 403 when none is configured, 401 when the request brings none or another.
[[nodiscard]] std::optional<refusal> check_token(const http_request& request, const access_policy& policy);

// Equality in time that depends on the lengths only, so that a token can't be guessed character by character.
[[nodiscard]] bool is_equal_constant_time(std::string_view a, std::string_view b) noexcept;

// Is `host` (a Host header: name or address, optional port) a name for this machine's loopback?
[[nodiscard]] bool is_loopback_host(std::string_view host) noexcept;

// Reads a token: a regular file of this user (or root), readable by nobody else, 16 to 4096 characters without spaces; one
// trailing newline is dropped. Errors: io, invalid_argument; `where` is the path, and no error ever shows the contents.
[[nodiscard]] result<std::string> read_token_file(const std::string& path);

// 16 to 4096 visible ASCII characters. Errors: invalid_argument.
[[nodiscard]] result<void> check_token_form(std::string_view token);

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
