// SPDX-License-Identifier: Apache-2.0
#include "diff/functions.hpp"

#include <algorithm>
#include <limits>
#include <map>

#include "diff/stable_name.hpp"

namespace memwatch::inline v1 {
namespace {

std::string base_name(std::string_view path) {
    const auto slash = path.rfind('/');
    return std::string{slash == std::string_view::npos ? path : path.substr(slash + 1)};
}

}  // namespace

std::uint32_t functions::number_of_name(const std::string& name) {
    const auto [found, is_new] = numbers_.try_emplace(name, static_cast<std::uint32_t>(names_.size()));
    if (is_new) { names_.push_back(name); }
    return found->second;
}

std::uint32_t functions::add(std::size_t side, const source_line& line) {
    std::string file = base_name(line.file);
    std::string raw = std::to_string(side) + "/" + file + ":" + std::to_string(line.function_line) + "/" + line.function;
    if (const auto known = variant_of_line_.find(raw); known != variant_of_line_.end()) { return known->second; }
    const auto name = number_of_name(stable_name(line.function));
    std::string declaration = unnumbered(line.function);
    // Where the start is known it decides; else what the symbol table tells apart, numbers included.
    std::string key = std::to_string(side) + "/" + std::to_string(name) + "/";
    key += line.function_line != 0 ? file + ":" + std::to_string(line.function_line) : line.function;
    const auto [found, is_new] = variant_of_key_.try_emplace(std::move(key), static_cast<std::uint32_t>(variants_.size()));
    if (is_new) { variants_.push_back({name, side, std::move(file), line.function_line, {}, false}); }
    auto& known = variants_[found->second];
    if (declaration.size() > known.declaration.size()) { known.declaration = std::move(declaration); }
    variant_of_line_.emplace(std::move(raw), found->second);
    return found->second;
}

std::uint32_t functions::add_opaque(const std::string& identity) {
    const auto [found, is_new] = variant_of_key_.try_emplace("?" + identity, static_cast<std::uint32_t>(variants_.size()));
    if (is_new) { variants_.push_back({number_of_name("?" + identity), 0, {}, 0, {}, false}); }
    return found->second;
}

// Joins what has equal keys, when both sides have the same number of it, `most` at most, in the order of their lines.
template <class KeyOf>
void functions::join(std::array<list, 2>& left, std::size_t most, KeyOf key_of) {
    std::map<std::string, std::array<list, 2>> groups;
    for (std::size_t side = 0; side < 2; ++side) {
        for (const auto each : left[side]) { groups[key_of(variants_[each])][side].push_back(each); }
    }
    for (auto& [key, group] : groups) {
        if (group[0].size() != group[1].size() || group[0].size() > most) { continue; }
        for (auto& side : group) {
            std::sort(side.begin(), side.end(), [&](std::uint32_t a, std::uint32_t b) {
                return variants_[a].start != variants_[b].start ? variants_[a].start < variants_[b].start : a < b;
            });
        }
        for (std::size_t i = 0; i < group[0].size(); ++i) {
            united_[group[1][i]] = group[0][i];
            variants_[group[0][i]].is_joined = variants_[group[1][i]].is_joined = true;
        }
    }
    for (auto& side : left) {
        std::erase_if(side, [&](std::uint32_t v) { return variants_[v].is_joined; });
    }
}

void functions::unite() {
    united_.resize(variants_.size());
    std::vector<std::array<list, 2>> by_name(names_.size());
    for (std::uint32_t i = 0; i < variants_.size(); ++i) {
        united_[i] = i;
        by_name[variants_[i].name][variants_[i].side].push_back(i);
    }
    for (auto& left : by_name) {
        if (left[0].empty() || left[1].empty()) { continue; }
        join(left, std::numeric_limits<std::size_t>::max(), [](const variant& v) { return v.file + "/" + v.declaration; });
        join(left, 1, [](const variant& v) { return v.declaration; });
        join(left, 1, [](const variant& v) { return v.file; });
        join(left, 1, [](const variant&) { return std::string{}; });
    }
}

}  // namespace memwatch::inline v1
