// SPDX-License-Identifier: Apache-2.0
#pragma once
// The attribution report as a value: snapshots in, findings out. A finding is one leak as a person would tell it: what keeps
// memory, where, since when, how fast, how sure, for whom, what probably fixes it and how a test would catch it.
//
//   snapshots: before, (during ...), after
//     -> diff(before, after) -> clusters          one leak, one finding: rows that share the allocating end of their stacks
//     -> facts (facts.hpp)                        what is known of each, from records, cohorts, threads, pools
//     -> rules (rules.hpp)                        likely fix, alternatives, what to measure next
//     -> attribution                              rendered by report/ as Markdown, JSON, HTML and test templates
//
// In: two or more validated snapshots, oldest first, symbolized or not. Out: a plain value; names in it are as the program
// wrote them. Threads: any. Errors: invalid_argument (fewer than two, a bad focus, an invalid snapshot). Nothing here judges:
// it says what grew and how sure that is, and quotes what the process itself thought of the place, where AFTER says it.
//
// Times are nanoseconds on AFTER's timeline (snapshot_info.taken_ns).

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <memwatch/base/result.hpp>
#include <memwatch/diff/key_metrics.hpp>
#include <memwatch/diff/ranking.hpp>
#include <memwatch/model/delta.hpp>
#include <memwatch/model/snapshot.hpp>

#include "attribution/facts.hpp"
#include "attribution/onset.hpp"
#include "attribution/rules.hpp"

namespace memwatch::inline v1 {

struct attribution_options {
    double threshold_bytes{128 * 1024};  // less growth is no finding
    std::size_t top{10};                 // findings; 0 = all
    std::string focus;                   // as diff_options.focus
    double limit_bytes{};                // what the process may take; 0 = unknown
    ranking order{ranking::weighted};    // which finding comes first
};

// When a finding began. 0 = unknown, except where a flag says more.
struct since_when {
    onset began;                     // estimated from births
    std::uint64_t first_seen_ns{};   // the site's first allocation, as far as cohorts tell
    bool is_first_seen_late{};       // it may have been earlier: the oldest cohorts were merged
    std::uint64_t oldest_live_ns{};  // birth of the oldest live block
    std::size_t first_snapshot{};    // index of the first input in which it had live bytes
};

// How fast it grows and where that leads. Errors are one standard error, the interval of a day is two on either side.
struct growth_speed {
    double bytes_per_s{};
    double bytes_per_s_error{};
    double bytes_per_day{};
    double bytes_per_day_low{};
    double bytes_per_day_high{};
    std::optional<double> seconds_to_double;      // its own live bytes
    std::optional<double> seconds_to_double_rss;  // when only this grows
    std::optional<double> seconds_to_limit;       // likewise; 0 = reached
};

// How sure.
enum class certainty { exact_counter, every_block, sampled };

struct finding {
    finding_kind kind{finding_kind::site};
    std::string key;       // site key of the leading row, pool name, "process"
    std::string function;  // as a person calls it
    std::string file;      // of the user's innermost line; empty = unknown
    std::uint32_t line{};
    std::string type;
    std::string tag;
    std::string pool;  // the pool this is the storage of, or which it is about

    double bytes{};
    double bytes_error{};
    double objects{};
    double live_bytes{};  // at AFTER
    certainty sure{certainty::sampled};
    double standard_errors{};  // growth over its error; +inf when there is none
    std::uint64_t samples{};
    change what{change::grew};

    since_when since;
    growth_speed speed;
    std::vector<double> course;          // live bytes at each input; NaN = unknown
    std::vector<delta_share> shares;     // routes, traces, threads; largest first in each
    std::vector<hand_off> hand_offs;     // of threads that made it
    std::vector<std::string> trace_ids;  // of the shares, for looking up
    rank_terms rank;
    std::vector<std::size_t> rows;  // of change.rows, the leading one first; none for pools and the process
    std::vector<frame> stack;       // of the leading row; modules are change.modules
    facts known;
    std::vector<hint> hints;        // fixes first; the first fix or wait is the likely one
    std::optional<verdict> judged;  // AFTER's, of its sites the worst, or of the pool; its index is a row of AFTER

    // The first hint that is not about measuring; null = no rule applies.
    [[nodiscard]] const hint* likely_fix() const noexcept;
    // It looks healthy so far: to be looked at again.
    [[nodiscard]] bool is_to_wait_for() const noexcept;
};

struct compared_snapshot {
    snapshot_info info;
    std::string id;           // session and time: "0af7651916cd43dd@220.000s"
    std::string build_id;     // of the executable; empty = unknown
    std::string fingerprint;  // of the heap's shape (model/fingerprint.hpp)
    double live_bytes{};
    double live_error{};
    std::uint64_t sites{};
};

struct attribution {
    attribution_options options;
    std::vector<compared_snapshot> snapshots;  // the inputs, in their order
    std::vector<key_metric> metrics;
    delta change;  // by site, all rows
    std::vector<finding> findings;
    std::size_t more_findings{};  // beyond options.top
    std::size_t to_wait_for{};    // of all of them; these come last
    std::vector<std::string> warnings;
};

// "site", "pool", "process"; "exact_counter", "every_block", "sampled"; "none", "first_block", "change_point".
[[nodiscard]] const char* to_string(finding_kind kind) noexcept;
[[nodiscard]] const char* to_string(certainty sure) noexcept;
[[nodiscard]] const char* to_string(onset_basis basis) noexcept;

[[nodiscard]] result<attribution> attribute(const std::vector<const snapshot*>& inputs,
                                            const attribution_options& options = {});

}  // namespace memwatch::inline v1
