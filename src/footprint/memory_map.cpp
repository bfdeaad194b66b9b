// SPDX-License-Identifier: Apache-2.0
#include "footprint/memory_map.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <system_error>

namespace memwatch {
inline namespace v1 {
namespace {

// Takes a number and what stands behind it, a single character, off the front. False: it is not there.
bool take_number(std::string_view& text, int base, char behind, std::uint64_t& value) noexcept {
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (parsed.ec != std::errc{} || parsed.ptr == text.data() + text.size() || *parsed.ptr != behind) { return false; }
    text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()) + 1);
    return true;
}

std::string_view take_word(std::string_view& text) noexcept {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return word;
}

// "7f31c0000000-7f31c0400000 rw-p 00000000 00:00 0      name"
bool parse_heading(std::string_view line, mapping& into) {
    if (!take_number(line, 16, '-', into.begin) || !take_number(line, 16, ' ', into.end) || into.end <= into.begin) {
        return false;
    }
    const std::string_view rights = take_word(line);
    if (rights.size() != 4) { return false; }
    into.is_writable = rights[1] == 'w';
    into.is_executable = rights[2] == 'x';
    into.is_shared = rights[3] == 's' || rights[3] == 'S';
    take_word(line);  // where in the file
    take_word(line);  // its device
    const std::string_view inode = take_word(line);
    if (std::from_chars(inode.data(), inode.data() + inode.size(), into.inode).ec != std::errc{}) { return false; }
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    into.name = line;
    return true;
}

// "Rss:                1024 kB"
void parse_figure(std::string_view line, mapping& into) noexcept {
    struct row {
        std::string_view name;
        std::uint64_t mapping::*member;
    };
    constexpr row rows[] = {{"Rss:", &mapping::resident}, {"Anonymous:", &mapping::anonymous}, {"Swap:", &mapping::swapped}};
    for (const row& each : rows) {
        if (line.substr(0, each.name.size()) != each.name) { continue; }
        line.remove_prefix(std::min(line.find_first_not_of(' ', each.name.size()), line.size()));
        std::uint64_t kib = 0;
        if (std::from_chars(line.data(), line.data() + line.size(), kib).ec != std::errc{}) { return; }
        const std::uint64_t most = into.size();
        into.*each.member = kib > most / 1024 ? most : kib * 1024;
    }
}

}  // namespace

std::vector<mapping> parse_memory_map(std::string_view text) {
    std::vector<mapping> list;
    bool is_known = false;  // the figures that follow belong to list.back()
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (line.empty()) { continue; }
        const bool is_figure = line[0] >= 'A' && line[0] <= 'Z';
        if (is_figure) {
            if (is_known) { parse_figure(line, list.back()); }
            continue;
        }
        mapping next;
        is_known = parse_heading(line, next) && (list.empty() || next.begin >= list.back().end);
        if (is_known) { list.push_back(std::move(next)); }
    }
    for (mapping& each : list) { each.anonymous = std::min(each.anonymous, each.resident); }
    return list;
}

}  // namespace v1
}  // namespace memwatch
