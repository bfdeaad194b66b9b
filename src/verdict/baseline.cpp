// SPDX-License-Identifier: Apache-2.0
#include "verdict/baseline.hpp"

#include <algorithm>
#include <vector>

#include <memwatch/model/site_name.hpp>

namespace memwatch {
inline namespace v1 {
namespace {

// Type, tag and the user's own functions; empty when none of them has a name.
std::string name_across_builds(const snapshot& s, const site& of) {
    std::string functions;
    for (const std::uint32_t index : s.stacks[of.stack].frames) {
        for (const source_line& line : s.frames[index].lines) {
            if (line.function.empty() || is_plumbing(line.function)) { continue; }
            functions += '\n' + bare_function_name(line.function);
        }
    }
    if (functions.empty()) { return {}; }
    return of.type + '\n' + (of.tag < s.tags.size() ? s.tags[of.tag].name : std::string()) + functions;
}

// What each site held.
std::vector<expectation> held(const snapshot& s) {
    std::vector<expectation> out(s.sites.size());
    for (std::size_t i = 0; i < out.size(); ++i) {
        out[i].live_bytes = s.sites[i].live.bytes;
        out[i].run_s = static_cast<double>(s.info.taken_ns) / 1e9;
    }
    for (const live_record& record : s.live) {
        const bool has_age = record.birth_ns != 0 && record.birth_ns < s.info.taken_ns;
        const double age_s = has_age ? static_cast<double>(s.info.taken_ns - record.birth_ns) / 1e9 : 0;
        out[record.site].oldest_age_s = std::max(out[record.site].oldest_age_s, age_s);
    }
    return out;
}

std::vector<bool> accused(const snapshot& s) {
    std::vector<bool> out(s.sites.size());
    for (const verdict& each : s.verdicts) {
        const bool is_site = each.subject == verdict_subject::site && each.index < out.size();
        if (is_site && level_of(each.kind) != verdict_level::none) { out[each.index] = true; }
    }
    return out;
}

void add(std::unordered_map<std::string, expectation>& to, const std::string& key, const expectation& more) {
    expectation& sum = to[key];
    sum.live_bytes += more.live_bytes;
    sum.oldest_age_s = std::max(sum.oldest_age_s, more.oldest_age_s);
    sum.run_s = more.run_s;
}

// An expectation of several sites together, cut to the share that this one holds now: they are as expected together or not at
// all.
expectation share_of(const expectation& together, double own_bytes, double all_bytes) {
    expectation own = together;
    if (all_bytes > 0) { own.live_bytes *= own_bytes / all_bytes; }
    return own;
}

}  // namespace

std::unordered_map<std::string, expectation> expectations_of(const snapshot& baseline, const snapshot& now) {
    std::unordered_map<std::string, expectation> by_key, by_name;
    const std::vector<expectation> before = held(baseline);
    const std::vector<bool> is_accused = accused(baseline);
    for (std::size_t i = 0; i < before.size(); ++i) {
        if (is_accused[i]) { continue; }
        add(by_key, site_key(baseline, baseline.sites[i]), before[i]);
        if (const std::string name = name_across_builds(baseline, baseline.sites[i]); !name.empty()) {
            add(by_name, name, before[i]);
        }
    }
    std::unordered_map<std::string, double> now_by_name;
    for (const site& each : now.sites) { now_by_name[name_across_builds(now, each)] += each.live.bytes; }

    std::unordered_map<std::string, expectation> expected;
    for (const site& each : now.sites) {
        const std::string key = site_key(now, each);
        const std::string name = name_across_builds(now, each);
        if (const auto same = by_key.find(key); same != by_key.end()) {
            expected[key] = same->second;
        } else if (const auto alike = by_name.find(name); alike != by_name.end() && !name.empty()) {
            expected[key] = share_of(alike->second, each.live.bytes, now_by_name[name]);
        }
    }
    return expected;
}

}  // namespace v1
}  // namespace memwatch
