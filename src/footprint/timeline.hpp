// SPDX-License-Identifier: Apache-2.0
#pragma once
// The memory of the last minutes or hours as a page: what is said at /debug/memtrace/timeline and to `timeline` at the control
// socket. Pure; allocates.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "footprint/memory_curve.hpp"
#include "model/memory_reading.hpp"

namespace memwatch {
inline namespace v1 {

// Times are on the timeline of snapshots.
struct memory_timeline {
    std::uint64_t started_unix_ns{};  // time 0
    memory_reading latest;            // time_ns 0: nobody reads, there is no worker
    pressure_level level{};
    std::uint64_t times_some{};  // how often it came to that level or above
    std::uint64_t times_critical{};
    std::optional<oom_forecast> forecast;
    std::vector<curve_point> points;  // oldest first
};

[[nodiscard]] const char* word_of(pressure_level level) noexcept;

// {"kind": "memwatch.timeline", "version": 1, ...}; bytes and seconds. Members are added, never renamed.
[[nodiscard]] std::string render_json(const memory_timeline& shown);
// At most 30 rows: each is the point at its end, and the highest peak of those it stands for.
[[nodiscard]] std::string render_text(const memory_timeline& shown);

// "the limit of 512 MiB is met in 12 min (8 .. 19 min)": of a forecast, or why there is none.
[[nodiscard]] std::string sentence_of(const memory_timeline& shown);

}  // namespace v1
}  // namespace memwatch
