// SPDX-License-Identifier: Apache-2.0
#include "settings/option_text.hpp"

#include <charconv>

#include <memwatch/base/units.hpp>

namespace memwatch {
inline namespace v1 {
namespace {

struct unit {
    std::string_view text;
    std::uint64_t size;
};

constexpr unit byte_units[] = {{"TiB", 1ULL << 40U}, {"GiB", 1ULL << 30U}, {"MiB", 1ULL << 20U}, {"KiB", 1ULL << 10U}};
constexpr unit time_units[] = {
    {"h", 3'600'000'000'000}, {"m", 60'000'000'000}, {"s", 1'000'000'000}, {"ms", 1'000'000}, {"us", 1000}};

template <std::size_t Count>
std::string write_with(const unit (&units)[Count], std::string_view smallest, std::uint64_t value) {
    for (const unit& each : units) {
        if (value != 0 && value % each.size == 0) { return std::to_string(value / each.size).append(each.text); }
    }
    return std::to_string(value).append(smallest);
}

result<std::uint64_t> read_count(std::string_view text) {
    count_option value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) {
        return fail(error_code::invalid_argument, "not a whole number", std::string(text));
    }
    return std::uint64_t{value};
}

result<std::uint64_t> read_any_number(option_kind kind, std::string_view text) {
    if (kind == option_kind::bytes) { return parse_bytes(text); }
    return kind == option_kind::duration ? parse_duration(text) : read_count(text);
}

}  // namespace

result<std::uint64_t> read_number(const option_description& option, std::string_view text) {
    return read_any_number(option.kind, text).and_then([&](std::uint64_t value) -> result<std::uint64_t> {
        if (!option.has_range() || (value >= option.least && value <= option.most)) { return value; }
        return fail(error_code::invalid_argument, "out of range " + option.values(), std::string(text));
    });
}

result<bool> read_flag(std::string_view text) {
    for (const std::string_view yes : {"1", "on", "true", "yes"}) {
        if (text == yes) { return true; }
    }
    for (const std::string_view no : {"0", "off", "false", "no"}) {
        if (text == no) { return false; }
    }
    return fail(error_code::invalid_argument, "neither 1 nor 0", std::string(text));
}

std::string write_bytes(std::uint64_t bytes) { return write_with(byte_units, "", bytes); }

std::string write_duration(std::uint64_t nanoseconds) {
    return nanoseconds == 0 ? "0s" : write_with(time_units, "ns", nanoseconds);
}

std::string write_number(option_kind kind, std::uint64_t value) {
    if (kind == option_kind::bytes) { return write_bytes(value); }
    return kind == option_kind::duration ? write_duration(value) : std::to_string(value);
}

}  // namespace v1
}  // namespace memwatch
