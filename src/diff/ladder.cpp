// SPDX-License-Identifier: Apache-2.0
#include "diff/ladder.hpp"

#include <algorithm>
#include <limits>
#include <unordered_map>

#include <memwatch/model/site_name.hpp>

#include "base/hash.hpp"
#include "diff/functions.hpp"
#include "diff/moves.hpp"
#include "diff/places.hpp"
#include "diff/stable_name.hpp"
#include "diff/user_chain.hpp"
#include "model/plumbing.hpp"

namespace memwatch::inline v1 {
namespace {

constexpr std::size_t whole_chain = std::numeric_limits<std::size_t>::max();

// What a frame adds to a chain: calls of the user's, and plumbing between and below them.
struct frame_part {
    bool is_plumbing;
    user_call call;
    std::uint64_t plumbing;  // hash of the function's stable name
};

bool is_named(const frame& f) {
    return std::any_of(f.lines.begin(), f.lines.end(), [](const source_line& line) { return !line.function.empty(); });
}

class climb_job {
public:
    climb_job(snapshot_pair sides, const site_match& match, const std::vector<bool>& is_shared)
        : sides_(sides),
          match_(match),
          is_shared_(is_shared),
          flip_(identity_of(after_side) < identity_of(before_side) ? 1 : 0) {}

    ladder_result run() {
        for (std::size_t side = 0; side < 2; ++side) { read_chains(side ^ flip_); }
        if (!has_both_sides()) { return {}; }
        functions_.unite();
        unite_places();
        for (const std::size_t depth :
             {whole_chain, std::size_t{8}, std::size_t{6}, std::size_t{5}, std::size_t{4}, std::size_t{3}}) {
            join_equal(depth, &climber::places, false);
        }
        for (const std::size_t depth : {whole_chain, std::size_t{3}, std::size_t{2}, std::size_t{1}}) {
            join_equal(depth, &climber::functions, true);
        }
        out_.moves = propose_moves(climbers_, functions_, before_side ^ flip_);
        return std::move(out_);
    }

private:
    const snapshot& at(std::size_t side) const { return *sides_[side]; }

    // What names a side whatever it is compared as: the least of the modules that only it has.
    std::pair<std::string, std::string> identity_of(std::size_t side) const {
        std::string least;
        for (std::size_t i = 0; i < at(side).modules.size(); ++i) {
            const auto& each = at(side).modules[i];
            const auto& name = each.build_id.empty() ? each.path : each.build_id;
            if (!is_shared_[match_.module_of[side][i]] && (least.empty() || name < least)) { least = name; }
        }
        return {least, at(side).info.session};
    }

    bool has_both_sides() const {
        const auto is_of = [&](std::size_t side) {
            return std::any_of(climbers_.begin(), climbers_.end(), [&](const climber& c) { return c.side == side; });
        };
        return is_of(before_side) && is_of(after_side);
    }

    // A frame of code that the other snapshot knows under another offset, or under none.
    bool is_of_rebuilt(std::size_t side, const frame& f) const {
        if (f.module == no_module) { return is_named(f); }
        return !is_shared_[match_.module_of[side][f.module]];
    }

    void read_chains(std::size_t side) {
        const auto& s = at(side);
        auto& chains = chains_[side];
        chains.resize(s.stacks.size());
        std::vector<bool> is_read(s.stacks.size());
        std::vector<std::vector<frame_part>> parts(s.frames.size());
        std::vector<bool> has_parts(s.frames.size());
        for (std::uint32_t i = 0; i < s.sites.size(); ++i) {
            const auto& each = s.sites[i];
            const auto row = match_.row_of[side][i];
            if (match_.rungs[row] != match_rung::none) { continue; }
            auto& chain = chains[each.stack];
            if (!is_read[each.stack]) {
                is_read[each.stack] = true;
                for (const auto index : s.stacks[each.stack].frames) {
                    if (!has_parts[index]) { parts[index] = parts_of(side, s.frames[index]); }
                    has_parts[index] = true;
                    chain.is_of_rebuilt = chain.is_of_rebuilt || is_of_rebuilt(side, s.frames[index]);
                    add_parts(parts[index], chain);
                }
            }
            if (chain.is_of_rebuilt && !chain.is_nameless && !chain.calls.empty()) { add_climber(side, row, each, chain); }
        }
    }

    std::vector<frame_part> parts_of(std::size_t side, const frame& f) {
        std::vector<frame_part> parts;
        for (const auto& line : f.lines) {
            if (line.function.empty()) { continue; }
            const auto& known = kind_of(line.function);
            if (known.is_plumbing) {
                parts.push_back({true, {}, known.name});
            } else {
                parts.push_back({false, {functions_.add(side ^ flip_, line), relative_line(line)}, 0});
            }
        }
        if (!parts.empty() || f.module == no_module || is_plumbing_module(at(side).modules[f.module].path)) { return parts; }
        // Code without names: itself in a module that is the same, nobody else in one that isn't.
        const auto unified = match_.module_of[side][f.module];
        const auto identity =
            (is_shared_[unified] ? "=" : "!" + std::to_string(side)) + std::to_string(unified) + "+" + std::to_string(f.offset);
        parts.push_back({false, {functions_.add_opaque(identity), 0}, is_shared_[unified] ? 0ULL : 1ULL});
        return parts;
    }

    static std::uint32_t relative_line(const source_line& line) {
        if (line.line == 0 || line.function_line == 0) { return line.line; }
        return line.line - line.function_line + 1;
    }

    struct function_kind {
        bool is_plumbing;
        std::uint64_t name;
    };

    const function_kind& kind_of(const std::string& function) {
        const auto [found, is_new] = kinds_.try_emplace(function, function_kind{});
        if (is_new) { found->second = {is_plumbing(function), hash_text(stable_name(function))}; }
        return found->second;
    }

    static void add_parts(const std::vector<frame_part>& parts, user_chain& chain) {
        for (const auto& part : parts) {
            if (part.is_plumbing) {
                if (chain.calls.empty()) { chain.entry = part.plumbing; }
                continue;
            }
            if (chain.calls.empty()) { chain.is_nameless = part.plumbing != 0; }
            chain.calls.push_back(part.call);
        }
    }

    void add_climber(std::size_t side, std::uint32_t row, const site& from, const user_chain& chain) {
        const auto& s = at(side);
        climber each;
        each.row = row;
        each.side = side ^ flip_;
        each.type = from.type;
        each.kind = combine_hash(hash_text(from.type), hash_text(s.tags[from.tag].name));
        each.chain = &chain;
        if (from.live.objects > 0) { each.mean_size_bytes = from.live.bytes / from.live.objects; }
        climbers_.push_back(std::move(each));
    }

    // What stands at call `i` of a chain: the function further in, or the way into the allocator.
    std::uint64_t callee_of(const climber& c, std::size_t i) const {
        return i == 0 ? combine_hash(c.kind, c.chain->entry) : combine_hash(1, functions_[c.chain->calls[i - 1].variant]);
    }

    void unite_places() {
        for (const auto& each : climbers_) {
            for (std::size_t i = 0; i < each.chain->calls.size(); ++i) { places_.add(place_of(each, i)); }
        }
        places_.align();
        for (auto& each : climbers_) {
            for (std::size_t i = 0; i < each.chain->calls.size(); ++i) {
                each.functions.push_back(functions_[each.chain->calls[i].variant]);
                each.places.push_back(places_.number_of(place_of(each, i)));
            }
        }
    }

    place place_of(const climber& c, std::size_t i) const {
        const auto& call = c.chain->calls[i];
        return {functions_[call.variant], callee_of(c, i), c.side, call.line};
    }

    static std::uint64_t key_of(const climber& c, std::vector<std::uint32_t> climber::*part, std::size_t depth) {
        const auto& values = c.*part;
        auto key = combine_hash(c.kind, c.chain->entry);
        for (std::size_t i = 0; i < values.size() && i < depth; ++i) { key = combine_hash(key, values[i]); }
        return combine_hash(key, std::min(values.size(), depth));
    }

    // Joins sites whose first `depth` values are equal; `is_single`: only where each side has one.
    void join_equal(std::size_t depth, std::vector<std::uint32_t> climber::*part, bool is_single) {
        struct group {
            std::array<std::vector<climber*>, 2> of;
        };
        std::unordered_map<std::uint64_t, std::size_t> number_of;
        std::vector<group> groups;  // in the order of their first site: the same from run to run
        for (auto& each : climbers_) {
            if (each.is_joined) { continue; }
            const auto [found, is_new] = number_of.try_emplace(key_of(each, part, depth), groups.size());
            if (is_new) { groups.emplace_back(); }
            groups[found->second].of[each.side].push_back(&each);
        }
        for (auto& each : groups) {
            const auto& [one, other] = each.of;
            if (one.empty() || other.empty() || (is_single && one.size() + other.size() != 2)) { continue; }
            join(one, other, is_single);
        }
    }

    void join(const std::vector<climber*>& one, const std::vector<climber*>& other, bool is_by_function) {
        joined_rows joined{match_rung::function, {}};
        // A function that was edited still has its places, on other lines: then it is the functions that are the same.
        if (!is_by_function && has_equal_lines(one, other)) { joined.rung = match_rung::frames; }
        for (const auto* side : {&one, &other}) {
            for (auto* each : *side) {
                each->is_joined = true;
                joined.rows.push_back(each->row);
            }
        }
        out_.joined.push_back(std::move(joined));
    }

    static bool has_equal_lines(const std::vector<climber*>& one, const std::vector<climber*>& other) {
        constexpr std::size_t compared = 3;
        const auto lines_of = [](const climber& c) {
            std::vector<std::uint32_t> lines;
            for (std::size_t i = 0; i < c.chain->calls.size() && i < compared; ++i) { lines.push_back(c.chain->calls[i].line); }
            return lines;
        };
        const auto first = lines_of(*one.front());
        const auto is_first = [&](const climber* c) { return lines_of(*c) == first; };
        return std::all_of(one.begin(), one.end(), is_first) && std::all_of(other.begin(), other.end(), is_first);
    }

    snapshot_pair sides_;
    const site_match& match_;
    const std::vector<bool>& is_shared_;
    // Ties are broken by order, so both directions of a comparison climb in the same one: climbers' sides are exchanged if 1.
    std::size_t flip_;
    std::array<std::vector<user_chain>, 2> chains_;  // by stack
    std::vector<climber> climbers_;
    std::unordered_map<std::string, function_kind> kinds_;
    functions functions_;
    places places_;
    ladder_result out_;
};

}  // namespace

ladder_result climb(snapshot_pair sides, const site_match& match, const std::vector<bool>& is_shared) {
    return climb_job{sides, match, is_shared}.run();
}

}  // namespace memwatch::inline v1
