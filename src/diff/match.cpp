// SPDX-License-Identifier: Apache-2.0
#include "diff/match.hpp"

#include <algorithm>
#include <numeric>
#include <string_view>
#include <unordered_map>

#include "diff/ladder.hpp"
#include "diff/stable_name.hpp"

namespace memwatch::inline v1 {
namespace {

// Distinct byte strings numbered from 0.
class interner {
public:
    std::uint32_t operator()(std::string text) {
        return numbers_.try_emplace(std::move(text), static_cast<std::uint32_t>(numbers_.size())).first->second;
    }

private:
    std::unordered_map<std::string, std::uint32_t> numbers_;
};

template <class Number>
void append_bytes(std::string& to, Number value) {
    to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// FNV-1a: stable across runs and machines, unlike std::hash. http://www.isthe.com/chongo/tech/comp/fnv
std::uint64_t fnv1a(std::uint64_t hash, std::string_view text) {
    for (const char c : text) { hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL; }
    return (hash ^ 0xFF) * 0x100000001B3ULL;  // a separator, so that "ab"+"c" is not "a"+"bc"
}
constexpr std::uint64_t fnv1a_start = 0xCBF29CE484222325ULL;

bool is_same_module(const module& a, const module& b) {
    return a.build_id.empty() || b.build_id.empty() ? a.path == b.path : a.build_id == b.build_id;
}

bool is_named(const frame& f) {
    return !f.lines.empty() &&
           std::all_of(f.lines.begin(), f.lines.end(), [](const source_line& line) { return !line.function.empty(); });
}

class matcher {
public:
    explicit matcher(snapshot_pair sides) : sides_(sides) {}

    site_match run() {
        match_modules();
        for (const std::size_t side : {after_side, before_side}) {
            warn_of_rebuilt_modules(side);
            take_sites(side);
        }
        if (std::find(is_shared_.begin(), is_shared_.end(), false) != is_shared_.end() || has_code_without_module_) {
            climb_on();
        }
        for (const std::size_t side : {before_side, after_side}) {
            out_.counts[side].resize(out_.rows.size());
            for (const auto row : out_.row_of[side]) { ++out_.counts[side][row]; }
        }
        return std::move(out_);
    }

private:
    const snapshot& at(std::size_t side) const { return *sides_[side]; }

    // One file can be mapped twice, and a damaged dump can hold equal rows: AFTER's twins are one module.
    void match_modules() {
        out_.modules = at(after_side).modules;
        is_shared_.resize(out_.modules.size());
        for (const auto& each : at(after_side).modules) { out_.module_of[after_side].push_back(find_in_after(each)); }
        for (const auto& each : at(before_side).modules) {
            const auto found = find_in_after(each);
            out_.module_of[before_side].push_back(found);
            if (found == out_.modules.size()) {
                out_.modules.push_back(each);
                is_shared_.push_back(false);
            } else {
                is_shared_[found] = true;
            }
        }
    }

    // AFTER's first module that is `wanted`, best in path and build id, then in path; else one past the end.
    [[nodiscard]] std::uint32_t find_in_after(const module& wanted) const {
        auto found = out_.modules.size();
        int found_rank = 0;
        for (std::size_t i = 0; i < at(after_side).modules.size(); ++i) {
            const auto& each = out_.modules[i];
            if (!is_same_module(each, wanted)) { continue; }
            const int rank = 1 + (each.path == wanted.path ? 1 : 0) + (each.build_id == wanted.build_id ? 1 : 0);
            if (rank > found_rank) {
                found = i;
                found_rank = rank;
            }
        }
        return static_cast<std::uint32_t>(found);
    }

    // A module in one snapshot only is a loss when its code has no names there.
    void warn_of_rebuilt_modules(std::size_t side) {
        const auto& s = at(side);
        std::vector<std::size_t> nameless(s.modules.size());
        for (const auto& f : s.frames) {
            if (f.module != no_module && !is_named(f)) { ++nameless[f.module]; }
        }
        for (std::size_t i = 0; i < s.modules.size(); ++i) {
            const auto& mine = s.modules[i];
            const auto& others = at(1 - side).modules;
            const bool was_rebuilt =
                !is_shared_[out_.module_of[side][i]] &&
                std::any_of(others.begin(), others.end(), [&](const module& m) { return m.path == mine.path; });
            if (!was_rebuilt || nameless[i] == 0) { continue; }
            out_.warnings.push_back(mine.path + " is another build in " + (side == after_side ? "BEFORE" : "AFTER") + " and " +
                                    std::to_string(nameless[i]) + " frames of it have no names in " +
                                    (side == after_side ? "AFTER" : "BEFORE") + ": sites that need them show as gone and new");
        }
    }

    // What identifies a frame in both snapshots, appended as numbers: one for an offset. Code in no module has only its names:
    // without the lines within a session, where the code is the same; with them else, and the ladder decides.
    void append_tokens(std::size_t side, const frame& f, std::string& key, std::uint64_t& hash) {
        const bool has_module = f.module != no_module;
        const auto unified = has_module ? out_.module_of[side][f.module] : no_module;
        if (!has_module && is_named(f)) {
            has_code_without_module_ = has_code_without_module_ || !is_same_session_;
            for (const auto& line : f.lines) {
                auto name = stable_name(line.function);
                if (!is_same_session_) { name += ":" + std::to_string(line.line); }
                append_bytes(key, tokens_("n" + name));
                hash = fnv1a(hash, name);
            }
            return;
        }
        std::string token = "o";
        append_bytes(token, unified);
        append_bytes(token, f.offset);
        append_bytes(key, tokens_(token));
        if (has_module) { hash = fnv1a(hash, identity_of(out_.modules[unified])); }
        hash = fnv1a(hash, std::to_string(f.offset));
    }

    static const std::string& identity_of(const module& m) { return m.build_id.empty() ? m.path : m.build_id; }

    struct stack_identity {
        std::uint32_t number;
        std::uint64_t hash;
    };

    std::vector<stack_identity> number_stacks(std::size_t side) {
        const auto& s = at(side);
        std::vector<frame_tokens> frames(s.frames.size());
        for (std::size_t i = 0; i < s.frames.size(); ++i) {
            frames[i].hash = fnv1a_start;
            append_tokens(side, s.frames[i], frames[i].key, frames[i].hash);
        }
        std::vector<stack_identity> numbers;
        numbers.reserve(s.stacks.size());
        for (const auto& each : s.stacks) {
            std::string key;
            auto hash = fnv1a_start;
            for (const auto index : each.frames) {
                key += frames[index].key;
                hash = (hash ^ frames[index].hash) * 0x100000001B3ULL;
            }
            numbers.push_back({stacks_(std::move(key)), hash});
        }
        return numbers;
    }

    void take_sites(std::size_t side) {
        const auto& s = at(side);
        const auto stacks = number_stacks(side);
        out_.row_of[side].reserve(s.sites.size());
        for (std::uint32_t i = 0; i < s.sites.size(); ++i) {
            const auto& each = s.sites[i];
            const auto& tag = s.tags[each.tag].name;
            std::string key;
            append_bytes(key, stacks[each.stack].number);
            append_bytes(key, names_(each.type));
            append_bytes(key, names_(tag));
            const auto row = sites_(std::move(key));
            if (row == out_.rows.size()) {
                out_.rows.push_back({side, i});
                out_.keys.push_back(fnv1a(fnv1a(stacks[each.stack].hash, each.type), tag));
                out_.rungs.push_back(match_rung::none);
            }
            if (out_.rows[row].side != side) { out_.rungs[row] = match_rung::exact; }
            out_.row_of[side].push_back(row);
        }
    }

    // Rows that the ladder joins become the first of them, AFTER's; the others are numbered anew.
    void climb_on() {
        auto climbed = climb(sides_, out_, is_shared_);
        if (climbed.joined.empty() && climbed.moves.empty()) { return; }
        std::vector<std::uint32_t> leader(out_.rows.size());
        std::iota(leader.begin(), leader.end(), 0U);
        for (const auto& joined : climbed.joined) {
            const auto first = *std::min_element(joined.rows.begin(), joined.rows.end());
            out_.rungs[first] = joined.rung;
            for (const auto row : joined.rows) { leader[row] = first; }
        }
        std::vector<std::uint32_t> place(out_.rows.size());
        std::uint32_t kept = 0;
        for (std::uint32_t row = 0; row < out_.rows.size(); ++row) {
            if (leader[row] != row) { continue; }
            out_.rows[kept] = out_.rows[row];
            out_.keys[kept] = out_.keys[row];
            out_.rungs[kept] = out_.rungs[row];
            place[row] = kept++;
        }
        out_.rows.resize(kept);
        out_.keys.resize(kept);
        out_.rungs.resize(kept);
        for (auto& rows : out_.row_of) {
            for (auto& row : rows) { row = place[leader[row]]; }
        }
        for (auto& each : climbed.moves) {
            out_.moves.push_back({place[each.gone], place[each.appeared], std::move(each.why)});
        }
    }

    struct frame_tokens {
        std::string key;
        std::uint64_t hash;
    };

    snapshot_pair sides_;
    site_match out_;
    std::vector<bool> is_shared_;  // unified module is in both snapshots
    bool is_same_session_{is_same_session(*sides_[before_side], *sides_[after_side])};
    bool has_code_without_module_{};  // and it may be another build's
    interner tokens_;
    interner stacks_;
    interner names_;
    interner sites_;
};

}  // namespace

site_match match_sites(snapshot_pair sides) { return matcher{sides}.run(); }

bool is_same_session(const snapshot& before, const snapshot& after) {
    return !before.info.session.empty() && before.info.session == after.info.session;
}

}  // namespace memwatch::inline v1
