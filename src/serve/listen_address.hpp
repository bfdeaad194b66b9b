// SPDX-License-Identifier: Apache-2.0
#pragma once
// "127.0.0.1:9467", "[::1]:9467", "localhost:0", "unix:/run/orders.sock": where to listen. Addresses only; no name is ever
// looked up, because a resolver can block a service's start for minutes ("localhost" is 127.0.0.1). Threads: any.

#include <cstdint>
#include <string>
#include <string_view>

#include <memwatch/base/result.hpp>

namespace memwatch {
inline namespace v1 {
namespace serve {

struct listen_address {
    std::string host;  // an address, v6 without brackets
    std::uint16_t port{};
    bool is_v6{};
    bool is_loopback{};
    std::string path;  // of a unix socket, absolute; then all above is empty

    [[nodiscard]] bool is_unix() const noexcept { return !path.empty(); }

    [[nodiscard]] std::string to_string() const;  // as parse_listen_address reads it
};

// Errors: invalid_argument; `where` is the text.
[[nodiscard]] result<listen_address> parse_listen_address(std::string_view text);

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
