// SPDX-License-Identifier: Apache-2.0
#pragma once
// Two snapshots compared. Rows are grouped along one dimension; each carries both sides, the change, how sure it is, and - for
// sites - the evidence that names a culprit: which tag, routes, traces and threads the growth belongs to.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <memwatch/model/fingerprint.hpp>
#include <memwatch/model/snapshot.hpp>

namespace memwatch {
inline namespace v1 {

// What rows are: growth can be told by any of these.
enum class dimension { site, type, tag, trace, route, thread, pool };

// What became of a row between two snapshots.
enum class change { appeared, gone, grew, shrank, unchanged };

// How the two sides of a row were found to be the same. Sites: see src/diff/README.md; rows of other dimensions are the same
// when their names are (exact). Each rung only gets what the ones before left.
enum class match_rung {
    none,      // only one of the snapshots has it
    exact,     // build id and file offset of every frame, type and tag
    frames,    // another build: type, tag and the innermost user functions, each with its line relative to the function's start
    function,  // another build: type, tag and the allocating user function, which has one site left in both
};

// One side of a row. `is_exact` rows (tags, pools) come from exact counters and have no sampling error.
struct delta_side {
    sampled_totals live;
    std::uint64_t oldest_age_ns{};        // age of the oldest live block at that snapshot; 0 = nothing alive
    std::uint64_t first_birth_unix_ns{};  // wall clock at which the oldest live block was born; 0 = unknown or nothing alive
    std::uint64_t last_birth_unix_ns{};   // the youngest
    std::uint32_t sites{};      // rows by site: how many of the snapshot's sites the row holds; above 1 after a rebuild
    double untraced_bytes{-1};  // totals only: part of the live bytes that names no trace; -1 = unknown, there are no records
};

// A share of a row's growth along another dimension: "of these +52 MiB, +51 MiB belong to route /api/v2/orders".
struct delta_share {
    dimension by{};
    std::string name;
    double bytes{};  // change in live bytes, of the same sign as the row's
    trace_id trace;  // when by == trace; none = blocks without a trace
};

// Why a row stands where it stands: the terms of its score (diff/ranking.hpp has the formula, what each means and its bias).
struct rank_terms {
    double volatility{};  // sure growth and how steadily it came, on a log scale below the delta's largest; 0 = none is proven
    double long_lived{};  // share of what was allocated since that outlived delta.long_lived_ns; 0 also where no record tells
    double weight{};      // business weight of its tag (tag_totals::weight); a mean where a row has several
    double score{};       // all three together; 0 = no proven growth, or a hundredth of the largest and less
};

// What one site, tag, route ... did between the snapshots.
struct delta_row {
    std::string name;          // what a person calls it: function, type, tag, trace id, route, thread, pool
    std::string key;           // stable identity within the comparison (for sites: hex of the site key)
    std::string tag;           // sites only
    std::string type;          // sites only
    std::vector<frame> stack;  // sites only: symbolized or not, leaf first
    delta_side before;
    delta_side after;
    double bytes{};  // after - before, live bytes
    double objects{};
    double bytes_standard_error{};  // of `bytes`: what sampling alone could explain. Blocks alive in both snapshots cancel
    double rate_bytes_per_s{};      // bytes over the time between the snapshots; 0 when that is unknown
    double survivors_bytes{};       // of the blocks born between the snapshots, still alive (same session only)
    double survived_bytes{-1};      // of the blocks alive at BEFORE, still alive at AFTER; -1 = unknown: see freed_bytes
    double freed_bytes{-1};  // alive at BEFORE, freed since; -1 = unknown: other session, missing records, exact counters
    double steady_bytes{};   // the part of growth that every quarter of the time between them added to; see below
    change what{change::unchanged};
    match_rung rung{match_rung::none};
    bool is_exact{};
    rank_terms rank;
    std::size_t stacks{1};             // more: a finding, several sites of one allocating end shown as one (diff/clusters.hpp)
    std::vector<double> during_bytes;  // live bytes at each snapshot between the two, where there were any
    std::vector<delta_share> shares;   // sites only: by tag, route, trace, thread; the three largest of each, largest first

    // Growth that counts, what `rank.volatility` is made of. Growth that sampling noise could explain counts nothing, and of
    // the rest, growth that stopped or is being replaced counts a tenth:
    //     sure = max(0, bytes - 2 standard errors)       rank = min(sure, steady) + (sure - min(sure, steady)) / 10
    // A leak keeps a share of what it allocates in each quarter between the snapshots, a cache that filled up keeps nothing of
    // the last quarters, and one that evicts nothing of the first. So with a leak of 50 MiB beside a cache that filled up by
    // 300 MiB after `before`, the leak ranks 50 and the cache 30, while `bytes` stays the plain change for both.
    [[nodiscard]] MEMWATCH_API double rank_bytes() const noexcept;

    // after / before; +inf for `appeared`, 0 for `gone`, 1 when both are nothing.
    [[nodiscard]] MEMWATCH_API double ratio() const noexcept;
    // |bytes| above two standard errors, or exact.
    [[nodiscard]] MEMWATCH_API bool is_significant() const noexcept;
};

// Two rows that may be one site that moved: an unmatched site of each build with the same type and tag and similar frames. Only
// proposed: the rows stay "gone" and "new", and no sum knows of it.
struct move_proposal {
    std::size_t gone{};  // indices into delta.rows
    std::size_t appeared{};
    std::string why;  // "same type Order, called from handle and main, in cache.cpp; was insert, is put"
};

struct delta {
    dimension by{dimension::site};
    snapshot_info before;
    snapshot_info after;
    fingerprint before_fingerprint;  // equal ones: no rows by site, type, tag and pool
    fingerprint after_fingerprint;
    std::vector<module> modules;           // of `after`, then those only `before` had; the rows' frames index into it
    double seconds{};                      // between the snapshots; 0 = unknown (other session without wall clock)
    std::vector<std::string> warnings;     // other host, build, session or interval; a focus that matched nothing
    delta_row total;                       // all rows, before filtering
    std::vector<delta_row> rows;           // in the order of `ranking`: growth first, what shrank last
    std::string ranking;                   // "weighted", "bytes", "steady", or "own": a function of the caller's
    std::uint64_t long_lived_ns{};         // the age that rank.long_lived asks for; 0 = unknown, and so are the shares
    std::uint64_t hidden_rows{};           // below the threshold, unchanged, out of focus or beyond `top`
    std::array<std::uint64_t, 4> rungs{};  // by site: how many rows each match_rung holds, hidden ones included
    std::vector<move_proposal> moves;      // by site, other builds: likeliest first, each row in at most one
};

// "site", "type" ... as parse_dimension() reads them; "new", "gone", "grew", "shrank", "same"; "none", "exact", "frames",
// "function".
[[nodiscard]] MEMWATCH_API const char* to_string(dimension by) noexcept;
[[nodiscard]] MEMWATCH_API const char* to_string(change what) noexcept;
[[nodiscard]] MEMWATCH_API const char* to_string(match_rung rung) noexcept;

// Errors: invalid_argument.
[[nodiscard]] MEMWATCH_API result<dimension> parse_dimension(std::string_view text);

}  // namespace v1
}  // namespace memwatch
