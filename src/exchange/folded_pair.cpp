// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <charconv>
#include <map>
#include <string_view>

#include <memwatch/snapshot/codec.hpp>

#include "exchange/export_formats.hpp"

namespace memwatch::inline v1::exchange {
namespace {

using sums_by_path = std::map<std::string, std::array<std::uint64_t, 2>, std::less<>>;

// "root;..;leaf 4096" lines: the number stands behind the last space.
void add_lines(sums_by_path& to, std::string_view folded, std::size_t side) {
    while (!folded.empty()) {
        const std::string_view line = folded.substr(0, folded.find('\n'));
        folded.remove_prefix(std::min(line.size() + 1, folded.size()));
        const std::size_t space = line.rfind(' ');
        if (space == std::string_view::npos) { continue; }
        std::uint64_t bytes = 0;
        std::from_chars(line.data() + space + 1, line.data() + line.size(), bytes);
        to.try_emplace(std::string{line.substr(0, space)}).first->second[side] += bytes;
    }
}

}  // namespace

std::string encode_folded_pair(const snapshot& before, const snapshot& after) {
    sums_by_path sums;
    std::size_t side = 0;
    for (const snapshot* each : {&before, &after}) { add_lines(sums, encode(*each, dump_format::folded).value_or(""), side++); }
    std::string out;
    for (const auto& [path, bytes] : sums) {
        out += path + ' ' + std::to_string(bytes[0]) + ' ' + std::to_string(bytes[1]) + '\n';
    }
    return out;
}

}  // namespace memwatch::inline v1::exchange
