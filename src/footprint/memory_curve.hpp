// SPDX-License-Identifier: Apache-2.0
#pragma once
// How memory went: a point a second for the last 15 minutes, a point a minute for the last 24 hours, in 130 KB and no more.
//
//   reading, reading, ... --(same second: the later one, the higher peak)--> seconds [900] --(mean of a minute)--> minutes
//   [1440]
//
// In: readings, in order of time, as many a second as there are. Out: points, oldest first. Seconds in which nobody read have
// no point. Threads: one at a time. Allocates: copy() into its result.

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/memory_reading.hpp"

namespace memwatch {
inline namespace v1 {

struct curve_point {
    std::uint32_t second{};    // on the timeline of snapshots, in seconds; of a minute: its last
    std::uint32_t seconds{1};  // how many points of a second it is the mean of
    // All in KiB, so that 4 TiB fit.
    std::uint32_t resident{};
    std::uint32_t anonymous{};
    std::uint32_t address_space{};
    std::uint32_t used{};           // by the cgroup
    std::uint32_t unreclaimable{};  // of it
    std::uint32_t peak{};           // the highest `unreclaimable` that was read
    std::uint32_t limit{};          // of the cgroup; 0 = none
    std::uint32_t live{};           // estimated live heap
    std::uint32_t self{};           // memwatch's own
    std::uint32_t group{};          // which of the groups above the process `used` is about
};

class memory_curve {
public:
    static constexpr std::size_t kept_seconds = 900;
    static constexpr std::size_t kept_minutes = 1440;

    // `group`: memory_reader::tightest().
    void add(const memory_reading& reading, std::size_t group) noexcept;
    void clear() noexcept;

    [[nodiscard]] std::size_t second_count() const noexcept { return seconds_.count; }
    [[nodiscard]] std::size_t minute_count() const noexcept { return minutes_.count; }
    // `back` 0 is the newest; below the count.
    [[nodiscard]] const curve_point& second(std::size_t back) const noexcept { return seconds_.at(back); }
    [[nodiscard]] const curve_point& minute(std::size_t back) const noexcept { return minutes_.at(back); }

    // The last `span_s` seconds: points of a minute, then the points of a second that come after them.
    [[nodiscard]] std::vector<curve_point> copy(std::uint32_t span_s) const;

private:
    template <std::size_t Size>
    struct points {
        std::array<curve_point, Size> kept{};
        std::size_t next{};
        std::size_t count{};
        [[nodiscard]] const curve_point& at(std::size_t back) const noexcept { return kept[(next + Size - 1 - back) % Size]; }
        [[nodiscard]] curve_point& newest() noexcept { return kept[(next + Size - 1) % Size]; }
        void add(const curve_point& point) noexcept {
            kept[next] = point;
            next = (next + 1) % Size;
            if (count < Size) { ++count; }
        }
    };
    void close_minute() noexcept;

    points<kept_seconds> seconds_;
    points<kept_minutes> minutes_;
    std::uint32_t in_minute_{};  // points of a second since the last minute was closed
};

}  // namespace v1
}  // namespace memwatch
