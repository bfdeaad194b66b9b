// SPDX-License-Identifier: Apache-2.0
#include "options.hpp"

#include <charconv>
#include <string_view>

namespace orders {

const char* const usage =
    "usage: orders [--port N] [--memwatch-port N] [--threads N] [--duration SECONDS] [--fix]\n"
    "  --port N           listen on 127.0.0.1:N (default 8080; 0 = any free port, printed at start)\n"
    "  --memwatch-port N  /metrics and /debug/memtrace (default 9467; 0 = any free port)\n"
    "  --threads N        threads for connections, and as many workers (default 2)\n"
    "  --duration SECONDS stop by itself (default: on SIGINT or SIGTERM)\n"
    "  --fix              without the leak\n";

std::optional<options> parse_options(int argc, const char* const* argv, std::string& problem) {
    options wanted;
    for (int i = 1; i < argc; ++i) {
        const std::string_view name{argv[i]};
        if (name == "--fix") {
            wanted.is_fixed = true;
            continue;
        }
        const bool is_port = name == "--port" || name == "--memwatch-port";
        if (!is_port && name != "--threads" && name != "--duration") {
            problem = "unknown option " + std::string{name};
            return std::nullopt;
        }
        const unsigned most = is_port ? 65'535 : name == "--threads" ? 64 : 86'400;
        const unsigned least = name == "--threads" ? 1 : 0;
        const std::string_view text{i + 1 < argc ? argv[++i] : ""};
        unsigned value{};
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most) {
            problem = std::string{name} + " wants a number from " + std::to_string(least) + " to " + std::to_string(most);
            return std::nullopt;
        }
        if (name == "--port") { wanted.port = static_cast<std::uint16_t>(value); }
        if (name == "--memwatch-port") { wanted.memwatch_port = static_cast<std::uint16_t>(value); }
        if (name == "--threads") { wanted.threads = value; }
        if (name == "--duration") { wanted.duration = std::chrono::seconds{value}; }
    }
    return wanted;
}

}  // namespace orders
