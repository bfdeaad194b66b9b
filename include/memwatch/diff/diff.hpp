// SPDX-License-Identifier: Apache-2.0
#pragma once
// Two snapshots -> delta. A pure function: no clock, no file, no symbolizer. Sites are matched by build id + offset of each
// frame, type and tag; where builds differ, by the user's functions and the lines in them (match_rung).

#include <cstddef>
#include <string>
#include <vector>

#include <memwatch/base/export.hpp>
#include <memwatch/base/result.hpp>
#include <memwatch/diff/ranking.hpp>
#include <memwatch/model/delta.hpp>
#include <memwatch/model/snapshot.hpp>

namespace memwatch {
inline namespace v1 {

// What to compare by, and what to leave out.
struct diff_options {
    dimension by{dimension::site};
    double threshold_bytes{};  // rows whose |bytes| is below are hidden, not dropped from the total
    // Glob over name, tag, type, route and frames ("*api/v2/*"; without a wildcard any part matches), or "re:" + ECMAScript
    // regex.
    std::string focus{};
    std::size_t top{};         // 0 = all; both rows of a proposed move are kept when one of them is
    bool include_unchanged{};  // also rows without any change
    ranking order{ranking::weighted};
    rank_function own_order{};  // instead of `order`. It sees every row with its names: slower, a row's names are strings
};

// diff(a, a) has no rows. Errors: invalid_argument (a bad focus expression, `where` is the expression; a snapshot that breaks
// validate()). Cost: linear in sites and records but for the sorting of traces and shares; two snapshots of 1 M records < 1 s.
[[nodiscard]] MEMWATCH_API result<delta> diff(const snapshot& before, const snapshot& after, const diff_options& options = {});

// BEFORE [DURING...] AFTER, in order: the first and the last are compared. Those between say how steadily it grew: growth that
// one of the spans between them did not add to counts a tenth (delta_row::rank_bytes), also for exact counters and between
// sessions, where no births tell. One that is not between the two in time is left out, with a warning.
// Errors: as above, and invalid_argument for fewer than two or a null.
[[nodiscard]] MEMWATCH_API result<delta> diff(const std::vector<const snapshot*>& of, const diff_options& options = {});

}  // namespace v1
}  // namespace memwatch
