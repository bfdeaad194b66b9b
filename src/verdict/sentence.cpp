// SPDX-License-Identifier: Apache-2.0
#include "verdict/sentence.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <unordered_map>
#include <utility>

#include <memwatch/base/units.hpp>
#include <memwatch/model/site_name.hpp>

namespace memwatch {
inline namespace v1 {
namespace {

constexpr double mostly = 0.8;  // a route is named when it has this share of what is kept

std::string number(double value, const char* format = "%.0f") {
    char text[32];
    std::snprintf(text, sizeof text, format, value);
    return text;
}

std::string bytes(double value) { return format_bytes(std::max(0.0, value)); }

std::string times(double count, const std::string& what) { return number(count) + ' ' + what + (count == 1 ? "" : "s"); }

// Of the day, UTC.
std::string clock_time(const snapshot_info& info, std::uint64_t at_ns) {
    const std::uint64_t seconds = (info.started_unix_ns + at_ns) / 1'000'000'000 % 86'400;
    char text[16];
    std::snprintf(text, sizeof text, "%02u:%02u:%02u", static_cast<unsigned>(seconds / 3600),
                  static_cast<unsigned>(seconds / 60 % 60), static_cast<unsigned>(seconds % 60));
    return text;
}

std::string name_of(const verdict& of, const snapshot& in) {
    if (of.subject == verdict_subject::pool) {
        return of.index < in.pools.size() ? "pool " + in.pools[of.index].name : "a pool";
    }
    return of.index < in.sites.size() ? site_name(in, in.sites[of.index]) : "a site";
}

std::string rate(const verdict& of) { return bytes(of.rate_bytes_per_second) + "/s"; }

// "52 MiB at 1.3 MiB/s, 4 epochs".
std::string amounts(const verdict& of) {
    return (of.is_exact ? "" : "about ") + bytes(of.retained_bytes) + " at " + rate(of) + ", " + times(of.looks, "epoch");
}

std::string freed(const verdict& of) {
    if (of.freed_objects < 0.5) { return "nothing freed"; }
    return times(std::round(of.freed_objects), "block") + " freed, none of those kept";
}

std::string share(double value) {
    const double percent = 100 * value;
    return number(percent, percent > 0 && percent < 1 ? "%.2g" : "%.0f") + " %";
}

std::string for_route(const retained_for& whom) {
    return whom.route.empty() || whom.route_share < mostly ? std::string{} : " for route " + whom.route;
}

bool is_of_kept(const verdict& of) { return of.kept_share > 0 && of.follow_up > 0 && of.rate_bytes_per_second > 0; }

std::string leak_sentence(const verdict& of, const snapshot& in, const retained_for& whom) {
    if (!is_of_kept(of) || of.kept_share < 1e-9) {
        return " allocates" + for_route(whom) + " faster than it frees, steadily: " + amounts(of);
    }
    return " has kept " + share(of.kept_share) + " of what it allocated" + for_route(whom) + " since " +
           clock_time(in.info, of.since_ns) + ", " + amounts(of) + ", " + freed(of);
}

std::string pool_leak_sentence(const verdict& of, const snapshot& in) {
    return " gives out objects that do not come back: " + number(of.retained_objects) + " in use, the oldest since " +
           clock_time(in.info, of.since_ns) + ", growing by " + rate(of) + ", " + times(of.looks, "epoch");
}

std::string doubt_sentence(const verdict& of) {
    switch (of.doubt) {
        case verdict_doubt::too_few_samples:
            return " keeps what it allocates so far, but " + number(of.retained_objects) + " settled " +
                   (of.is_exact ? "blocks" : "blocks (estimated)") + " are too few to tell";
        case verdict_doubt::too_short:
            return " was watched for too short a time";
        case verdict_doubt::follow_up_short:
            return " frees blocks at ages that the youngest have not reached yet";
        case verdict_doubt::still_early:
            return " keeps what it gets, and may yet let go of it";
        case verdict_doubt::records_lost:
            return " lost records, so its figures cannot be trusted";
        case verdict_doubt::none:
            break;
    }
    return " cannot be judged";
}

std::string text_of(const verdict& of, const snapshot& in, const retained_for& whom) {
    switch (of.kind) {
        case verdict_class::leak_retained:
        case verdict_class::suspect_growth:
            return leak_sentence(of, in, whom);
        case verdict_class::pool_leak:
            return pool_leak_sentence(of, in);
        case verdict_class::leak_orphan:
            return " left behind " + bytes(of.retained_bytes) + " that nothing points at";
        case verdict_class::leak_cycle:
            return " left behind " + bytes(of.retained_bytes) + " that only its own cycle points at";
        case verdict_class::pool_bloat:
            return " holds far more than was wanted of it lately";
        case verdict_class::cache:
            return " keeps blocks for long and lets go of old ones: a cache";
        case verdict_class::bounded:
            return " frees all it allocates, after a time that is known by now";
        case verdict_class::warmup:
            return " grew and grows less and less: warming up";
        case verdict_class::steady:
            return " holds " + bytes(of.retained_bytes) + " and does not grow";
        case verdict_class::inconclusive:
            return doubt_sentence(of);
    }
    return " cannot be judged";
}

retained_for pool_is_for(const verdict& of, const snapshot& in) {
    retained_for whom;
    if (of.index >= in.pools.size()) { return whom; }
    const pool_totals& pool = in.pools[of.index];
    whom.trace = pool.oldest_trace;
    if (pool.oldest_route != 0 && pool.oldest_route < in.routes.size()) {
        whom.route = in.routes[pool.oldest_route];
        whom.route_share = 1;
    }
    return whom;
}

using route_bytes = std::unordered_map<std::uint32_t, double>;

// The largest, unless that is "no route".
void name_route(retained_for& whom, const route_bytes& by_route, const snapshot& in) {
    const auto most = std::max_element(by_route.begin(), by_route.end(), [](const auto& a, const auto& b) {
        return a.second != b.second ? a.second < b.second : a.first > b.first;
    });
    if (most == by_route.end() || most->first == 0 || most->first >= in.routes.size()) { return; }
    double all = 0;
    for (const auto& [route, bytes] : by_route) { all += bytes; }
    whom.route = in.routes[most->first];
    whom.route_share = all > 0 ? most->second / all : 0;
}

}  // namespace

std::string sentence(const verdict& of, const snapshot& in) { return sentence(of, in, retained_for_whom(of, in)); }

std::string sentence(const verdict& of, const snapshot& in, const retained_for& whom) {
    std::string text = name_of(of, in) + text_of(of, in, whom);
    if (const std::string change = change_of_mind(of); !change.empty()) { text += "; would change my mind: " + change; }
    return text;
}

std::string change_of_mind(const verdict& of) {
    switch (of.kind) {
        case verdict_class::leak_retained:
            if (!is_of_kept(of)) { return "a time in which more is freed than allocated"; }
            return of.freed_objects < 0.5 ? "one eviction" : "one of the old blocks freed";
        case verdict_class::suspect_growth:
            return "old blocks freed, or growth that stops";
        case verdict_class::pool_leak:
            return "the oldest objects coming back";
        case verdict_class::inconclusive:
            if (of.doubt == verdict_doubt::too_few_samples) { return "more samples (a lower interval, or preset investigate)"; }
            return "time";
        default:
            return {};
    }
}

std::vector<retained_for> retained_for_whom(const std::vector<const verdict*>& all, const snapshot& in) {
    constexpr std::size_t nobody = static_cast<std::size_t>(-1);
    std::vector<retained_for> whom(all.size());
    std::vector<std::size_t> place_of(in.sites.size(), nobody);
    bool are_any_asked = false;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (all[i]->subject == verdict_subject::pool) {
            whom[i] = pool_is_for(*all[i], in);
        } else if (all[i]->index < in.sites.size() && level_of(all[i]->kind) != verdict_level::none) {
            place_of[all[i]->index] = i;
            are_any_asked = true;
        }
    }
    if (!are_any_asked) { return whom; }
    std::vector<route_bytes> by_route(all.size());
    for (const live_record& record : in.live) {
        const std::size_t i = record.site < place_of.size() ? place_of[record.site] : nobody;
        if (i == nobody) { continue; }
        sampled_totals weight;
        weight.add(record.size_bytes, record.interval_bytes);
        by_route[i][record.route] += weight.bytes;
        if (record.trace.is_valid()) { whom[i].trace = record.trace; }
    }
    for (std::size_t i = 0; i < all.size(); ++i) { name_route(whom[i], by_route[i], in); }
    return whom;
}

retained_for retained_for_whom(const verdict& of, const snapshot& in) {
    return std::move(retained_for_whom({&of}, in).front());
}

}  // namespace v1
}  // namespace memwatch
