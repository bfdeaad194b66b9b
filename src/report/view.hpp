// SPDX-License-Identifier: Apache-2.0
#pragma once
// One dimension of a snapshot as a table value: what /debug/memtrace/{sites,tags,pools,threads,traces} answers and what
// `memwatch show --by` prints. The table is made once and rendered by render_json (json.hpp) or render_text (text.hpp), so that
// both always say the same thing.
//
// In: a snapshot. Out: a view. Threads: any (pure functions).
// Exact counters are plain integers; everything sampled is an `estimate` and carries its standard error.
// routes, traces, threads and the evidence columns of sites come from the live records: a `session::summary()` has none, so
// take a full snapshot for them.
//
// Column keys (the JSON member names, stable; [] = list, ~ = estimate {"estimate", "standard_error"}, * = default order):
//   sites    site function type tag live_bytes~* live_objects~ samples oldest_age_ns allocated_bytes~ freed_bytes~
//            cross_thread_freed_bytes~ route routes[] trace_ids[] stack[] verdict
//   types    type live_bytes~* live_objects~ samples sites oldest_age_ns
//   tags     tag live_bytes* live_objects allocated_bytes allocations freed_bytes frees
//   pools    pool upstream object_bytes capacity in_use* free high_water acquires hits acquire_failures misuses waiters
//            oldest_checkout_ns oldest_site oldest_trace_id oldest_route idle_bytes storage_bytes tag upstream_kind
//            most_waiters waits wait_ns verdict
//   threads  thread tid alive live_bytes~* live_objects~ samples oldest_age_ns
//   routes   route live_bytes~* live_objects~ samples oldest_age_ns
//   traces   trace_id route live_bytes~* live_objects~ samples oldest_age_ns            trace_id "(none)": blocks without
//   survivors  site function tag depth live_bytes~ oldest_age_ns survived_bytes~* survived_objects~ ended_bytes~
//              short_lived_bytes~ survived_traced_bytes samples
//   hand_offs  from from_tid to to_tid freed_bytes~* freed_objects~ samples

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <memwatch/base/result.hpp>
#include <memwatch/model/fingerprint.hpp>
#include <memwatch/model/snapshot.hpp>

#include "report/context_share.hpp"
#include "report/survivors.hpp"

namespace memwatch {
inline namespace v1 {

enum class view_kind { sites, types, tags, pools, threads, routes, traces, survivors, hand_offs };

[[nodiscard]] const char* to_string(view_kind kind) noexcept;

// "sites" or "site", "tags" or "tag" ... Errors: invalid_argument, naming the choices.
[[nodiscard]] result<view_kind> parse_view_kind(std::string_view text);

struct estimate {
    double value{};
    double standard_error{};
};

// monostate = unknown (JSON null).
using view_cell = std::variant<std::monostate, std::string, std::uint64_t, bool, estimate, std::vector<std::string>>;

enum class view_unit { text, identifier, count, bytes, nanoseconds };

struct view_column {
    const char* key;    // JSON member
    const char* title;  // text header
    view_unit unit;
    bool is_detail{};  // JSON only: too wide for a text table
    bool is_sortable{true};
};

struct view {
    view_kind kind{view_kind::sites};
    snapshot_info info;
    std::vector<view_column> columns;
    std::vector<std::vector<view_cell>> rows;  // rows[i].size() == columns.size()
    std::size_t total_rows{};                  // before top and cursor
    context_share context;                     // of the whole snapshot
    survivor_filter only;                      // of it, what the rows are about
    fingerprint heap;                          // of the whole snapshot; the caller's to fill in, zero = not asked for
    std::string cursor;                        // pass it back for the next rows; empty = these were the last
};

struct view_options {
    std::size_t top{20};  // rows a page; 0 = all
    std::string cursor;   // of the view before, verbatim; empty = from the start
    std::string sort;  // column key to order by, largest (text: alphabetically first) first; empty = the column marked * above
    survivor_filter only{};  // survivors only, in any view; needs live records
};

// Errors: invalid_argument (unknown sort column, malformed cursor; `where` says "sort" or "cursor"). A cursor whose row has
// gone since continues at the same position.
[[nodiscard]] result<view> make_view(const snapshot& whole, view_kind kind, const view_options& options = {});

}  // namespace v1
}  // namespace memwatch
