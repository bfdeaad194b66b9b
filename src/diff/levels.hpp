// SPDX-License-Identifier: Apache-2.0
#pragma once
// How steadily rows grew, by what they held at snapshots between BEFORE and AFTER.
//
//   BEFORE          D1                    AFTER            a span's growth, scaled to the whole time, bounds what is steady:
//   10 MiB   20 s   40 MiB    80 s        42 MiB           +2 MiB in 80 of 100 s -> at most 2.5 MiB of the +32 MiB are
//
// A span gets the benefit of the doubt of one standard error of the change from its start to AFTER, so that few samples are not
// judged by one thin span. Exact counters get none.

#include <string>
#include <vector>

#include "diff/sums.hpp"

namespace memwatch::inline v1 {

struct row_levels {
    std::vector<std::vector<double>> bytes;  // [snapshot between][row of `groups`] live bytes there
    std::vector<double> steady_limit;        // [row] upper bound of steady growth in bytes; empty = nothing was between
    std::vector<std::string> warnings;
};

// `of` are all snapshots in order; the first and the last are those `groups` and `sums` compare.
[[nodiscard]] row_levels levels_between(const std::vector<const snapshot*>& of, const grouping& groups, const delta_sums& sums);

}  // namespace memwatch::inline v1
