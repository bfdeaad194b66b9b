// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a snapshot of the history is called: "20261122T153000Z-3fa9c1d2", the moment it was taken (UTC, whole seconds) and the
// first eight digits of its session's id. A name sorts by time, fits where a label does, and is a file name that needs no
// escape. Threads: any. What is parsed comes from outside.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace memwatch {
inline namespace v1 {
namespace history {

struct past_name {
    std::uint64_t taken_unix_ns{};  // whole seconds
    std::string session;            // 8 lower-case hex digits
};

// Years 1970 to 9999; a session's id that is shorter than eight digits is filled up with zeros.
[[nodiscard]] std::string make_past_name(std::uint64_t taken_unix_ns, std::string_view session);
[[nodiscard]] std::optional<past_name> parse_past_name(std::string_view text);

// "2026-11-22 15:30:00 UTC", for people.
[[nodiscard]] std::string moment_in_words(std::uint64_t unix_ns);

}  // namespace history
}  // namespace v1
}  // namespace memwatch
