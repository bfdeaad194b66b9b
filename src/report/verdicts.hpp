// SPDX-License-Identifier: Apache-2.0
#pragma once
// What is thought of a process, for people and scripts: its verdicts in the order to read them, what each rests on, whom the
// kept blocks were allocated for. The list is made once and rendered three ways, so that all of them say the same.
//
//   snapshot.verdicts  {leak_retained, site 7, 0.97, ..}, {steady, site 0, ..}, ..
//     -> list_verdicts()   leaks first, then suspects; by severity, then by what they keep; everything else is counted
//     -> text, Markdown, JSON
//
// In: a validated snapshot; without records there are no routes and few trace ids. Out: bytes; names are made safe in text and
// Markdown, and are as the program wrote them in the list and in JSON. Threads: any (pure functions).

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <memwatch/model/snapshot.hpp>
#include <memwatch/model/verdict.hpp>

#include "report/words.hpp"

namespace memwatch {
inline namespace v1 {

struct verdict_choice {
    verdict_level least{verdict_level::suspect};  // rows of that level and above; `none`: all that was judged
    std::optional<verdict_class> only;            // rows of that class, whatever its level
    std::size_t top{20};                          // rows; 0 = all
};

// One verdict with what belongs to it.
struct judged {
    verdict of;
    std::string key;                                     // of a site what machines call it (site_key); of a pool its name
    std::string name;                                    // what a person calls it
    std::string type, tag;                               // empty = unknown
    double live_bytes{};                                 // of a site; of a pool its objects in use
    std::vector<std::pair<std::string, double>> routes;  // of the kept blocks, with their share of them; largest first
    std::vector<trace_id> traces;                        // of the largest of them
    std::vector<frame_words> stack;                      // the user's own frames, innermost first; printable
    std::string sentence;                                // as a colleague would say it
    std::string change_of_mind;                          // what would make it another verdict; empty = nothing to say
};

struct verdict_list {
    snapshot_info info;
    std::string not_sampled;  // that nothing was sampled then, and why; empty = it was
    std::vector<judged> rows;
    std::size_t total_rows{};                                // that were chosen, before top
    std::array<std::size_t, verdict_class_count> classes{};  // of all that was judged
    std::array<std::size_t, verdict_doubt_count> doubts{};   // of the inconclusive ones
    std::array<std::size_t, verdict_level_count> levels{};

    [[nodiscard]] std::size_t judged_count() const noexcept;
    [[nodiscard]] std::size_t count(verdict_level level) const noexcept { return levels[static_cast<std::size_t>(level)]; }
};

[[nodiscard]] verdict_list list_verdicts(const snapshot& s, const verdict_choice& choice = {});

// "1 leak: orders::request_cache::remember, 52.0 MiB at 1.3 MiB/s; 2 suspects". Empty where nothing was judged.
[[nodiscard]] std::string verdict_headline(const snapshot& s);

[[nodiscard]] std::string render_text(const verdict_list& list, bool colour = false);
[[nodiscard]] std::string render_markdown(const verdict_list& list);

// {"kind": "memwatch.verdicts", "version": 1, "snapshot": {info}, "not_sampled"?, "judged", "leaks", "suspects", "classes":
// {class: count},
//  "doubts": {doubt: count}, "total_rows",
//  "rows": [{"subject", "site" | "pool", "name", "type", "tag", "class", "level", "severity", "doubt", "confidence", "exact",
//            "since_ns", "since_unix_ns", "decided_ns", "looks", "generations", "live_bytes", "retained_bytes",
//            "retained_objects", "rate_bytes_per_s", "rate_error_bytes_per_s", "kept_share", "kept_share_low",
//            "kept_share_high", "freed_objects", "follow_up", "bytes_per_trace", "escaped_share", "other_thread_share",
//            "routes": [{"route", "share"}], "trace_ids": [], "stack": [], "features": [{"feature", "value", "contribution"}],
//            "sentence", "change_of_mind"}]}  since_unix_ns is null where it is not known
[[nodiscard]] std::string render_json(const verdict_list& list);

}  // namespace v1
}  // namespace memwatch
