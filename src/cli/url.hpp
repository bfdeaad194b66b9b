// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where a running service answers: "http://127.0.0.1:9467", "localhost:9467", "unix:/run/orders.sock", or the address of one
// snapshot.
//
// In: text from the command line. Out: host, port and request target. Threads: any. Only http: memwatch's port is loopback or
// behind something that speaks TLS.

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

// Whether an argument means an address rather than a file: a scheme, unix:/path, or host:port without a slash that isn't a file
// here.
[[nodiscard]] bool is_url(const std::string& argument);

// Errors: invalid_argument (https, user names, a bad port, spaces and control characters).
[[nodiscard]] result<http_url> parse_url(std::string_view text);

// What to ask the service at `base` for. A base ("http://host:9467", ".../debug/memtrace") gets the snapshot route; a target
// that names the route already keeps its query. The members are added unless the query has them or they are empty.
struct snapshot_query {
    std::string format = "memtrace";
    std::string label;
    std::string seconds;
    std::string past = {};  // "2h": of the service's history, the one that is so old
};
[[nodiscard]] http_url snapshot_url(http_url base, const snapshot_query& query);

// RFC 3986: everything but letters, digits and "-._~" as %XX.
[[nodiscard]] std::string percent_encoded(std::string_view text);

}  // namespace v1
}  // namespace memwatch
