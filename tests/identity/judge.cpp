// SPDX-License-Identifier: Apache-2.0
// Compares what the ladder matched with what is true. Reads lines "BEFORE AFTER MOVED" (two dumps of tests/identity's programs,
// and the sites that must not be matched, "1,2" or "-"), prints a line of JSON each.
//
// The truth travels in sizes: site n allocates blocks of 200000 + 64 n bytes, up to 63 more for what a container adds. The
// ladder doesn't look at sizes (only proposals do, by powers of two), so the sizes of a row's blocks say which sites it really
// holds.

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include <memwatch/diff/diff.hpp>
#include <memwatch/snapshot/codec.hpp>

#include "diff/match.hpp"
#include "symbols/symbolizer.hpp"

using namespace memwatch;

namespace {

constexpr std::uint64_t first_size = 200'000;
constexpr std::uint64_t step = 64;
constexpr std::uint64_t most_sites = 100;

using site_set = std::set<std::uint64_t>;

// Sites that one snapshot cannot tell apart itself, because their stacks are one stack: a call in tail position leaves no
// frame, and what a loop calls through a table is all "operator new, called from render". They count as one, the least of
// them.
class classes {
public:
    void join(std::uint64_t a, std::uint64_t b) {
        a = (*this)[a];
        b = (*this)[b];
        leader_[std::max(a, b)] = std::min(a, b);
    }
    std::uint64_t operator[](std::uint64_t n) const {
        for (auto at = leader_.find(n); at != leader_.end() && at->second != n; at = leader_.find(n)) { n = at->second; }
        return n;
    }

private:
    std::map<std::uint64_t, std::uint64_t> leader_;
};

bool is_of_corpus(const live_record& r) { return r.size_bytes >= first_size && r.size_bytes < first_size + step * most_sites; }
std::uint64_t number_of(const live_record& r) { return (r.size_bytes - first_size) / step; }

// A stack as its source says it.
std::string source_of(const snapshot& s, const site& of) {
    std::string text = of.type;
    for (const auto index : s.stacks[of.stack].frames) {
        for (const auto& line : s.frames[index].lines) { text += "\n" + line.function + ":" + std::to_string(line.line); }
    }
    return text;
}

classes indistinct_sites(const snapshot_pair& sides) {
    classes out;
    for (const auto* side : sides) {
        std::map<std::string, std::uint64_t> first;
        for (const auto& each : side->live) {
            if (!is_of_corpus(each)) { continue; }
            const auto known = first.try_emplace(source_of(*side, side->sites[each.site]), number_of(each)).first;
            out.join(known->second, number_of(each));
        }
    }
    return out;
}

// What the rows hold: by row, the true sites of each side.
using row_sites = std::map<std::uint32_t, std::array<site_set, 2>>;

site_set parse_list(const std::string& text) {
    site_set out;
    std::istringstream in(text);
    for (std::string each; text != "-" && std::getline(in, each, ',');) { out.insert(std::stoull(each)); }
    return out;
}

snapshot load(const std::string& path) {
    auto decoded = read_dump(path);
    if (!decoded) {
        std::fprintf(stderr, "%s: %s\n", path.c_str(), decoded.error().message().c_str());
        std::exit(3);
    }
    symbolize(decoded->value, {});
    return std::move(decoded->value);
}

row_sites sites_of_rows(const snapshot_pair& sides, const site_match& match) {
    row_sites out;
    const auto known = indistinct_sites(sides);
    for (std::size_t side = 0; side < 2; ++side) {
        for (const auto& each : sides[side]->live) {
            if (is_of_corpus(each)) { out[match.row_of[side][each.site]][side].insert(known[number_of(each)]); }
        }
    }
    return out;
}

struct identity_verdict {
    std::size_t sites{};  // that both versions have and that must be matched
    std::size_t moves{};  // that both have and that must be proposed, not matched
    std::array<std::size_t, 4> by_rung{};
    site_set wrong, missed, proposed, wrongly_proposed;
};

identity_verdict judge(const snapshot_pair& sides, const site_set& moved) {
    const auto match = match_sites(sides);
    const auto rows = sites_of_rows(sides, match);
    identity_verdict out;
    std::array<site_set, 2> all;
    for (const auto& [row, held] : rows) {
        for (std::size_t side = 0; side < 2; ++side) { all[side].insert(held[side].begin(), held[side].end()); }
    }
    site_set matched;
    for (const auto& [row, held] : rows) {
        if (held[0].empty() || held[1].empty()) { continue; }
        const bool is_right = held[0] == held[1] && held[0].size() == 1 && moved.count(*held[0].begin()) == 0;
        if (is_right) {
            if (matched.insert(*held[0].begin()).second) { ++out.by_rung[static_cast<std::size_t>(match.rungs[row])]; }
        } else {
            for (const auto& side : held) { out.wrong.insert(side.begin(), side.end()); }
        }
    }
    std::map<std::uint32_t, std::uint32_t> proposals;
    for (const auto& each : match.moves) { proposals[each.gone] = each.appeared; }
    for (const auto& [gone, appeared] : proposals) {
        const auto from = rows.find(gone);
        const auto to = rows.find(appeared);
        if (from == rows.end() || to == rows.end()) { continue; }
        auto& list = from->second[0] == to->second[1] ? out.proposed : out.wrongly_proposed;
        list.insert(from->second[0].begin(), from->second[0].end());
    }
    for (const auto n : all[0]) {
        if (all[1].count(n) == 0) { continue; }
        if (moved.count(n) != 0) {
            ++out.moves;
            if (out.proposed.count(n) == 0 && out.wrong.count(n) == 0) { out.missed.insert(n); }
            continue;
        }
        ++out.sites;
        // A copy of the site that stayed alone, beside others that were matched, is missed as well.
        const bool has_lone_copy = std::any_of(rows.begin(), rows.end(), [&](const auto& row) {
            const auto& [before, after] = row.second;
            return before.empty() != after.empty() && (before.count(n) != 0 || after.count(n) != 0);
        });
        if ((matched.count(n) == 0 || has_lone_copy) && out.wrong.count(n) == 0) { out.missed.insert(n); }
    }
    return out;
}

std::string list(const site_set& sites) {
    std::string text = "[";
    for (const auto n : sites) { text += (text.size() > 1 ? "," : "") + std::to_string(n); }
    return text + "]";
}

}  // namespace

int main() {
    for (std::string before, after, moved; std::cin >> before >> after >> moved;) {
        const snapshot old_one = load(before);
        const snapshot new_one = load(after);
        const identity_verdict v = judge({&old_one, &new_one}, parse_list(moved));
        std::printf(
            "{\"sites\":%zu,\"moves\":%zu,\"exact\":%zu,\"frames\":%zu,\"function\":%zu,\"wrong\":%s,\"missed\":%s,"
            "\"proposed\":%s,\"wrongly_proposed\":%s}\n",
            v.sites, v.moves, v.by_rung[1], v.by_rung[2], v.by_rung[3], list(v.wrong).c_str(), list(v.missed).c_str(),
            list(v.proposed).c_str(), list(v.wrongly_proposed).c_str());
    }
    return 0;
}
