// SPDX-License-Identifier: Apache-2.0
#pragma once
// The `focus` of a diff, compiled once: a case-sensitive glob (`*` any run, `?` any one character; matches the whole text, or,
// without a wildcard, any part of it) or `re:` and an ECMAScript regular expression that may match anywhere.
//
// A focus can come from a URL, so its cost is bounded: the glob runs in O(text x pattern), the regex on libstdc++'s
// breadth-first executor, which is polynomial and knows no back references; its length, its counted repetitions and the text it
// looks at are capped.

#include <regex>
#include <string>
#include <string_view>

#include <memwatch/base/result.hpp>

namespace memwatch::inline v1 {

class focus {
public:
    // "" matches everything. Errors: invalid_argument, `where` is the expression.
    [[nodiscard]] static result<focus> parse(const std::string& expression);

    [[nodiscard]] bool is_everything() const { return kind_ == kind::everything; }
    [[nodiscard]] bool matches(std::string_view text) const;

private:
    enum class kind { everything, part, glob, regex };
    kind kind_{kind::everything};
    std::string pattern_;
    std::regex regex_;
};

}  // namespace memwatch::inline v1
