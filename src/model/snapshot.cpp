// SPDX-License-Identifier: Apache-2.0
#include <string>

#include <memwatch/model/snapshot.hpp>

#include "model/verdict_checks.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

// Where a check failed: "sites[12]: its stack is not in the table".
tl::unexpected<error> broken(const char* table, std::size_t row, const char* what) {
    return fail(error_code::unreadable, what, std::string{table} + "[" + std::to_string(row) + "]");
}

bool is_sound(const sampled_totals& totals) noexcept {
    return is_amount(totals.bytes) && is_amount(totals.objects) && is_amount(totals.bytes_variance) &&
           is_amount(totals.objects_variance);
}

bool is_sound(const lifetime_histogram& lifetimes) noexcept {
    for (const double objects : lifetimes.objects) {
        if (!is_amount(objects)) { return false; }
    }
    return is_amount(lifetimes.sum_seconds);
}

result<void> check_info(const snapshot& s) {
    if (s.info.exact_until_ns > s.info.taken_ns) {
        return broken("info", 0, "it was exact for longer than it had been running");
    }
    if (s.info.window_ns > s.info.taken_ns) { return broken("info", 0, "its window is longer than it had been running"); }
    return {};
}

result<void> check_code(const snapshot& s) {
    for (std::size_t i = 0; i < s.frames.size(); ++i) {
        if (s.frames[i].module != no_module && s.frames[i].module >= s.modules.size()) {
            return broken("frames", i, "its module is not in the table");
        }
    }
    for (std::size_t i = 0; i < s.stacks.size(); ++i) {
        for (const auto index : s.stacks[i].frames) {
            if (index >= s.frames.size()) { return broken("stacks", i, "one of its frames is not in the table"); }
        }
    }
    return {};
}

result<void> check_pools(const snapshot& s) {
    for (std::size_t i = 0; i < s.pools.size(); ++i) {
        const pool_totals& pool = s.pools[i];
        if (pool.oldest_frame > s.frames.size()) { return broken("pools", i, "its frame is not in the table"); }
        if (pool.oldest_route != 0 && pool.oldest_route >= s.routes.size()) {
            return broken("pools", i, "its route is not in the table");
        }
    }
    return {};
}

result<void> check_tags(const snapshot& s) {
    for (std::size_t i = 0; i < s.tags.size(); ++i) {
        const auto& tag = s.tags[i];
        if (tag.freed_bytes > tag.allocated_bytes || tag.frees > tag.allocations) {
            return broken("tags", i, "more freed than allocated");
        }
        if (!(tag.weight >= 0 && tag.weight <= 1)) { return broken("tags", i, "its weight is not between 0 and 1"); }
    }
    return {};
}

result<void> check_cohorts(const site& row, std::size_t index) {
    for (std::size_t i = 0; i < row.cohorts.size(); ++i) {
        const auto& cohort = row.cohorts[i];
        if (!is_amount(cohort.born_bytes) || !is_amount(cohort.born_objects)) {
            return broken("sites", index, "a cohort is negative or not a number");
        }
        if (i > 0 && row.cohorts[i - 1].epoch >= cohort.epoch) {
            return broken("sites", index, "its cohorts are out of order");
        }
    }
    return {};
}

result<void> check_sites(const snapshot& s) {
    for (std::size_t i = 0; i < s.sites.size(); ++i) {
        const auto& row = s.sites[i];
        if (row.stack >= s.stacks.size()) { return broken("sites", i, "its stack is not in the table"); }
        if (row.tag >= s.tags.size()) { return broken("sites", i, "its tag is not in the table"); }
        if (!is_sound(row.live) || !is_sound(row.allocated) || !is_sound(row.freed) || !is_sound(row.freed_by_other_thread) ||
            !is_sound(row.lifetimes)) {
            return broken("sites", i, "a total is negative or not a number");
        }
        if (auto checked = check_cohorts(row, i); !checked) { return checked; }
    }
    return {};
}

result<void> check_live(const snapshot& s) {
    std::vector<std::uint64_t> records(s.sites.size());
    for (std::size_t i = 0; i < s.live.size(); ++i) {
        const auto& row = s.live[i];
        if (row.site >= s.sites.size()) { return broken("live", i, "its site is not in the table"); }
        if (row.route >= s.routes.size()) { return broken("live", i, "its route is not in the table"); }
        if (row.thread >= s.threads.size()) { return broken("live", i, "its thread is not in the table"); }
        if (i > 0 && s.live[i - 1].sequence >= row.sequence) { return broken("live", i, "its sequence is out of order"); }
        if (++records[row.site] > s.sites[row.site].live.samples) {
            return broken("live", i, "its site has more records than it counts samples");
        }
    }
    return {};
}

result<void> check_lifecycles(const snapshot& s) {
    for (std::size_t i = 0; i < s.survivals.size(); ++i) {
        const auto& row = s.survivals[i];
        if (row.site >= s.sites.size()) { return broken("survivals", i, "its site is not in the table"); }
        if (i > 0 && s.survivals[i - 1].site >= row.site) { return broken("survivals", i, "its site is out of order"); }
        if (!is_sound(row.survived) || !is_sound(row.ended) || !is_sound(row.short_lived) ||
            !is_amount(row.survived_traced_bytes)) {
            return broken("survivals", i, "a total is negative or not a number");
        }
    }
    for (std::size_t i = 0; i < s.hand_offs.size(); ++i) {
        if (!is_sound(s.hand_offs[i].freed)) { return broken("hand_offs", i, "a total is negative or not a number"); }
    }
    return {};
}

result<void> check_examples(const snapshot& s) {
    for (std::size_t i = 0; i < s.examples.size(); ++i) {
        if (s.examples[i].site >= s.sites.size()) { return broken("examples", i, "its site is not in the table"); }
        if (i > 0 && s.examples[i - 1].site >= s.examples[i].site) { return broken("examples", i, "its site is out of order"); }
    }
    return {};
}

result<void> check_verdicts(const snapshot& s) {
    for (std::size_t i = 0; i < s.verdicts.size(); ++i) {
        const verdict& row = s.verdicts[i];
        if (!has_subject(s, row)) { return broken("verdicts", i, "what it is about is not in the table"); }
        if (i > 0 && !is_before(s.verdicts[i - 1], row)) { return broken("verdicts", i, "its subject is out of order"); }
        if (!is_sound(row)) { return broken("verdicts", i, "a word, figure or share of it is none"); }
    }
    return {};
}

}  // namespace

result<void> validate(const snapshot& s) {
    for (const auto check : {check_info, check_code, check_tags, check_pools, check_sites, check_live, check_lifecycles,
                             check_examples, check_verdicts}) {
        if (auto checked = check(s); !checked) { return checked; }
    }
    return {};
}

std::uint64_t bytes_from_allocator(const snapshot& s) noexcept {
    std::uint64_t bytes = 0;
    std::uint64_t counted_twice = 0;
    for (const tag_totals& each : s.tags) { bytes += each.live_bytes(); }
    for (const pool_totals& each : s.pools) {
        if (!each.tag.empty()) { counted_twice += each.in_use * each.object_bytes; }
        if (each.upstream.empty()) { bytes += each.storage_bytes; }
    }
    return bytes > counted_twice ? bytes - counted_twice : 0;
}

sampled_totals live_totals(const snapshot& s) {
    sampled_totals totals;
    if (s.live.empty()) {  // a summary carries no records, but its sites carry their sums
        for (const auto& row : s.sites) { totals.add(row.live); }
        return totals;
    }
    for (const auto& row : s.live) { totals.add(row.size_bytes, row.interval_bytes); }
    return totals;
}

}  // namespace v1
}  // namespace memwatch
