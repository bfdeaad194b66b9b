// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where write_log() writes to, and how much of it this minute. One in a process: a second copy of memwatch uses the first
// one's, so that the host's sink hears both and the rate limit holds for both together.

#include <atomic>
#include <cstdint>

#include <memwatch/base/log.hpp>

namespace memwatch {
inline namespace v1 {

struct log_channel {
    std::atomic<log_sink> sink{nullptr};  // null: stderr
    // Lines in the current minute, and the minute: one word, so that a rollover resets both at once.
    std::atomic<std::uint64_t> minute_and_lines{0};
    std::atomic<std::uint64_t> held_back{0};
};

[[nodiscard]] log_channel& log_in_use() noexcept;
// From now on this copy's write_log() and set_log_sink() mean `channel`, which outlives the process.
void use_log(log_channel& channel) noexcept;

}  // namespace v1
}  // namespace memwatch
