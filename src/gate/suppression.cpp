// SPDX-License-Identifier: Apache-2.0
#include "gate/suppression.hpp"

#include <algorithm>

#include <memwatch/model/site_name.hpp>

#include "base/glob.hpp"

namespace memwatch::inline v1::gate {
namespace {

constexpr std::string_view prefix = "leak:";
constexpr std::string_view blanks = " \t\r";

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) { return {}; }
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

}  // namespace

result<suppression> parse_suppression(std::string_view line, const std::string& where) {
    std::string_view pattern = trimmed(line);
    if (pattern.substr(0, prefix.size()) == prefix) { pattern = trimmed(pattern.substr(prefix.size())); }
    if (pattern.find_first_not_of("^*$") == std::string_view::npos) {
        return fail(error_code::unreadable, "a suppression needs a pattern: this one would hide every site", where);
    }
    if (pattern.size() > longest_pattern) {
        return fail(error_code::limit, "a pattern has at most " + std::to_string(longest_pattern) + " characters", where);
    }
    return suppression{std::string(pattern), where};
}

result<std::vector<suppression>> parse_suppressions(std::string_view text, const std::string& where) {
    std::vector<suppression> found;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::size_t end = text.find('\n');
        const std::string_view line = trimmed(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (line.empty() || line.front() == '#') { continue; }
        const std::string place = where + ":" + std::to_string(number);
        if (line.substr(0, prefix.size()) != prefix) {
            return fail(error_code::unreadable, "not a leak:PATTERN line, and no comment", place);
        }
        auto one = parse_suppression(line, place);
        if (!one) { return tl::unexpected<error>(one.error()); }
        if (found.size() == most_suppressions) {
            return fail(error_code::limit, "more than " + std::to_string(most_suppressions) + " suppressions", place);
        }
        found.push_back(std::move(*one));
    }
    return found;
}

bool matches_pattern(std::string_view pattern, std::string_view text) {
    if (text.empty()) { return false; }
    const bool at_start = pattern.substr(0, 1) == "^";
    if (at_start) { pattern.remove_prefix(1); }
    const std::size_t dollar = pattern.find('$');  // as in LeakSanitizer, nothing behind it counts
    const bool at_end = dollar != std::string_view::npos;
    std::string bound = at_start ? "" : "*";
    bound += pattern.substr(0, dollar);
    if (!at_end) { bound += '*'; }
    return glob_matches(bound, text, question_mark::itself);
}

std::vector<std::string> texts_of(const std::vector<frame>& stack, const std::vector<module>& modules) {
    std::vector<std::string> texts;
    for (const frame& f : stack) {
        for (const source_line& line : f.lines) {
            texts.push_back(line.function);
            if (std::string bare = bare_function_name(line.function); bare != line.function) {
                texts.push_back(std::move(bare));
            }
            texts.push_back(line.file);
        }
        if (f.module < modules.size()) { texts.push_back(modules[f.module].path); }
    }
    return texts;
}

bool suppresses(const suppression& s, const std::vector<std::string>& texts) {
    return std::any_of(texts.begin(), texts.end(), [&](const std::string& text) { return matches_pattern(s.pattern, text); });
}

}  // namespace memwatch::inline v1::gate
