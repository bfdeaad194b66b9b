// SPDX-License-Identifier: Apache-2.0
#pragma once
// A delta judged by a policy. Growth breaches a limit when the estimate is above it and at least two standard errors of
// sampling away from nothing: what sampling alone could have made up fails nobody's build, and is said.
//
// One place is one site, however many callers reach it: what all of them gained and lost there is held against the limit, too,
// so that a leak that is spread over twenty routes does not pass because each of them is small and a cache shrank elsewhere.
//
// Laws (tests/unit/gate): a judgement is monotone in the limits; suppressed and insignificant growth never breaches; site
// growth, the site budgets, `tagged_bytes` and `suppressed_bytes` add up to the delta's total.
//
// In: the sites of a delta, all of them, and its tags. Out: plain values with indices into the deltas' rows. Threads: any.

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <memwatch/model/delta.hpp>

#include "gate/policy.hpp"

namespace memwatch::inline v1::gate {

enum class rule_kind { site, site_budget, tag_budget, total };

// "passed", "within sampling error" (over the limit, but it may be noise), "failed".
enum class outcome { passed, within_error, breached };

inline constexpr std::size_t no_row = std::numeric_limits<std::size_t>::max();

// One thing a rule looked at: a site, a tag, the total.
struct judged_item {
    std::size_t row{no_row};         // in the sites' or tags' rows; no_row = the total
    std::size_t moved_from{no_row};  // a site that may be this one in the base; its shrinkage counts here only if accepted
    double bytes{};                  // growth that counts: without what is suppressed
    double standard_error{};
    outcome what{outcome::passed};
    std::size_t paths{1};  // above 1: so many sites that end in the place of `row`, judged as one
};

struct judged_rule {
    rule_kind kind{};
    std::string name;    // "site growth", "total growth", "tag order-cache", "sites orders::warm_up*"; hostile as any name
    std::string reason;  // the policy's
    double limit_bytes{};
    std::vector<judged_item> items;  // over the limit, largest first; else the largest one, if there is any
    std::size_t looked_at{};         // how many items there were
    double bytes{};                  // sum over all of them
    outcome what{outcome::passed};
    double seen_from_bytes{};  // growth in small blocks that sampling can tell from nothing; 0 = any

    // Whether growth just above the limit could be seen at all.
    [[nodiscard]] bool has_power() const noexcept { return limit_bytes >= seen_from_bytes; }
};

struct suppressed_site {
    std::size_t row{};
    std::size_t suppression{};  // in policy.suppressions
};

struct judgement {
    std::vector<judged_rule> rules;           // site growth, total growth, then the policy's budgets in its order
    std::vector<suppressed_site> suppressed;  // largest growth first
    double suppressed_bytes{};
    double tagged_bytes{};  // of the sites that are judged by their tag's budget, as the sites' estimates have it
    std::vector<std::size_t> unused_suppressions;  // in policy.suppressions: matched nothing
    double interval_bytes{};                       // the coarser sampling interval of the two; 0 = every block

    [[nodiscard]] bool is_breached() const noexcept;
    // How many of the rules have that outcome.
    [[nodiscard]] std::size_t count(outcome what) const noexcept;
};

// `sites` and `tags` are diff(base, head) by site and by tag, without threshold, focus or top.
[[nodiscard]] judgement judge(const policy& p, const delta& sites, const delta& tags);

[[nodiscard]] const char* to_string(rule_kind kind) noexcept;
[[nodiscard]] const char* to_string(outcome what) noexcept;

}  // namespace memwatch::inline v1::gate
