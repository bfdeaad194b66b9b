// SPDX-License-Identifier: Apache-2.0
#include "history/past_name.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace memwatch {
inline namespace v1 {
namespace history {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr std::size_t session_digits = 8;

struct civil_time {
    int year{};
    unsigned month{}, day{}, hour{}, minute{}, second{};
};

civil_time civil_time_of(std::uint64_t unix_ns) {
    const std::chrono::sys_seconds at{std::chrono::seconds(unix_ns / second_ns)};
    const auto day = std::chrono::floor<std::chrono::days>(at);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss clock{at - day};
    return {static_cast<int>(date.year()),
            static_cast<unsigned>(date.month()),
            static_cast<unsigned>(date.day()),
            static_cast<unsigned>(clock.hours().count()),
            static_cast<unsigned>(clock.minutes().count()),
            static_cast<unsigned>(clock.seconds().count())};
}

// Of exactly `digits` decimal digits; takes them off. -1: others stand there.
int take_number(std::string_view& text, std::size_t digits) {
    if (text.size() < digits) { return -1; }
    int value = 0;
    for (const char c : text.substr(0, digits)) {
        if (c < '0' || c > '9') { return -1; }
        value = value * 10 + (c - '0');
    }
    text.remove_prefix(digits);
    return value;
}

bool take(std::string_view& text, char wanted) {
    if (text.empty() || text.front() != wanted) { return false; }
    text.remove_prefix(1);
    return true;
}

bool is_hex_digit(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

}  // namespace

std::string make_past_name(std::uint64_t taken_unix_ns, std::string_view session) {
    const civil_time at = civil_time_of(taken_unix_ns);
    char text[64];
    std::snprintf(text, sizeof text, "%04d%02u%02uT%02u%02u%02uZ-", at.year, at.month, at.day, at.hour, at.minute, at.second);
    std::string digits(session.substr(0, session_digits));
    digits.resize(session_digits, '0');
    return text + digits;
}

std::optional<past_name> parse_past_name(std::string_view text) {
    const int year = take_number(text, 4);
    const int month = take_number(text, 2);
    const int day = take_number(text, 2);
    if (!take(text, 'T')) { return std::nullopt; }
    const int hour = take_number(text, 2);
    const int minute = take_number(text, 2);
    const int second = take_number(text, 2);
    if (!take(text, 'Z') || !take(text, '-')) { return std::nullopt; }
    if (text.size() != session_digits || !std::all_of(text.begin(), text.end(), is_hex_digit)) { return std::nullopt; }
    const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                           std::chrono::day(static_cast<unsigned>(day))};
    const bool is_time = hour >= 0 && hour < 24 && minute >= 0 && minute < 60 && second >= 0 && second < 60;
    if (year < 1970 || !date.ok() || !is_time) { return std::nullopt; }
    const auto days = std::chrono::sys_days(date).time_since_epoch().count();
    const auto seconds =
        static_cast<std::uint64_t>(days) * 86'400 + static_cast<std::uint64_t>(hour * 3600 + minute * 60 + second);
    if (seconds > ~std::uint64_t{0} / second_ns) { return std::nullopt; }  // beyond the year 2554
    return past_name{seconds * second_ns, std::string(text)};
}

std::string moment_in_words(std::uint64_t unix_ns) {
    const civil_time at = civil_time_of(unix_ns);
    char text[64];
    std::snprintf(text, sizeof text, "%04d-%02u-%02u %02u:%02u:%02u UTC", at.year, at.month, at.day, at.hour, at.minute,
                  at.second);
    return text;
}

}  // namespace history
}  // namespace v1
}  // namespace memwatch
