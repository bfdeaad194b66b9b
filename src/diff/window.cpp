// SPDX-License-Identifier: Apache-2.0
#include <memwatch/diff/window.hpp>

#include <algorithm>
#include <string>
#include <unordered_map>
#include <utility>

#include "diff/match.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

// `from` less `start`, never below nothing; what was taken off leaves `start`, because rows of one identity share it.
template <class Number>
void take(Number& from, Number& start) {
    const Number common = std::min(from, start);
    from -= common;
    start -= common;
}

void take(sampled_totals& from, sampled_totals& start) {
    take(from.bytes, start.bytes);
    take(from.objects, start.objects);
    take(from.bytes_variance, start.bytes_variance);
    take(from.objects_variance, start.objects_variance);
    take(from.samples, start.samples);
}

void take(lifetime_histogram& from, lifetime_histogram& start) {
    for (std::size_t i = 0; i < lifetime_bucket_count; ++i) { take(from.objects[i], start.objects[i]); }
    take(from.sum_seconds, start.sum_seconds);
}

void add(site& to, const site& other) {
    to.allocated.add(other.allocated);
    to.freed.add(other.freed);
    to.freed_by_other_thread.add(other.freed_by_other_thread);
    for (std::size_t i = 0; i < lifetime_bucket_count; ++i) { to.lifetimes.objects[i] += other.lifetimes.objects[i]; }
    to.lifetimes.sum_seconds += other.lifetimes.sum_seconds;
}

void subtract_sites(const snapshot& start, snapshot& end) {
    const site_match match = match_sites({&start, &end});
    std::vector<site> before(match.rows.size());
    for (std::size_t i = 0; i < start.sites.size(); ++i) { add(before[match.row_of[before_side][i]], start.sites[i]); }
    for (std::size_t i = 0; i < end.sites.size(); ++i) {
        site& now = end.sites[i];
        site& then = before[match.row_of[after_side][i]];
        take(now.allocated, then.allocated);
        take(now.freed, then.freed);
        take(now.freed_by_other_thread, then.freed_by_other_thread);
        take(now.lifetimes, then.lifetimes);
        now.live = {};
    }
}

// Only cohorts that began in the window: of an older one nobody knows how much was born before.
void cut_cohorts(snapshot& end, std::uint64_t start_ns) {
    const auto is_older = [&](const cohort& c) { return c.is_merged || c.epoch * end.info.epoch_ns < start_ns; };
    for (site& each : end.sites) {
        each.cohorts.erase(std::remove_if(each.cohorts.begin(), each.cohorts.end(), is_older), each.cohorts.end());
    }
}

void keep_born_since(snapshot& end, std::uint64_t start_ns) {
    end.live.erase(
        std::remove_if(end.live.begin(), end.live.end(), [&](const live_record& r) { return r.birth_ns <= start_ns; }),
        end.live.end());
    for (const live_record& each : end.live) { end.sites[each.site].live.add(each.size_bytes, each.interval_bytes); }
}

constexpr std::uint32_t nowhere = 0xFFFF'FFFF;

// What was said of a site goes with it, or follows it to its new place.
void move_verdicts(snapshot& end, const std::vector<std::uint32_t>& place) {
    const auto is_of_site = [](const verdict& v) { return v.subject == verdict_subject::site; };
    const auto is_gone = [&](const verdict& v) { return is_of_site(v) && place[v.index] == nowhere; };
    end.verdicts.erase(std::remove_if(end.verdicts.begin(), end.verdicts.end(), is_gone), end.verdicts.end());
    for (verdict& each : end.verdicts) {
        if (is_of_site(each)) { each.index = place[each.index]; }
    }
}

// Rows in which nothing happened go; records and verdicts follow their site to its new place.
void drop_idle_sites(snapshot& end) {
    std::vector<std::uint32_t> place(end.sites.size(), nowhere);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < end.sites.size(); ++i) {
        site& each = end.sites[i];
        if (each.allocated.samples + each.freed.samples + each.live.samples == 0) { continue; }
        place[i] = static_cast<std::uint32_t>(kept);
        if (kept != i) { end.sites[kept] = std::move(each); }
        ++kept;
    }
    end.sites.resize(kept);
    for (live_record& each : end.live) { each.site = place[each.site]; }
    move_verdicts(end, place);
}

// Rows of one name share what that name had at the start: names need not be unique.
template <class Row, class Take>
void subtract_named(const std::vector<Row>& start, std::vector<Row>& end, Take take_row) {
    std::unordered_map<std::string, std::vector<Row>> before;
    for (auto at = start.rbegin(); at != start.rend(); ++at) { before[at->name].push_back(*at); }
    for (Row& each : end) {
        std::vector<Row>& then = before[each.name];
        if (then.empty()) { continue; }  // new since
        take_row(each, then.back());
        then.pop_back();
    }
}

void take_tag(tag_totals& now, tag_totals& then) {
    take(now.allocated_bytes, then.allocated_bytes);
    take(now.allocations, then.allocations);
    take(now.freed_bytes, then.freed_bytes);
    take(now.frees, then.frees);
    now.freed_bytes = std::min(now.freed_bytes, now.allocated_bytes);
    now.frees = std::min(now.frees, now.allocations);
}

void take_pool(pool_totals& now, pool_totals& then) {
    take(now.acquires, then.acquires);
    take(now.hits, then.hits);
    take(now.acquire_failures, then.acquire_failures);
    take(now.misuses, then.misuses);
    take(now.waits, then.waits);
    take(now.wait_ns, then.wait_ns);
}

void take_value(named_value& now, named_value& then) { take(now.value, then.value); }

}  // namespace

result<snapshot> window_between(const snapshot& start, snapshot end) {
    for (const snapshot* side : {&start, static_cast<const snapshot*>(&end)}) {
        if (auto checked = validate(*side); !checked) {
            return fail(error_code::invalid_argument, checked.error().what, checked.error().where);
        }
    }
    if (!is_same_session(start, end)) {
        return fail(error_code::unavailable, "the session ended, or the process was another one, before the window did");
    }
    if (end.info.taken_ns < start.info.taken_ns) {
        return fail(error_code::invalid_argument, "the window ends before it starts");
    }
    const std::uint64_t start_ns = start.info.taken_ns;
    subtract_sites(start, end);
    cut_cohorts(end, start_ns);
    keep_born_since(end, start_ns);
    drop_idle_sites(end);
    subtract_named(start.tags, end.tags, take_tag);
    subtract_named(start.pools, end.pools, take_pool);
    subtract_named(start.drops, end.drops, take_value);
    subtract_named(start.degradations, end.degradations, take_value);
    end.survivals.clear();
    end.hand_offs.clear();
    end.activity.clear();
    end.examples.clear();
    end.lifetime_examples.clear();
    end.info.window_ns = end.info.taken_ns - start_ns;
    return end;
}

result<snapshot> born_since(snapshot s, std::uint64_t since_ns) {
    if (auto checked = validate(s); !checked) {
        return fail(error_code::invalid_argument, checked.error().what, checked.error().where);
    }
    if (since_ns == 0 || since_ns > s.info.taken_ns) {
        return fail(error_code::invalid_argument,
                    since_ns == 0 ? "no baseline was marked" : "the mark is younger than the snapshot");
    }
    std::uint64_t live_samples = 0;
    for (site& each : s.sites) { live_samples += each.live.samples; }
    if (s.live.empty() && live_samples != 0) {
        return fail(error_code::invalid_argument, "a summary does not know when its blocks were born");
    }
    for (site& each : s.sites) {
        each.live = each.freed = each.freed_by_other_thread = {};
        each.lifetimes = {};
    }
    cut_cohorts(s, since_ns);
    keep_born_since(s, since_ns);
    for (site& each : s.sites) { each.allocated = each.live; }
    drop_idle_sites(s);
    s.survivals.clear();
    s.hand_offs.clear();
    s.activity.clear();
    s.info.window_ns = s.info.taken_ns - since_ns;
    return s;
}

}  // namespace v1
}  // namespace memwatch
