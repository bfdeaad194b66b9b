// SPDX-License-Identifier: Apache-2.0
#include "diff/places.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <numeric>
#include <optional>

namespace memwatch::inline v1 {
namespace {

using lines = std::vector<std::uint32_t>;

constexpr std::size_t most_of_a_callee = 512;

std::int64_t shift_of(const auto& p) { return std::int64_t{p.after} - std::int64_t{p.before}; }

bool contains(const lines& sorted, std::int64_t line) {
    return line >= 0 && line <= 0xFFFF'FFFF &&
           std::binary_search(sorted.begin(), sorted.end(), static_cast<std::uint32_t>(line));
}

// How far the calls above and below `line` moved, when they agree; the function's start is one, and didn't. Behind the last one
// nothing is known. `anchors` are ordered by `before`, the start first.
std::optional<std::int64_t> shift_around(std::uint32_t line, const auto& anchors) {
    const auto above =
        std::lower_bound(anchors.begin(), anchors.end(), line, [](const auto& a, std::uint32_t l) { return a.before < l; });
    if (above == anchors.end() || above == anchors.begin()) { return std::nullopt; }
    return shift_of(*above) == shift_of(*(above - 1)) ? std::optional{shift_of(*above)} : std::nullopt;
}

std::size_t explained_by(std::int64_t shift, const lines& before, const lines& after) {
    return static_cast<std::size_t>(
        std::count_if(before.begin(), before.end(), [&](std::uint32_t l) { return contains(after, std::int64_t{l} + shift); }));
}

// Whether pairing in order leaves every line that stands on both sides where it is, or moves all by the same.
// Unless the calls around say otherwise.
bool is_order_plausible(const lines& before, const lines& after, const auto& anchors) {
    bool is_uniform = true;
    bool keeps_lines = true;
    for (std::size_t i = 0; i < before.size(); ++i) {
        const auto shift = shift_around(before[i], anchors);
        if (shift && before[i] + *shift != after[i]) { return false; }
        is_uniform = is_uniform && after[i] - before[i] == after[0] - before[0];
        keeps_lines = keeps_lines && (before[i] == after[i] || (!contains(after, before[i]) && !contains(before, after[i])));
    }
    return is_uniform || keeps_lines;
}

// The one shift that explains most; no shift at all wins ties, several others lose.
std::optional<std::int64_t> best_shift(const lines& before, const lines& after) {
    const auto unmoved = explained_by(0, before, after);
    std::map<std::int64_t, std::size_t> votes;
    for (const auto b : before) {
        for (const auto a : after) { ++votes[std::int64_t{a} - std::int64_t{b}]; }
    }
    std::size_t most = unmoved;
    std::optional<std::int64_t> best = unmoved != 0 ? std::optional<std::int64_t>{0} : std::nullopt;
    for (const auto& [shift, count] : votes) {
        if (count == most && shift != 0 && best && *best != 0) { best = std::nullopt; }
        if (count > most) {
            most = count;
            best = shift;
        }
    }
    return best;
}

}  // namespace

std::vector<places::pair> places::pairs_of(const lines& before, const lines& after, const std::vector<pair>& anchors) {
    std::vector<pair> pairs;
    std::array<lines, 2> left;
    const auto take = [&](std::uint32_t b, std::uint32_t a) {
        pairs.push_back({b, a});
        std::erase(left[0], b);
        std::erase(left[1], a);
    };
    // A function with thousands of calls of one thing is generated, or its dump is hostile: not worth a square.
    if (before.size() + after.size() > most_of_a_callee) {
        std::set_intersection(before.begin(), before.end(), after.begin(), after.end(), std::back_inserter(left[0]));
        for (const auto line : left[0]) { pairs.push_back({line, line}); }
        return pairs;
    }
    left = {before, after};
    const bool is_in_order = before.size() == after.size() && is_order_plausible(before, after, anchors);
    for (std::size_t i = 0; is_in_order && i < before.size(); ++i) { take(before[i], after[i]); }
    for (const auto line : before) {
        const auto shift = is_in_order ? std::nullopt : shift_around(line, anchors);
        if (shift && contains(left[1], line + *shift)) { take(line, static_cast<std::uint32_t>(line + *shift)); }
    }
    if (left[0].empty() || left[1].empty()) { return pairs; }
    const auto rest = left;
    if (rest[0].size() == rest[1].size() && is_order_plausible(rest[0], rest[1], anchors)) {
        for (std::size_t i = 0; i < rest[0].size(); ++i) { take(rest[0][i], rest[1][i]); }
    } else if (const auto shift = best_shift(rest[0], rest[1])) {
        for (const auto line : rest[0]) {
            if (contains(left[1], line + *shift)) { take(line, static_cast<std::uint32_t>(line + *shift)); }
        }
    }
    return pairs;
}

void places::join(std::uint32_t function, std::uint64_t callee, pair p) {
    const auto index_of = [&](std::size_t side, std::uint32_t line) {
        return std::lower_bound(places_.begin(), places_.end(), place{function, callee, side, line}) - places_.begin();
    };
    numbers_[static_cast<std::size_t>(index_of(1, p.after))] = numbers_[static_cast<std::size_t>(index_of(0, p.before))];
}

void places::align_function(std::size_t from, std::size_t to) {
    struct call {
        std::uint64_t callee;
        std::array<lines, 2> at;
    };
    std::vector<call> calls;
    for (auto i = from; i < to; ++i) {
        const auto& each = places_[i];
        if (calls.empty() || calls.back().callee != each.callee) { calls.push_back({each.callee, {}}); }
        calls.back().at[each.side].push_back(each.line);
    }
    const auto function = places_[from].function;
    std::vector<pair> anchors{{0, 0}};
    for (const auto& each : calls) {
        if (each.at[0].size() != 1 || each.at[1].size() != 1) { continue; }
        const pair p{each.at[0][0], each.at[1][0]};
        join(function, each.callee, p);
        if (p.before != 0 && p.after != 0) { anchors.push_back(p); }
    }
    std::sort(anchors.begin(), anchors.end(), [](const pair& a, const pair& b) { return a.before < b.before; });
    for (const auto& each : calls) {
        if (each.at[0].empty() || each.at[1].empty() || each.at[0].size() + each.at[1].size() == 2) { continue; }
        for (const auto& p : pairs_of(each.at[0], each.at[1], anchors)) { join(function, each.callee, p); }
    }
}

void places::align() {
    std::sort(places_.begin(), places_.end());
    places_.erase(std::unique(places_.begin(), places_.end()), places_.end());
    numbers_.resize(places_.size());
    std::iota(numbers_.begin(), numbers_.end(), 0U);
    for (std::size_t from = 0; from < places_.size();) {
        auto to = from;
        while (to < places_.size() && places_[to].function == places_[from].function) { ++to; }
        align_function(from, to);
        from = to;
    }
}

std::uint32_t places::number_of(const place& p) const {
    return numbers_[static_cast<std::size_t>(std::lower_bound(places_.begin(), places_.end(), p) - places_.begin())];
}

}  // namespace memwatch::inline v1
