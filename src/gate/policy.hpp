// SPDX-License-Identifier: Apache-2.0
#pragma once
// How much a program may grow between two snapshots, and what nobody wants to hear about. Each site is judged by exactly one
// budget, the first that fits:
//
//   suppressed   no budget: shown as suppressed, counted nowhere
//   sites        the first entry whose pattern matches: a limit for each such site
//   tags         the first entry whose pattern matches its tag: a limit for each such tag, by its exact counter where it has
//   one the rest     `site_limit_bytes` for each site, and `total_limit_bytes` for all of the rest together
//
// So a cache that has a budget of its own does not use up the total.

#include <string>
#include <string_view>
#include <vector>

#include <memwatch/base/result.hpp>

#include "diff/focus.hpp"
#include "gate/suppression.hpp"

namespace memwatch::inline v1::gate {

inline constexpr double default_limit_bytes = 128.0 * 1024;

// A limit for what a pattern matches; patterns are those of --focus.
struct budget {
    std::string pattern;
    focus match;
    double limit_bytes{};
    std::string reason;  // why it may grow; shown, never read
};

struct policy {
    double site_limit_bytes{default_limit_bytes};
    double total_limit_bytes{default_limit_bytes};
    std::vector<budget> sites;
    std::vector<budget> tags;
    std::vector<suppression> suppressions;
    std::vector<std::string> suppression_files;  // named by the policy file, relative to it; not read here
    bool accepts_moves{};                        // a site and its proposed successor (delta.moves) are judged as one
};

// "PATTERN" and "10MiB" as a budget. Errors: invalid_argument; `where` is the expression or the size.
[[nodiscard]] result<budget> make_budget(const std::string& pattern, std::string_view size, std::string reason = {});

// A tag's budget: PATTERN matches the whole name of the tag, unless it is a regular expression.
[[nodiscard]] result<budget> make_tag_budget(const std::string& pattern, std::string_view size, std::string reason = {});

// The policy of a YAML text over `start` (keys that are absent stay as they are):
//
//   max_growth: 128KiB          # of each site
//   max_total: 1MiB             # of all sites without a budget of their own
//   tags:
//     order-cache: 10MiB
//     "img-*": {max_growth: 2MiB, reason: thumbnails}
//   sites:
//     - {match: "orders::warm_up*", max_growth: 4MiB, reason: filled once}
//   suppressions: ["leak:libfontconfig"]
//   suppression_files: [lsan.supp]
//   accept_moves: false
//
// A key it does not know is an error: a misspelt budget is no budget. Hostile text is refused: at most 256 KiB, yaml-cpp bounds
// the nesting. Errors: unreadable, limit; `where` is "FILE:LINE".
[[nodiscard]] result<policy> read_policy(std::string_view text, const std::string& where, policy start = {});

}  // namespace memwatch::inline v1::gate
