// SPDX-License-Identifier: Apache-2.0
#pragma once
// The command line of the order service.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace orders {

struct options {
    std::uint16_t port{8080};           // 0 = any free one
    std::uint16_t memwatch_port{9467};  // 0 = any free one
    unsigned threads{2};                // for connections, and as many workers
    std::chrono::seconds duration{};    // 0 = until SIGINT or SIGTERM
    bool is_fixed{};                    // without the leak
};

extern const char* const usage;

// Empty when the arguments are wrong; `problem` says which one and why.
[[nodiscard]] std::optional<options> parse_options(int argc, const char* const* argv, std::string& problem);

}  // namespace orders
