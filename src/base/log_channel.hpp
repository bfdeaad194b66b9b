// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where write_log() writes to, and how much of it this minute. One in a process: a second copy of memwatch uses the first
// one's, so that the host's sink hears both and the rate limit holds for both together.

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <memwatch/base/log.hpp>

namespace memwatch {
inline namespace v1 {

struct log_channel {
    std::atomic<log_sink> sink{nullptr};  // null: stderr
    // A kind of event and its lines in the current minute, with the minute: one word, so that a rollover resets both at once.
    // Kinds are counted apart, so that a flood of one cannot silence the leak's line; those beyond the last share it.
    struct kind {
        std::atomic<std::uint64_t> name{0};  // hash; 0 = free
        std::atomic<std::uint64_t> minute_and_lines{0};
    };
    static constexpr std::size_t most_kinds = 32;
    kind kinds[most_kinds];
    std::atomic<std::uint64_t> held_back{0};
};

[[nodiscard]] log_channel& log_in_use() noexcept;
// From now on this copy's write_log() and set_log_sink() mean `channel`, which outlives the process.
void use_log(log_channel& channel) noexcept;

}  // namespace v1
}  // namespace memwatch
