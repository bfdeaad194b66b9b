// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where a server answers: "http://127.0.0.1:9467", "localhost:9467", "unix:/run/orders.sock", or the address of something
// there.
//
// In: text from a command line or an option. Out: host, port and request target. Threads: any. Only http: memwatch's port is
// loopback or behind something that speaks TLS, and an Alertmanager is beside the service or behind a proxy.

#include <string>
#include <string_view>

#include <memwatch/base/result.hpp>

namespace memwatch {
inline namespace v1 {

struct http_url {
    std::string host;         // name or address, without brackets
    std::string port;         // decimal
    std::string target;       // path and query, beginning with "/"
    std::string socket = {};  // path of a unix socket; then host is "localhost" and port is empty

    // For the Host header: "127.0.0.1:9467", "[::1]:9467", "localhost".
    [[nodiscard]] std::string authority() const;
    // For messages: "http://127.0.0.1:9467", "unix:/run/orders.sock".
    [[nodiscard]] std::string address() const;
};

// Errors: invalid_argument (https, user names, a bad port, spaces and control characters).
[[nodiscard]] result<http_url> parse_url(std::string_view text);

// 1 to 65535, in decimal.
[[nodiscard]] bool is_port(std::string_view text) noexcept;

// RFC 3986: everything but letters, digits and "-._~" as %XX.
[[nodiscard]] std::string percent_encoded(std::string_view text);

}  // namespace v1
}  // namespace memwatch
