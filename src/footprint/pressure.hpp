// SPDX-License-Identifier: Apache-2.0
#pragma once
// How near the end is: a level, from what is left below the limit and from what the kernel and the service manager have said.
//
//   critical  5 % of the limit is left or less; or the group ran out of memory (oom, oom_kill) in the last minute
//   some      20 % or less; or the manager said so (MEMORY_PRESSURE_WATCH); or the group met memory.high or its limit (max)
//             in the last half minute while more than half of it could not be reclaimed
//   none      else
//
// Meeting a limit says nothing by itself: the page cache of whoever reads files grows until it does, and is simply dropped.
// Left is what unreclaimable memory leaves of the limit. A level that falls does so after half a minute, one that rises at
// once.
//
// Threads: one at a time. Time is the timeline of snapshots.

#include <cstdint>
#include <optional>

#include "model/memory_reading.hpp"

namespace memwatch {
inline namespace v1 {

class pressure_gauge {
public:
    // Something that was waited for has said that memory is short.
    void hear(std::uint64_t now_ns) noexcept { heard_ns_ = now_ns; }

    // `reading` is later than the one before.
    pressure_level judge(const memory_reading& reading) noexcept;

    [[nodiscard]] pressure_level level() const noexcept { return level_; }
    // How often it rose to that level or above.
    [[nodiscard]] std::uint64_t times_risen_to(pressure_level level) const noexcept {
        return risen_[static_cast<std::size_t>(level)];
    }

    // When to read again: a second while all is well, a tenth of one when the end is near or comes near fast.
    [[nodiscard]] std::uint64_t pause_ns() const noexcept { return pause_ns_; }

private:
    [[nodiscard]] pressure_level level_of(const memory_reading& reading) const noexcept;
    void note_events(const memory_reading& reading) noexcept;
    void choose_pause(const memory_reading& reading) noexcept;

    pressure_level level_{pressure_level::none};
    std::uint64_t below_since_ns_{};  // how long a lower level would do; 0 = it would not
    std::uint64_t risen_[pressure_level_count]{};
    std::optional<memory_reading> before_;
    std::uint64_t heard_ns_{};    // 0 = never, these three
    std::uint64_t met_ns_{};      // high or max
    std::uint64_t starved_ns_{};  // oom or oom_kill
    std::uint64_t pause_ns_{1'000'000'000};
};

}  // namespace v1
}  // namespace memwatch
