// SPDX-License-Identifier: Apache-2.0
#include "diff/moves.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string_view>
#include <tuple>

namespace memwatch::inline v1 {
namespace {

constexpr std::size_t most_of_a_kind = 400;  // a kind with more sites on a side: the largest are looked at, 160,000 pairs
constexpr int least_score = 4;

struct candidate {
    int score;
    const climber* gone;
    const climber* appeared;
    std::string why;
};

std::string_view scope_of(std::string_view name) {
    const auto end = name.rfind("::");
    return end == std::string_view::npos ? std::string_view{} : name.substr(0, end);
}

// Sizes within a factor of two.
bool is_same_size_class(const climber& a, const climber& b) {
    if (a.mean_size_bytes <= 0 || b.mean_size_bytes <= 0) { return false; }
    return std::abs(std::log2(a.mean_size_bytes) - std::log2(b.mean_size_bytes)) <= 1;
}

bool calls_within_two(const climber& outer, std::uint32_t function) {
    const auto end = outer.functions.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(outer.functions.size(), 3));
    return std::find(outer.functions.begin() + 1, end, function) != end;
}

class pair_judge {
public:
    pair_judge(const functions& names, std::size_t before) : names_(names), before_(before) {}

    candidate judge(const climber& one, const climber& other) const {
        const auto& gone = before_ == 0 ? one : other;
        const auto& appeared = before_ == 0 ? other : one;
        candidate out{0, &gone, &appeared, {}};
        const auto count = [&](int score, std::string why) {
            out.score += score;
            if (!why.empty()) { out.why += (out.why.empty() ? "" : ", ") + why; }
        };
        const bool touches = judge_chains(gone, appeared, count);
        if (!touches) { return out; }
        const auto& a = gone.chain->calls.front();
        const auto& b = appeared.chain->calls.front();
        if (!names_.file_of(a.variant).empty() && names_.file_of(a.variant) == names_.file_of(b.variant)) {
            count(1, "in " + names_.file_of(a.variant));
        }
        if (scope_of(names_.name_of(a.variant)) == scope_of(names_.name_of(b.variant))) { count(1, {}); }
        if (a.line == b.line && a.line != 0) { count(1, {}); }
        if (!gone.type.empty()) { count(1, "same type"); }
        if (is_same_size_class(gone, appeared)) { count(1, "blocks of about the same size"); }
        return out;
    }

private:
    std::string quoted(const climber& c) const { return names_.name_of(c.chain->calls.front().variant); }

    bool judge_chains(const climber& gone, const climber& appeared, const auto& count) const {
        if (gone.functions[0] == appeared.functions[0]) {
            count(4, "both in " + quoted(gone) + ", which has several such sites or was changed");
            judge_caller(gone, appeared, count);
            return true;
        }
        if (calls_within_two(appeared, gone.functions[0])) {
            count(4, quoted(gone) + " now calls " + quoted(appeared));
            return true;
        }
        if (calls_within_two(gone, appeared.functions[0])) {
            count(4, quoted(appeared) + " called " + quoted(gone));
            return true;
        }
        return judge_caller(gone, appeared, count);
    }

    bool judge_caller(const climber& gone, const climber& appeared, const auto& count) const {
        if (gone.functions.size() < 2 || appeared.functions.size() < 2 || gone.functions[1] != appeared.functions[1]) {
            return false;
        }
        const auto& a = gone.chain->calls[1];
        const auto& b = appeared.chain->calls[1];
        count(a.line == b.line && a.line != 0 ? 3 : 2, "called by " + names_.name_of(a.variant));
        return true;
    }

    const functions& names_;
    std::size_t before_;
};

}  // namespace

std::vector<site_match::move> propose_moves(const std::vector<climber>& sites, const functions& names, std::size_t before) {
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::array<std::vector<const climber*>, 2>> kinds;
    for (const auto& each : sites) {
        if (!each.is_joined) { kinds[{each.kind, each.type.empty() ? each.chain->entry : 0}][each.side].push_back(&each); }
    }
    const pair_judge judge{names, before};
    std::vector<candidate> candidates;
    for (auto& [kind, both] : kinds) {
        for (auto& side : both) {
            std::stable_sort(side.begin(), side.end(),
                             [](const climber* a, const climber* b) { return a->mean_size_bytes > b->mean_size_bytes; });
            if (side.size() > most_of_a_kind) { side.resize(most_of_a_kind); }
        }
        for (const auto* one : both[0]) {
            for (const auto* other : both[1]) {
                auto each = judge.judge(*one, *other);
                if (each.score >= least_score) { candidates.push_back(std::move(each)); }
            }
        }
    }
    std::stable_sort(candidates.begin(), candidates.end(),
                     [](const candidate& a, const candidate& b) { return a.score > b.score; });
    std::map<std::uint32_t, bool> is_taken;
    std::vector<site_match::move> moves;
    for (auto& each : candidates) {
        if (is_taken[each.gone->row] || is_taken[each.appeared->row]) { continue; }
        is_taken[each.gone->row] = is_taken[each.appeared->row] = true;
        moves.push_back({each.gone->row, each.appeared->row, std::move(each.why)});
    }
    return moves;
}

}  // namespace memwatch::inline v1
