// SPDX-License-Identifier: Apache-2.0
#include "exchange/call_paths.hpp"

#include <algorithm>
#include <cmath>

#include <memwatch/model/site_name.hpp>

namespace memwatch::inline v1::exchange {

std::vector<std::uint32_t> call_paths::path_of(std::uint32_t stack) {
    std::vector<std::uint32_t> path;
    for (const std::uint32_t index : of_.stacks[stack].frames) {
        const auto& calls = calls_of(index);
        path.insert(path.end(), calls.begin(), calls.end());
    }
    if (path.empty()) { path.push_back(number({"(no stack)", {}, 0})); }
    return path;
}

std::uint32_t call_paths::number(call row) {
    const auto [found, is_new] =
        known_.try_emplace(std::make_tuple(row.function, row.file, row.line), static_cast<std::uint32_t>(calls_.size()));
    if (is_new) { calls_.push_back(std::move(row)); }
    return found->second;
}

const std::vector<std::uint32_t>& call_paths::calls_of(std::uint32_t index) {
    auto& calls = calls_of_[index];
    if (!calls.empty()) { return calls; }
    const frame& from = of_.frames[index];
    for (const source_line& line : from.lines) {
        if (!line.function.empty()) { calls.push_back(number({bare_function_name(line.function), line.file, line.line})); }
    }
    if (calls.empty()) { calls.push_back(number({frame_name(from, of_.modules), {}, 0})); }
    return calls;
}

const call* call_paths::named(const std::vector<std::uint32_t>& path, const std::string& function) const {
    const auto found = std::find_if(path.begin(), path.end(), [&](std::uint32_t i) { return calls_[i].function == function; });
    return found == path.end() ? nullptr : &calls_[*found];
}

std::string call_paths::text_of(const std::vector<std::uint32_t>& path) const {
    std::string text;
    for (auto index = path.rbegin(); index != path.rend(); ++index) {
        if (!text.empty()) { text += "; "; }
        text += calls_[*index].function;
    }
    return text;
}

std::uint64_t whole_amount(double value) noexcept {
    constexpr double most = 9007199254740991.0;  // 2^53 - 1
    return static_cast<std::uint64_t>(std::llround(std::clamp(value, 0.0, most)));
}

}  // namespace memwatch::inline v1::exchange
