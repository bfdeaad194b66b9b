// SPDX-License-Identifier: Apache-2.0
#pragma once
// Since when: the moment a site began to keep what it allocates, estimated from the births of the blocks that are alive.
//
// A leak keeps blocks at a steady rate, so their births lie evenly between its onset and the snapshot. Before that the site may
// have kept a few (configuration, a warm cache) at another rate. With n births x_1 <= .. <= x_n in [a = x_1, b], the change
// point c maximizes the likelihood of two Poisson rates,
//     L(c) = n1 ln(n1 / (c - a)) + n2 ln(n2 / (b - c)),      n1 births before c, n2 at or after it
// and is believed when it beats one rate for all by more than 10 and the rate at least tripled (false alarms: the test "onset:
// a steady site has begun with its first block" counts them). Otherwise the site has done this since its first block, whose
// birth overestimates the beginning by one gap between blocks, on average: (b - x_1) / n.
//
// In: births, in any order, of one site. Out: a time and how far off it may be. Threads: any.

#include <cstdint>
#include <vector>

namespace memwatch::inline v1 {

enum class onset_basis {
    none,         // no births known
    first_block,  // since the oldest block that is alive
    change_point  // the rate of blocks that stay alive changed
};

struct onset {
    onset_basis basis{onset_basis::none};
    std::uint64_t at_ns{};
    std::uint64_t error_ns{};  // about one standard deviation
    double rate_before{};      // blocks a second; change_point only
    double rate_after{};
};

// `end_ns`: of the snapshot, after the last birth. Watching is taken to have begun with the first birth.
[[nodiscard]] onset estimate_onset(std::vector<std::uint64_t> births_ns, std::uint64_t end_ns);

}  // namespace memwatch::inline v1
