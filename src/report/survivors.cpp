// SPDX-License-Identifier: Apache-2.0
#include "report/survivors.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <memwatch/base/units.hpp>

namespace memwatch {
inline namespace v1 {
namespace {

// Epochs are counted by the clock of the process: which one a moment is in follows from its time alone.
std::uint64_t epochs_between(const snapshot_info& info, std::uint64_t birth_ns) noexcept {
    if (info.epoch_ns == 0 || birth_ns == 0 || birth_ns > info.taken_ns) { return 0; }
    return info.taken_ns / info.epoch_ns - birth_ns / info.epoch_ns;
}

// Everything seen there, its name apart: tables leave such a site out.
void empty(site& where) {
    where.live = where.allocated = where.freed = where.freed_by_other_thread = {};
    where.cohorts.clear();
    where.lifetimes = {};
}

// One row a site that is left. Telemetry may be behind, or was lost: what is alive after two epochs did survive.
void follow_sites(snapshot& s, bool are_survivors) {
    std::vector<bool> has_row(s.sites.size());
    std::vector<survival> rows;
    for (survival& row : s.survivals) {
        const sampled_totals& live = s.sites[row.site].live;
        if (live.samples == 0) { continue; }
        has_row[row.site] = true;
        if (are_survivors && row.survived.samples == 0) { row.survived = live; }
        rows.push_back(row);
    }
    for (std::uint32_t i = 0; are_survivors && i < s.sites.size(); ++i) {
        if (s.sites[i].live.samples == 0 || has_row[i]) { continue; }
        rows.push_back({});
        rows.back().site = i;
        rows.back().survived = s.sites[i].live;
    }
    std::sort(rows.begin(), rows.end(), [](const survival& a, const survival& b) { return a.site < b.site; });
    s.survivals = std::move(rows);
}

}  // namespace

void keep_survivors(snapshot& s, const survivor_filter& wanted) {
    if (!wanted.is_set()) { return; }
    const auto is_deep = [&](const live_record& r) {
        return s.stacks[s.sites[r.site].stack].frames.size() >= wanted.min_depth;
    };
    const auto is_left_out = [&](const live_record& r) {
        return epochs_between(s.info, r.birth_ns) < wanted.epochs || !is_deep(r);
    };
    s.live.erase(std::remove_if(s.live.begin(), s.live.end(), is_left_out), s.live.end());
    std::vector<sampled_totals> live(s.sites.size());
    for (const live_record& r : s.live) { live[r.site].add(r.size_bytes, r.interval_bytes); }
    for (std::size_t i = 0; i < s.sites.size(); ++i) {
        if (live[i].samples == 0) { empty(s.sites[i]); }
        s.sites[i].live = live[i];
    }
    follow_sites(s, wanted.epochs >= 2);
}

std::string to_words(const survivor_filter& filter, const snapshot_info& info) {
    if (!filter.is_set()) { return {}; }
    std::string words = "only blocks";
    if (filter.epochs != 0) {
        words +=
            fmt::format(" alive for {} epochs ({}) or more", filter.epochs, format_duration(filter.epochs * info.epoch_ns));
    }
    if (filter.min_depth != 0) {
        words += fmt::format("{} from stacks of {} frames or more", filter.epochs != 0 ? "," : "", filter.min_depth);
    }
    return words;
}

}  // namespace v1
}  // namespace memwatch
