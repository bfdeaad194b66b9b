// SPDX-License-Identifier: Apache-2.0
#pragma once
// The sentences that all renderings of a judgement share. Names in them are as hostile as they came: whoever prints them
// neutralises the whole sentence for its own syntax.
//
// In: a judgement. Out: text. Threads: any.

#include <string>
#include <vector>

#include "gate/render.hpp"

namespace memwatch::inline v1::gate {

// A breach or a doubtful item together with its rule.
struct finding {
    const judged_rule* rule{};
    const judged_item* item{};
};

// Every item with that outcome: sites and tags by growth, largest first, the total last.
[[nodiscard]] std::vector<finding> findings_of(const judgement& j, outcome what);

// "orders::cache::insert", "tag order-cache", "all sites without a budget of their own".
[[nodiscard]] std::string name_of(const gate_report& r, const finding& f);

// The row of a finding; null for the total.
[[nodiscard]] const delta_row* row_of(const gate_report& r, const finding& f);

// "src/cache.cpp:42"; "" where it is unknown.
[[nodiscard]] std::string place_words(const gate_report& r, const finding& f);

// "+52.0 MiB +- 1.2 MiB"; exact ones without the error.
[[nodiscard]] std::string growth_words(const judged_item& item);

// "+52.0 MiB +- 1.2 MiB at orders::cache::insert (src/cache.cpp:42), tag x, limit 128.0 KiB".
[[nodiscard]] std::string finding_words(const gate_report& r, const finding& f);

// What the first line says.
[[nodiscard]] std::string conclusion_words(const gate_report& r);

// "", or why growth above the limit could go unseen and what would help.
[[nodiscard]] std::string power_words(const judged_rule& rule, double interval_bytes);

// Everything that is worth a line below the findings: power, moves, unused suppressions and budgets, what the delta warns of.
[[nodiscard]] std::vector<std::string> notes_of(const gate_report& r);

// "passed", "FAILED", "not counted".
[[nodiscard]] const char* outcome_words(outcome what) noexcept;

}  // namespace memwatch::inline v1::gate
