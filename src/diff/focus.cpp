// SPDX-License-Identifier: Apache-2.0
#include "diff/focus.hpp"

#include "base/glob.hpp"

namespace memwatch::inline v1 {
namespace {

constexpr std::size_t max_expression = 256;
constexpr std::size_t max_regex_text = 512;  // of a name; C++ names beyond are template arguments of template arguments

// `x{1000}{1000}` would expand to a million states. Outside an escape or a class `{` only ever counts.
bool has_counted_repetition(std::string_view pattern) {
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] == '\\') {
            ++i;
        } else if (pattern[i] == '{') {
            return true;
        }
    }
    return false;
}

result<std::regex> compile(const std::string& pattern) {
    if (has_counted_repetition(pattern)) {
        return fail(error_code::invalid_argument, "a focus expression has no counted repetition; write \\{ for a brace",
                    "re:" + pattern);
    }
    try {
#ifdef __GLIBCXX__
        return std::regex{pattern, std::regex::ECMAScript | std::regex_constants::__polynomial};
#else
        return std::regex{pattern, std::regex::ECMAScript};
#endif
    } catch (const std::regex_error& failure) {
        return fail(error_code::invalid_argument, std::string{"not a regular expression: "} + failure.what(), "re:" + pattern);
    }
}

}  // namespace

result<focus> focus::parse(const std::string& expression) {
    focus out;
    if (expression.empty()) { return out; }
    if (expression.size() > max_expression) {
        return fail(error_code::invalid_argument, "a focus expression has at most 256 characters",
                    expression.substr(0, 64) + "...");
    }
    if (expression.compare(0, 3, "re:") == 0) {
        auto regex = compile(expression.substr(3));
        if (!regex) { return tl::unexpected<error>(regex.error()); }
        out.kind_ = kind::regex;
        out.regex_ = std::move(*regex);
        return out;
    }
    out.kind_ = expression.find_first_of("*?") == std::string::npos ? kind::part : kind::glob;
    out.pattern_ = expression;
    return out;
}

bool focus::matches(std::string_view text) const {
    switch (kind_) {
        case kind::everything:
            return true;
        case kind::part:
            return text.find(pattern_) != std::string_view::npos;
        case kind::glob:
            return glob_matches(pattern_, text, question_mark::any_character);
        case kind::regex: {
            const auto head = text.substr(0, max_regex_text);
            return std::regex_search(head.begin(), head.end(), regex_);
        }
    }
    return false;
}

}  // namespace memwatch::inline v1
