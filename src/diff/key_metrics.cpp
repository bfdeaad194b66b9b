// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>

#include <memwatch/diff/key_metrics.hpp>

#include "diff/match.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

double share_of(double part, double whole) { return whole > 0 ? part / whole : unknown; }

// Sites know their sums also in a summary, and when records were lost.
sampled_totals sum_over_sites(const snapshot& s, sampled_totals site::*totals) {
    sampled_totals sum;
    for (const site& each : s.sites) { sum.add(each.*totals); }
    return sum;
}

double live_bytes(const snapshot& s) { return sum_over_sites(s, &site::live).bytes; }

double resident_bytes(const snapshot& s) {
    return s.info.resident_bytes == 0 ? unknown : static_cast<double>(s.info.resident_bytes);
}

double bytes_per_thread(const snapshot& s) {
    const auto alive = std::count_if(s.threads.begin(), s.threads.end(), [](const thread_info& t) { return t.is_alive; });
    return share_of(live_bytes(s), static_cast<double>(alive));
}

double pool_hit_rate(const snapshot& s) {
    double hits = 0;
    double acquires = 0;
    for (const pool_totals& each : s.pools) {
        hits += static_cast<double>(std::min(each.hits, each.acquires));
        acquires += static_cast<double>(each.acquires);
    }
    return share_of(hits, acquires);
}

double stack_depth(const snapshot& s) {
    double frames = 0;
    double bytes = 0;
    for (const site& each : s.sites) {
        const double depth = static_cast<double>(s.stacks[each.stack].frames.size());
        if (depth == 0) { continue; }
        frames += depth * each.live.bytes;
        bytes += each.live.bytes;
    }
    return share_of(frames, bytes);
}

double cross_thread_share(const snapshot& s) {
    return share_of(sum_over_sites(s, &site::freed_by_other_thread).bytes, sum_over_sites(s, &site::freed).bytes);
}

double fragmentation(const snapshot&) { return unknown; }

// An interval of 0 is "every block" only where memwatch says so: other tools' dumps have none.
double interval_bytes(const snapshot& s) {
    const bool is_stated = s.info.interval_bytes != 0 || !s.info.sampler.empty();
    return is_stated ? static_cast<double>(s.info.sampler == "full" ? 0 : s.info.interval_bytes) : unknown;
}

double relative_error(const snapshot& s) {
    const sampled_totals live = sum_over_sites(s, &site::live);
    return share_of(live.bytes_standard_error(), live.bytes);
}

double untraced_share(const snapshot& s) {
    sampled_totals untraced;
    sampled_totals all;
    for (const live_record& each : s.live) {
        sampled_totals one;
        one.add(each.size_bytes, each.interval_bytes);
        all.add(one);
        if (!each.trace.is_valid()) { untraced.add(one); }
    }
    return share_of(untraced.bytes, all.bytes);
}

double dropped_records(const snapshot& s) {
    double sum = 0;
    for (const named_value& each : s.drops) { sum += static_cast<double>(each.value); }
    return s.drops.empty() ? unknown : sum;
}

double allocated_bytes(const snapshot& s) { return sum_over_sites(s, &site::allocated).bytes; }

// What the counters of a snapshot were counted over.
double counted_seconds(const snapshot& s) {
    const std::uint64_t began_ns = s.info.first_epoch * s.info.epoch_ns;
    const std::uint64_t counted_ns = s.info.window_ns != 0        ? s.info.window_ns
                                     : s.info.taken_ns > began_ns ? s.info.taken_ns - began_ns
                                                                  : 0;
    return static_cast<double>(counted_ns) / 1e9;
}

// `before` may be null. A dump of a window counts nothing else, so there is nothing to take off.
double allocation_rate(const snapshot& s, const snapshot* before) {
    const double allocated = allocated_bytes(s);
    if (allocated <= 0) { return unknown; }
    const bool is_continued = before != nullptr && is_same_session(*before, s) && s.info.window_ns == 0 &&
                              before->info.window_ns == 0 && s.info.taken_ns > before->info.taken_ns;
    if (!is_continued) { return share_of(allocated, counted_seconds(s)); }
    const double seconds = static_cast<double>(s.info.taken_ns - before->info.taken_ns) / 1e9;
    return share_of(std::max(0.0, allocated - allocated_bytes(*before)), seconds);
}

struct metric_source {
    const char* name;
    const char* unit;
    double (*value)(const snapshot& s);
};

constexpr metric_source sources[] = {{"live_bytes", "bytes", &live_bytes},
                                     {"resident_bytes", "bytes", &resident_bytes},
                                     {"bytes_per_thread", "bytes", &bytes_per_thread},
                                     {"pool_hit_rate", "ratio", &pool_hit_rate},
                                     {"leak_stack_depth", "frames", &stack_depth},
                                     {"allocation_rate", "bytes/s", nullptr},  // needs the snapshot before
                                     {"cross_thread_share", "ratio", &cross_thread_share},
                                     {"fragmentation", "ratio", &fragmentation},
                                     {"interval_bytes", "bytes", &interval_bytes},
                                     {"relative_error", "ratio", &relative_error},
                                     {"untraced_share", "ratio", &untraced_share},
                                     {"dropped_records", "records", &dropped_records}};

}  // namespace

std::vector<key_metric> key_metrics(const std::vector<const snapshot*>& of) {
    std::vector<key_metric> out;
    for (const metric_source& source : sources) {
        key_metric row{source.name, source.unit, {}};
        for (std::size_t i = 0; i < of.size(); ++i) {
            row.values.push_back(source.value != nullptr ? source.value(*of[i])
                                                         : allocation_rate(*of[i], i == 0 ? nullptr : of[i - 1]));
        }
        out.push_back(std::move(row));
    }
    return out;
}

}  // namespace v1
}  // namespace memwatch
