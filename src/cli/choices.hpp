// SPDX-License-Identifier: Apache-2.0
#pragma once
// The words an option may be, once: shown as its type in help ("--format text|md|json"), checked when it is read, offered by
// completion. What is not one of them is refused with the list.

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include <memwatch/base/result.hpp>

namespace CLI {  // NOLINT(readability-identifier-naming): CLI11's
class Option;
}

namespace memwatch {
inline namespace v1 {

class choices {
public:
    choices(std::initializer_list<const char*> words) : words_(words.begin(), words.end()) {}
    explicit choices(std::vector<std::string> words) : words_(std::move(words)) {}

    // Makes them the option's type; gives the option back, for what else is said about it.
    CLI::Option* offer(CLI::Option* option) const;

    [[nodiscard]] bool has(std::string_view word) const noexcept;
    [[nodiscard]] std::string in_words() const;  // "text, md or json"

    // `option` as the user typed it: "--format". Errors: invalid_argument, "--format pdf: use text, md or json".
    [[nodiscard]] result<void> check(std::string_view option, std::string_view word) const;

    [[nodiscard]] const std::vector<std::string>& words() const noexcept { return words_; }

private:
    std::vector<std::string> words_;  // a-z, 0-9, '_' and '-'
};

// What offer() or CLI::IsMember told the parser; empty = any word will do.
[[nodiscard]] std::vector<std::string> offered_words(const CLI::Option& option);

}  // namespace v1
}  // namespace memwatch
