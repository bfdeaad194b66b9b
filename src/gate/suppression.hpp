// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a team has decided not to be told about, in the syntax it already has for LeakSanitizer: one `leak:PATTERN` a line,
// lines that begin with # are comments. A pattern matches any part of a function, source file or module of any frame; `*`
// stands for any run of characters, `^` in front and `$` at the end bind it to the ends.
//
// Two things differ from LeakSanitizer, on purpose: `$` finds the last of several occurrences ("foo$" matches "foofoo"), and an
// empty pattern, which would suppress everything, is refused.
// In: text from a repository. Out: values. Threads: any.

#include <string>
#include <string_view>
#include <vector>

#include <memwatch/base/result.hpp>
#include <memwatch/model/snapshot.hpp>

namespace memwatch::inline v1::gate {

struct suppression {
    std::string pattern;  // without "leak:"
    std::string where;    // "lsan.supp:12": who said so
};

inline constexpr std::size_t most_suppressions = 10'000;
inline constexpr std::size_t longest_pattern = 1024;

// `where` names the text in messages. Errors: unreadable (a line that is no leak: rule, an empty pattern), limit.
[[nodiscard]] result<std::vector<suppression>> parse_suppressions(std::string_view text, const std::string& where);

// "leak:PATTERN" or, in a place where nothing else can be meant, PATTERN. Errors: unreadable.
[[nodiscard]] result<suppression> parse_suppression(std::string_view line, const std::string& where);

// Whether the pattern matches the text; empty text is never matched. O(text x pattern).
[[nodiscard]] bool matches_pattern(std::string_view pattern, std::string_view text);

// What a pattern is held against: functions (as written and bare, inlined ones included), source files and module paths of all
// frames. Made once a stack, for bare names cost more than matching.
[[nodiscard]] std::vector<std::string> texts_of(const std::vector<frame>& stack, const std::vector<module>& modules);

[[nodiscard]] bool suppresses(const suppression& s, const std::vector<std::string>& texts);

}  // namespace memwatch::inline v1::gate
