// SPDX-License-Identifier: Apache-2.0
#include "diff/levels.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "diff/comparability.hpp"

namespace memwatch::inline v1 {
namespace {

// What rows hold at one moment, and how unsure their change from there to AFTER is.
struct level {
    double seconds{};  // since BEFORE
    std::vector<double> bytes;
    std::vector<double> error;
};

// Rows of another comparison with the same AFTER, in terms of ours: the things of AFTER say which row is which.
std::vector<std::uint32_t> translate(const grouping& from, const grouping& to) {
    std::vector<std::uint32_t> row_of(from.rows, no_row);
    const auto take = [&](const std::vector<std::uint32_t>& theirs, const std::vector<std::uint32_t>& ours) {
        for (std::size_t i = 0; i < theirs.size(); ++i) { row_of[theirs[i]] = ours[i]; }
    };
    take(from.row_of_record[after_side], to.row_of_record[after_side]);
    take(from.row_of_site[after_side], to.row_of_site[after_side]);
    take(from.row_of_entry[after_side], to.row_of_entry[after_side]);
    return row_of;
}

level level_at(const snapshot& between, const snapshot& after, const grouping& groups) {
    const snapshot_pair sides{&between, &after};
    const site_match match = match_sites(sides);
    const grouping theirs = group(groups.by, sides, match);
    const delta_sums sums = add_up(sides, theirs, false);
    const std::vector<std::uint32_t> row_of = translate(theirs, groups);
    level out{0, std::vector<double>(groups.rows), std::vector<double>(groups.rows)};
    for (std::size_t i = 0; i < theirs.rows; ++i) {
        if (row_of[i] == no_row) { continue; }  // gone by AFTER: no growth to judge
        out.bytes[row_of[i]] += sums.rows[i].live[before_side].bytes;
        out.error[row_of[i]] = std::hypot(out.error[row_of[i]], std::sqrt(sums.rows[i].variance));
    }
    return out;
}

level level_of_side(const delta_sums& sums, std::size_t side, double seconds) {
    level out{seconds, {}, {}};
    for (const row_sums& each : sums.rows) {
        out.bytes.push_back(each.live[side].bytes);
        out.error.push_back(std::sqrt(each.variance));
    }
    return out;
}

std::vector<double> limits(const std::vector<level>& levels, std::size_t rows) {
    const double whole = levels.back().seconds;
    std::vector<double> out(rows, std::numeric_limits<double>::infinity());
    for (std::size_t i = 0; i + 1 < levels.size(); ++i) {
        const double scale = whole / (levels[i + 1].seconds - levels[i].seconds);
        for (std::size_t row = 0; row < rows; ++row) {
            const double growth = levels[i + 1].bytes[row] - levels[i].bytes[row] + levels[i].error[row];
            out[row] = std::min(out[row], std::max(0.0, growth) * scale);
        }
    }
    return out;
}

}  // namespace

row_levels levels_between(const std::vector<const snapshot*>& of, const grouping& groups, const delta_sums& sums) {
    row_levels out;
    const double whole = seconds_between(*of.front(), *of.back());
    std::vector<level> levels{level_of_side(sums, before_side, 0)};
    for (std::size_t i = 1; i + 1 < of.size(); ++i) {
        level each = level_at(*of[i], *of.back(), groups);
        out.bytes.push_back(each.bytes);
        each.seconds = seconds_between(*of.front(), *of[i]);
        if (each.seconds <= levels.back().seconds || each.seconds >= whole) {
            out.warnings.push_back("snapshot " + std::to_string(i + 1) + " of " + std::to_string(of.size()) +
                                   " was not taken between its neighbours: it says nothing about steadiness");
            continue;
        }
        levels.push_back(std::move(each));
    }
    if (levels.size() == 1) { return out; }
    levels.push_back(level_of_side(sums, after_side, whole));
    out.steady_limit = limits(levels, groups.rows);
    return out;
}

}  // namespace memwatch::inline v1
