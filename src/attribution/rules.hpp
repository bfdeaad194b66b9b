// SPDX-License-Identifier: Apache-2.0
#pragma once
// The likely fix, by rules: each has a condition over the facts of a finding, the reason in words with the numbers that made it
// apply, and a suggestion. A rule never says that something leaks; it says what the numbers look like and what usually helps.
//
// Rules are asked in the order of the table in rules.cpp, the most specific first. The first that applies is the likely fix,
// further ones are alternatives. Where none applies, nothing is made up: the hints of kind `measure` say what would tell more.

#include <string>
#include <vector>

#include "attribution/facts.hpp"
#include "attribution/sentence.hpp"

namespace memwatch::inline v1 {

enum class hint_kind {
    fix,     // what to change
    wait,    // looks healthy so far: nothing to change yet
    measure  // what to record or ask for, to know more
};

[[nodiscard]] const char* to_string(hint_kind kind) noexcept;

struct hint {
    const char* rule;  // "erase_missing": stable, for scripts and tests
    hint_kind kind;
    const char* title;  // "Erase what is inserted"
    sentence why;
    const char* suggestion;
};

// In the order of the table; fixes and waits before measures.
[[nodiscard]] std::vector<hint> apply_rules(const facts& f);

// Every rule there is, with its condition in words: docs/report.md lists them, a test holds the page to this.
struct rule_words {
    const char* rule;
    hint_kind kind;
    const char* title;
    const char* condition;
};
[[nodiscard]] std::vector<rule_words> all_rules();

}  // namespace memwatch::inline v1
