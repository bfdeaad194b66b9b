// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <fmt/format.h>

#include <memwatch/base/units.hpp>

#include "gate/gate_words.hpp"
#include "gate/render.hpp"
#include "report/words.hpp"

namespace memwatch::inline v1::gate {
namespace {

constexpr std::size_t kept_for_the_end = 300;  // what says that something was cut
constexpr std::size_t name_width = 120;

// Pieces are added whole or not at all.
class bounded_page {
public:
    bool add(const std::string& piece) {
        if (text_.size() + piece.size() > most_markdown_bytes - kept_for_the_end) {
            ++left_off_;
            return false;
        }
        text_ += piece;
        return true;
    }

    std::string finish() && {
        if (left_off_ != 0) {
            text_ += fmt::format("\n{} more lines do not fit here; the JSON and SARIF files have them.\n", left_off_);
        }
        return std::move(text_);
    }

private:
    std::string text_;
    std::size_t left_off_{};
};

std::string rule_row(const judged_rule& rule) {
    return fmt::format("| {} | {} | {} | {} |\n", code_span(elide(rule.name, name_width)), format_bytes(rule.limit_bytes),
                       rule.items.empty() ? "-" : growth_words(rule.items.front()),
                       rule.what == outcome::breached ? "**FAILED**"
                       : rule.has_power()             ? outcome_words(rule.what)
                                                      : std::string(outcome_words(rule.what)) + ", no power");
}

std::string finding_row(const gate_report& r, const finding& f) {
    const delta_row* row = row_of(r, f);
    const std::string place = place_words(r, f);
    return fmt::format("| {} | {} | {} | {} | {} | {} | {} |\n",
                       f.item->what == outcome::breached ? "**FAILED**" : "not counted: within sampling error",
                       growth_words(*f.item), format_bytes(f.rule->limit_bytes), code_span(elide(name_of(r, f), name_width)),
                       code_span(place), code_span(row == nullptr ? "" : row->tag),
                       row == nullptr ? "-" : to_string(row->rung));
}

}  // namespace

std::string render_markdown(const gate_report& r) {
    bounded_page page;
    page.add(fmt::format("### {} Memory gate: {}\n\n", r.judged.is_breached() ? "\xE2\x9D\x8C" : "\xE2\x9C\x85",
                         code_span(conclusion_words(r))));
    page.add(fmt::format("base {}, head {}{}\n\n", code_span(r.base), code_span(r.head),
                         r.policy_file.empty() ? "" : ", policy " + code_span(r.policy_file)));
    page.add("| rule | limit | largest growth | result |\n|---|--:|--:|---|\n");
    for (const judged_rule& rule : r.judged.rules) { page.add(rule_row(rule)); }
    std::vector<finding> found = findings_of(r.judged, outcome::breached);
    const auto doubtful = findings_of(r.judged, outcome::within_error);
    found.insert(found.end(), doubtful.begin(), doubtful.end());
    if (!found.empty()) {
        page.add("\n| result | growth | limit | what | where | tag | same site by |\n|---|--:|--:|---|---|---|---|\n");
        for (const finding& f : found) { page.add(finding_row(r, f)); }
    }
    if (!r.judged.suppressed.empty()) {
        page.add(fmt::format("\n{} sites suppressed ({}).\n", r.judged.suppressed.size(),
                             format_bytes_signed(r.judged.suppressed_bytes)));
    }
    const std::vector<std::string> notes = notes_of(r);
    if (!notes.empty()) { page.add("\n"); }
    for (const std::string& note : notes) { page.add("- " + code_span(note) + "\n"); }
    return std::move(page).finish();
}

}  // namespace memwatch::inline v1::gate
