// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which row of a delta a person should look at first. Three answers come with memwatch, and a caller may give another:
//
//   weighted  (default)  score = 0.40 volatility + open * (0.35 long_lived + 0.25 weight)
//   steady               rank_bytes(): bytes that surely grew, in full as far as each quarter of the time added to them
//   bytes                plain growth
//
// The terms are numbers from 0 to 1 without a unit; `g` is the row's rank_bytes() (model/delta.hpp), `G` the largest of the
// delta:
//   volatility  0 when g = 0, that is when two standard errors of sampling explain the growth; else max(0, 1 + log10(g / G) /
//   2):
//               1 for the row that grew most, 0.5 for a tenth of it, 0 for a hundredth. Growth that came in a burst counts a
//               tenth (rank_bytes), so it loses half a point against growth that every quarter of the time added to.
//   long_lived  of the blocks that were born between the snapshots and are alive, the share older than a quarter of that time;
//               divided by 3/4, the share that a leak at constant rate has, and at most 1. Between sessions births are not
//               known: there it is the part of the growth that is older than a quarter of the shorter run, divided likewise.
//   weight      what the tag's owner said it is worth (tag_totals::weight, 0.5 unless stated); rows of several tags: the mean
//               by live bytes.
//   open        min(1, 2 volatility): the gate. Age and weight count in full for rows within a tenth of G, less below, and
//               nothing at a hundredth of G or without proven growth.
//
//             bytes   +-    steady  long-lived tag          g    volatility open  score
//   leak      50 MiB  2     46      98 %       orders 0.9   46   1.00       1.00  0.40 + 0.34 + 0.23 = 0.97
//   cache     300 MiB 4     0       100 %      0.5          29   0.90       1.00  0.36 + 0.35 + 0.13 = 0.83
//   trickle   1 MiB   0.2   0.6     99 %       cash 1.0     0.6  0.06       0.12  0.02 + 0.04 + 0.03 = 0.09
//   noise     9 MiB   6     -       99 %       cash 1.0     0    0          0     0
//
// What follows (tests/unit/diff/ranking_test.cpp): a row without proven growth never stands above one with it; twice the growth
// is worth as much as a weight higher by 0.24 or a long-lived share higher by 0.17; the weights 0.5 and 1 differ like 4 times
// the growth, 0 and 1 like 18 times; no weight and no age lifts a row over one that grew a hundred times as much.
//
// Bias: volatility is low for small samples (two standard errors are taken off first) and for a leak that began late; a cache
// that is still filling is ranked as a leak. long_lived is high for what is loaded once and kept, so it never ranks by itself,
// and a leak in the last quarter of the time has none yet: take a later snapshot. Scores order the rows of one delta; G
// differs from delta to delta, so that they are no measure to keep or to alarm on: gate on bytes.
//
// Threads: any; pure functions.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <memwatch/base/export.hpp>
#include <memwatch/base/result.hpp>
#include <memwatch/model/delta.hpp>

namespace memwatch {
inline namespace v1 {

// The rankings that have a name.
enum class ranking { weighted, bytes, steady };

// Larger comes first; what it returns becomes rank.score. The row is complete but for its shares, with `rank` as weighted.
using rank_function = std::function<double(const delta_row& row)>;

// "weighted", "bytes", "steady", as parse_ranking() reads them.
[[nodiscard]] MEMWATCH_API const char* to_string(ranking by) noexcept;
// Errors: invalid_argument.
[[nodiscard]] MEMWATCH_API result<ranking> parse_ranking(std::string_view text);

}  // namespace v1
}  // namespace memwatch
