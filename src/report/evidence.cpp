// SPDX-License-Identifier: Apache-2.0
#include "report/evidence.hpp"

#include <algorithm>
#include <limits>

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::size_t kept_traces = 3;

struct weighted_trace {
    double bytes;
    trace_id trace;
};

void add_route(site_evidence& evidence, std::uint32_t route, double bytes) {
    const auto known =
        std::find_if(evidence.routes.begin(), evidence.routes.end(), [&](const auto& r) { return r.first == route; });
    if (known != evidence.routes.end()) {
        known->second += bytes;
    } else {
        evidence.routes.emplace_back(route, bytes);  // a site serves a handful of routes: linear is fine
    }
}

// Keeps the largest few, so that memory stays bounded whatever the number of blocks.
void add_trace(std::vector<weighted_trace>& kept, trace_id trace, double bytes) {
    if (!trace.is_valid()) { return; }
    for (weighted_trace& k : kept) {
        if (k.trace == trace) {
            k.bytes += bytes;
            return;
        }
    }
    if (kept.size() < kept_traces) {
        kept.push_back({bytes, trace});
        return;
    }
    const auto least =
        std::min_element(kept.begin(), kept.end(), [](const auto& a, const auto& b) { return a.bytes < b.bytes; });
    if (bytes > least->bytes) { *least = {bytes, trace}; }
}

}  // namespace

double weighted_bytes(const live_record& r) noexcept {
    return static_cast<double>(r.size_bytes) / sampling_probability(r.size_bytes, r.interval_bytes);
}

std::uint64_t age_ns(const snapshot& s, const live_record& r) noexcept {
    return r.birth_ns != 0 && s.info.taken_ns > r.birth_ns ? s.info.taken_ns - r.birth_ns : 0;
}

std::vector<std::uint64_t> oldest_ages(const snapshot& s) {
    std::vector<std::uint64_t> ages(s.sites.size());
    for (const live_record& r : s.live) { ages[r.site] = std::max(ages[r.site], age_ns(s, r)); }
    return ages;
}

std::vector<site_evidence> gather_evidence(const snapshot& s, const std::vector<std::uint32_t>& sites,
                                           const std::vector<birth_range>& births) {
    constexpr std::uint32_t not_asked = std::numeric_limits<std::uint32_t>::max();
    std::vector<std::uint32_t> slot_of(s.sites.size(), not_asked);
    for (std::size_t i = 0; i < sites.size(); ++i) { slot_of[sites[i]] = static_cast<std::uint32_t>(i); }

    std::vector<site_evidence> evidence(sites.size());
    std::vector<std::vector<weighted_trace>> traces(sites.size());
    for (const live_record& r : s.live) {
        const std::uint32_t slot = slot_of[r.site];
        if (slot == not_asked) { continue; }
        if (!births.empty() && (r.birth_ns < births[slot].from_ns || r.birth_ns > births[slot].until_ns)) { continue; }
        const double bytes = weighted_bytes(r);
        add_route(evidence[slot], r.route, bytes);
        add_trace(traces[slot], r.trace, bytes);
    }
    for (std::size_t i = 0; i < evidence.size(); ++i) {
        std::stable_sort(evidence[i].routes.begin(), evidence[i].routes.end(),
                         [](const auto& a, const auto& b) { return a.second > b.second; });
        std::stable_sort(traces[i].begin(), traces[i].end(), [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
        for (const weighted_trace& t : traces[i]) { evidence[i].traces.push_back(t.trace); }
    }
    return evidence;
}

}  // namespace v1
}  // namespace memwatch
