// SPDX-License-Identifier: Apache-2.0
#include "report/words.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

#include <fmt/format.h>
#include <memwatch/base/units.hpp>
#include <memwatch/model/site_name.hpp>

#include "model/plumbing.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::size_t function_width = 72, place_width = 72;

std::string escape_of(char32_t code_point, bool is_character) {
    switch (code_point) {
        case '\n':
            return "\\n";
        case '\t':
            return "\\t";
        case '\r':
            return "\\r";
        default:
            break;
    }
    const auto value = static_cast<std::uint32_t>(code_point);
    return value < 0x80 || !is_character ? fmt::format("\\x{:02x}", value) : fmt::format("\\u{{{:x}}}", value);
}

// Folds the outermost template argument lists that are longer than "<...>".
std::string fold_templates(std::string_view text) {
    std::string folded;
    std::string inside;
    int depth = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const bool is_arrow_or_operator = (c == '>' && i > 0 && text[i - 1] == '-') || folded.ends_with("operator");
        if (c == '<' && !is_arrow_or_operator && depth++ == 0) {
            inside.clear();
            continue;
        }
        if (c == '>' && !is_arrow_or_operator && depth > 0 && --depth == 0) {
            folded += inside.size() > 3 ? "<...>" : fmt::format("<{}>", inside);
            continue;
        }
        (depth > 0 ? inside : folded) += c;
    }
    return depth == 0 ? folded : std::string(text);  // unbalanced: an operator< we did not see; leave it alone
}

std::string tail_of_path(std::string_view path, std::size_t width) {
    if (display_width(path) <= width) { return std::string(path); }
    const std::size_t slash = path.find('/', path.size() - std::min(path.size(), width));
    return slash == std::string_view::npos ? elide(std::string(path), width) : "..." + std::string(path.substr(slash));
}

// A line of a frame as people read it; `function` is the demangled name.
frame_words words_of(const source_line& line) {
    std::string place;
    if (!line.file.empty()) {
        place = tail_of_path(printable(line.file), place_width) + (line.line != 0 ? fmt::format(":{}", line.line) : "");
    }
    return {elide(printable(bare_function_name(line.function)), function_width), std::move(place)};
}

// Whether site_name() would call a site by this frame: the one place that knows which unnamed modules are plumbing.
bool is_own_unnamed(const frame& f, const std::vector<module>& modules) {
    return f.module < modules.size() && site_name({frame{}, f}, modules) == frame_name(f, modules);
}

// libc, libstdc++, memwatch's own door around main: nobody's code, also where it has names.
bool is_of_plumbing(const frame& f, const std::vector<module>& modules) {
    return f.module < modules.size() && !is_own_unnamed({f.module, f.offset, {}}, modules);
}

}  // namespace

std::string printable(std::string_view text) {
    std::string shown;
    shown.reserve(text.size());
    while (!text.empty()) {
        const std::string_view before = text;
        char32_t code_point{};
        const bool is_character = take_code_point(text, code_point);
        if (is_character && !is_control(code_point)) {
            shown += before.substr(0, before.size() - text.size());
        } else {
            shown += escape_of(code_point, is_character);
        }
    }
    return shown;
}

std::size_t display_width(std::string_view text) noexcept {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80; }));
}

std::string elide(std::string text, std::size_t width) {
    if (display_width(text) <= width) { return text; }
    text = fold_templates(text);
    if (display_width(text) <= width) { return text; }
    std::size_t columns = 0, end = 0;
    while (end < text.size()) {
        if ((static_cast<unsigned char>(text[end]) & 0xC0U) != 0x80 && ++columns + 3 > width) { break; }
        ++end;
    }
    return text.substr(0, end) + "...";
}

std::string code_span(std::string_view text) {
    if (text.empty()) { return "-"; }
    const std::string shown = printable(text);
    std::size_t longest_run = 0, run = 0;
    std::string escaped;
    for (const char c : shown) {
        run = c == '`' ? run + 1 : 0;
        longest_run = std::max(longest_run, run);
        // GitHub's tables split at pipes before they look for code spans. Behind a backslash of the name's own, some would take
        // ours for the escaped one, and split all the same: such a pipe is spelled as bytes are.
        const bool is_behind_backslash = !escaped.empty() && escaped.back() == '\\';
        if (c == '|') { escaped += is_behind_backslash ? "x7c" : "\\|"; }
        if (c != '|') { escaped += c; }
    }
    const std::string fence(longest_run + 1, '`');
    const bool needs_space = escaped.front() == '`' || escaped.back() == '`';
    return fence + (needs_space ? " " : "") + escaped + (needs_space ? " " : "") + fence;
}

std::string format_count(double count) {
    if (!std::isfinite(count)) { return "?"; }
    const std::string digits = fmt::format("{:.0f}", std::fabs(count));
    std::string grouped = count < 0 && digits != "0" ? "-" : "";
    for (std::size_t i = 0; i < digits.size(); ++i) {
        if (i != 0 && (digits.size() - i) % 3 == 0) { grouped += ','; }
        grouped += digits[i];
    }
    return grouped;
}

std::string format_count_signed(double count) {
    std::string text = format_count(count);
    return count > 0 && text != "0" && text != "?" ? "+" + text : text;
}

std::string format_estimate(double bytes, double standard_error) {
    return standard_error > 0 ? fmt::format("{} +- {}", format_bytes(bytes), format_bytes(standard_error))
                              : format_bytes(bytes);
}

std::string format_share(double part, double whole) {
    if (whole == 0 || part == 0 || (part < 0) != (whole < 0)) { return {}; }
    const double percent = 100.0 * part / whole;
    if (!std::isfinite(percent)) { return {}; }
    return percent < 1 ? std::string("<1 %") : fmt::format("{:.0f} %", percent);
}

std::string format_time(std::uint64_t unix_ns) {
    if (unix_ns == 0) { return "?"; }
    using namespace std::chrono;
    const sys_seconds time{seconds{static_cast<std::int64_t>(unix_ns / 1'000'000'000)}};
    const auto day = floor<days>(time);
    const year_month_day date{day};
    const hh_mm_ss clock{time - day};
    return fmt::format("{:04d}-{:02d}-{:02d} {:02d}:{:02d}:{:02d} UTC", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                       clock.minutes().count(), clock.seconds().count());
}

std::string_view base_name(std::string_view path) noexcept {
    const std::size_t slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::vector<frame_words> user_frames(const std::vector<frame>& stack, const std::vector<module>& modules, std::size_t limit) {
    std::vector<frame_words> own, all;
    for (const frame& f : stack) {
        if (own.size() >= limit) { break; }
        bool is_named = false;
        const bool is_nobodys = is_of_plumbing(f, modules);
        for (const source_line& line : f.lines) {
            if (line.function.empty()) { continue; }
            is_named = true;
            const bool is_own = !is_nobodys && !is_plumbing(line.function) && !is_system_header(line.file);
            if (is_own && own.size() < limit) { own.push_back(words_of(line)); }
            if (all.size() < limit) { all.push_back(words_of(line)); }
        }
        if (is_named) { continue; }
        frame_words unnamed{printable(frame_name(f, modules)), {}};
        if (is_own_unnamed(f, modules)) { own.push_back(unnamed); }
        if (all.size() < limit) { all.push_back(std::move(unnamed)); }
    }
    return own.empty() ? all : own;
}

}  // namespace v1
}  // namespace memwatch
