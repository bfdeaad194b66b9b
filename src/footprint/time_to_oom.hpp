// SPDX-License-Identifier: Apache-2.0
#pragma once
// When the limit will be met: the curve of memory against the limit that is nearest, with a 90 % interval, or nothing at all.
//
//   unreclaimable memory  against  the tightest limit of the cgroup and those above it
//   address space         against  RLIMIT_AS, and nothing else: resident memory never meets that limit, reservations do
//
// Windows of 2 and 5 minutes, 15, 1 h, 6 h and 24 h (and of 30 s, for processes younger than 2 minutes) are each cut into 30
// equal parts; a part's median stands for it, so that spikes do not count. growth.hpp makes of them what growth may be. Longer
// windows know more of a growth that has lasted, and nothing of one that began or ended just now. So they are asked in turn,
// from the shortest on, until one contradicts those before it (neither 90 % interval of growth holds the other's middle), and
// the longest that rules out that there is no growth (lower bound, 5 %) speaks. None does: no forecast. Nor when a longer
// window, of those that contradict, shows that it was as high as this twice already and came back: tides rise, too. The surest
// instead of the longest was tried: intervals of leaks whose rate goes with the load then hold the truth in 42 % of runs
// instead of 80 %.
//
// The kernel kills at the peak and not at the mean. How far peaks are above the medians is taken off the room that is left: the
// highest seen for the soonest end, the usual for the latest. A group with swap left begins to swap at that moment; others die.
//
// Pure; nothing allocates. Coverage over simulated leaks, and the odds of that test: tests/unit/footprint/time_to_oom_test.cpp.

#include <cstdint>
#include <optional>

#include "footprint/memory_curve.hpp"
#include "model/memory_reading.hpp"

namespace memwatch {
inline namespace v1 {

// `address_space_limit`: RLIMIT_AS, 0 = none. The sooner of the two, if both are in sight. `made_ns` is the caller's.
[[nodiscard]] std::optional<oom_forecast> forecast_oom(const memory_curve& curve, std::uint64_t address_space_limit) noexcept;

}  // namespace v1
}  // namespace memwatch
