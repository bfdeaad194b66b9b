// SPDX-License-Identifier: Apache-2.0
#include "footprint/kernel_text.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <system_error>

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::uint64_t unlimited = 1ULL << 60U;  // nobody has that much

// Calls `take(name, value)` for each line "name value", "name: value" or "name:\tvalue kB". Values above `unlimited` are none.
template <class Function>
void for_each_row(std::string_view text, Function take) noexcept {
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        const std::size_t gap = line.find_first_of(": \t");
        if (gap == std::string_view::npos) { continue; }
        const std::size_t digits = line.find_first_not_of(": \t", gap);
        if (digits == std::string_view::npos) { continue; }
        std::uint64_t value = 0;
        const char* const begin = line.data() + digits;
        if (std::from_chars(begin, line.data() + line.size(), value).ec != std::errc{} || value >= unlimited) { continue; }
        take(line.substr(0, gap), value);
    }
}

template <class Whole, class Number>
struct row {
    std::string_view name;
    Number Whole::*member;
};

constexpr row<process_memory, std::uint64_t> status_rows[] = {
    {"VmRSS", &process_memory::resident},       {"RssAnon", &process_memory::anonymous},
    {"RssFile", &process_memory::file},         {"RssShmem", &process_memory::shared},
    {"VmSwap", &process_memory::swapped},       {"VmPTE", &process_memory::page_tables},
    {"VmSize", &process_memory::address_space},
};

constexpr row<pressure_events, std::uint64_t> event_rows[] = {
    {"low", &pressure_events::low}, {"high", &pressure_events::high},         {"max", &pressure_events::max},
    {"oom", &pressure_events::oom}, {"oom_kill", &pressure_events::oom_kill},
};

}  // namespace

void parse_status(std::string_view text, process_memory& into) noexcept {
    constexpr std::uint64_t kib = 1024;
    for_each_row(text, [&](std::string_view name, std::uint64_t value) {
        for (const auto& each : status_rows) {
            if (each.name == name) { into.*each.member = value < unlimited / kib ? value * kib : unlimited; }
        }
        if (name == "Threads") { into.threads = static_cast<std::uint32_t>(value); }
    });
}

std::uint64_t parse_address_space_limit(std::string_view text) noexcept {
    constexpr std::string_view name = "Max address space";
    const std::size_t at = text.find(name);
    if (at == std::string_view::npos) { return 0; }
    text.remove_prefix(at + name.size());
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    return parse_bytes(text, 0);
}

// Of v1 the rows "total_..." come after those of the group itself, and replace them: a limit is met by both together.
void parse_group_stat(std::string_view text, group_stat& into) noexcept {
    std::uint64_t own = 0;
    std::uint64_t all = 0;
    bool has_totals = false;
    for_each_row(text, [&](std::string_view name, std::uint64_t value) {
        if (name == "active_file" || name == "inactive_file") { own += value; }
        if (name == "total_active_file" || name == "total_inactive_file") {
            all += value;
            has_totals = true;
        }
        if (name == "slab_reclaimable") { into.slab_reclaimable = value; }
    });
    into.file_cache = has_totals ? all : own;
}

void parse_events(std::string_view text, pressure_events& into) noexcept {
    for_each_row(text, [&](std::string_view name, std::uint64_t value) {
        for (const auto& each : event_rows) {
            if (each.name == name) { into.*each.member = value; }
        }
    });
}

std::uint64_t parse_bytes(std::string_view text, std::uint64_t otherwise) noexcept {
    std::uint64_t value = 0;
    const bool is_number = std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc{};
    return is_number && value < unlimited ? value : otherwise;
}

}  // namespace v1
}  // namespace memwatch
