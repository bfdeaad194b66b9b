// SPDX-License-Identifier: Apache-2.0
#include <memwatch/base/units.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <system_error>

namespace memwatch {
inline namespace v1 {
namespace {

__extension__ using wide = unsigned __int128;  // 2^63 - 1 with nine decimals behind it fits

constexpr std::uint64_t largest_value = (std::uint64_t{1} << 63) - 1;
constexpr int kept_decimals = 9;
constexpr std::uint64_t decimal_scale = 1'000'000'000;  // 10^kept_decimals

struct unit {
    std::string_view name;  // lower case
    std::uint64_t factor;
};

// "B" is optional behind a prefix and stands alone for bytes. Decimal and binary prefixes never mean each other.
constexpr std::array<unit, 23> byte_units{{
    {"", 1},
    {"b", 1},
    {"byte", 1},
    {"bytes", 1},
    {"k", 1'000},
    {"kb", 1'000},
    {"m", 1'000'000},
    {"mb", 1'000'000},
    {"g", 1'000'000'000},
    {"gb", 1'000'000'000},
    {"t", 1'000'000'000'000},
    {"tb", 1'000'000'000'000},
    {"p", 1'000'000'000'000'000},
    {"pb", 1'000'000'000'000'000},
    {"ki", 1ULL << 10},
    {"kib", 1ULL << 10},
    {"mi", 1ULL << 20},
    {"mib", 1ULL << 20},
    {"gi", 1ULL << 30},
    {"gib", 1ULL << 30},
    {"ti", 1ULL << 40},
    {"tib", 1ULL << 40},
    {"pib", 1ULL << 50},
}};

constexpr std::array<unit, 7> duration_units{{
    {"ns", 1},
    {"us", 1'000},
    {"ms", 1'000'000},
    {"s", 1'000'000'000},
    {"m", 60'000'000'000},
    {"h", 3'600'000'000'000},
    {"d", 86'400'000'000'000},
}};

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool is_space(char c) noexcept { return c == ' ' || c == '\t'; }

std::string_view trimmed(std::string_view text) noexcept {
    while (!text.empty() && is_space(text.front())) { text.remove_prefix(1); }
    while (!text.empty() && is_space(text.back())) { text.remove_suffix(1); }
    return text;
}

std::string lower_case(std::string_view text) {
    std::string lower(text);
    for (char& c : lower) {
        if (c >= 'A' && c <= 'Z') { c = static_cast<char>(c - 'A' + 'a'); }
    }
    return lower;
}

// A plain decimal number, in units of 10^-9. Digits instead of a double, so that "9007199254740993" stays itself.
struct decimal {
    wide scaled{};
    bool is_number{};    // at least one digit
    bool is_overflow{};  // integer part above 2^63 - 1
};

decimal take_decimal(std::string_view& text) noexcept {
    decimal number;
    wide whole = 0;
    for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1)) {
        number.is_number = true;
        whole = whole * 10 + static_cast<unsigned>(text.front() - '0');
        if (whole > largest_value) {
            number.is_overflow = true;
            whole = largest_value;
        }
    }
    std::uint64_t fraction = 0;
    int decimals = 0;
    if (!text.empty() && text.front() == '.') {
        for (text.remove_prefix(1); !text.empty() && is_digit(text.front()); text.remove_prefix(1)) {
            number.is_number = true;
            if (decimals == kept_decimals) { continue; }
            fraction = fraction * 10 + static_cast<unsigned>(text.front() - '0');
            ++decimals;
        }
    }
    for (; decimals < kept_decimals; ++decimals) { fraction *= 10; }
    number.scaled = whole * decimal_scale + fraction;
    return number;
}

template <std::size_t N>
result<std::uint64_t> parse_quantity(std::string_view text, const std::array<unit, N>& units, const char* what,
                                     const char* examples) {
    std::string_view rest = trimmed(text);
    const decimal number = take_decimal(rest);
    if (!number.is_number) {
        return fail(error_code::invalid_argument, std::string("not a ") + what + " (try " + examples + ")", std::string(text));
    }
    const std::string suffix = lower_case(trimmed(rest));
    for (const unit& candidate : units) {
        if (candidate.name != suffix) { continue; }
        // 2^63 * 10^9 * 2^50 needs 143 bits; compare before multiplying.
        const wide limit = (static_cast<wide>(largest_value) * decimal_scale) / candidate.factor;
        if (number.is_overflow || number.scaled > limit) {
            return fail(error_code::invalid_argument, std::string(what) + " is above 2^63 - 1", std::string(text));
        }
        return static_cast<std::uint64_t>((number.scaled * candidate.factor + decimal_scale / 2) / decimal_scale);
    }
    return fail(error_code::invalid_argument,
                suffix.empty() ? std::string(what) + " without a unit (try " + examples + ")"
                               : "unknown unit of a " + std::string(what) + " (try " + examples + ")",
                std::string(text));
}

// std::to_chars, because printf's decimal point depends on the host's locale.
std::string fixed(double value, int decimals) {
    std::array<char, 400> buffer;  // the largest double has 309 digits before the point
    const auto written = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed, decimals);
    return written.ec == std::errc() ? std::string(buffer.data(), written.ptr) : std::string("?");
}

std::string two_digits(std::uint64_t value) { return (value < 10 ? "0" : "") + std::to_string(value); }

}  // namespace

result<std::uint64_t> parse_bytes(std::string_view text) {
    return parse_quantity(text, byte_units, "size", "4096, 64KiB, 10MB");
}

result<std::uint64_t> parse_duration(std::string_view text) {
    return parse_quantity(text, duration_units, "duration", "250ms, 10s, 5m");
}

std::string format_bytes(double bytes) {
    static constexpr std::array<const char*, 7> names{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (!std::isfinite(bytes)) { return "? B"; }
    double value = std::fabs(bytes);
    std::size_t power = 0;
    // The rounded value decides, so that no size prints as "1024.0 KiB" or "1024 B".
    while (power + 1 < names.size() && value >= (power == 0 ? 1023.5 : 1023.95)) {
        value /= 1024.0;
        ++power;
    }
    const std::string digits = fixed(value, power == 0 ? 0 : 1);
    return (bytes < 0 && digits != "0" ? "-" : "") + digits + " " + names[power];
}

std::string format_bytes_signed(double bytes) {
    std::string text = format_bytes(bytes);
    return bytes > 0 && text != "0 B" && text != "? B" ? "+" + text : text;
}

std::string format_duration(std::uint64_t nanoseconds) {
    constexpr std::uint64_t microsecond = 1'000, millisecond = 1'000'000, second = 1'000'000'000;
    if (nanoseconds == 0) { return "0 s"; }
    if (nanoseconds < microsecond) { return std::to_string(nanoseconds) + " ns"; }
    if (nanoseconds < millisecond) { return std::to_string(nanoseconds / microsecond) + " us"; }
    if (nanoseconds < second) { return std::to_string(nanoseconds / millisecond) + " ms"; }
    const std::uint64_t seconds = nanoseconds / second;
    if (seconds < 60) {
        const std::uint64_t tenths = nanoseconds / (second / 10);
        return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s";
    }
    const std::uint64_t minutes = seconds / 60, hours = minutes / 60, days = hours / 24;
    if (hours == 0) { return std::to_string(minutes) + "m" + two_digits(seconds % 60) + "s"; }
    if (days == 0) { return std::to_string(hours) + "h" + two_digits(minutes % 60) + "m"; }
    return std::to_string(days) + "d" + two_digits(hours % 24) + "h";
}

}  // namespace v1
}  // namespace memwatch
