// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <fmt/format.h>

#include <memwatch/base/units.hpp>

#include "gate/gate_words.hpp"
#include "gate/render.hpp"
#include "report/text_table.hpp"
#include "report/words.hpp"

namespace memwatch::inline v1::gate {
namespace {

constexpr std::size_t shown_frames = 4;

text_style style_of(outcome what) {
    return what == outcome::breached ? text_style::growth : what == outcome::within_error ? text_style::dim : text_style::plain;
}

// What failed has seen enough.
bool lacks_power(const judged_rule& rule) { return !rule.has_power() && rule.what != outcome::breached; }

std::string growth_cell(const judged_rule& rule) {
    if (rule.items.empty()) { return "-"; }
    const judged_item& worst = rule.items.front();
    return growth_words(worst);
}

// "1 of 240 sites": what failed, or how many were looked at.
std::string looked_at_cell(const judged_rule& rule) {
    if (rule.kind == rule_kind::total) { return ""; }
    const char* noun = rule.kind == rule_kind::tag_budget ? "tag" : "site";
    const auto failed =
        std::count_if(rule.items.begin(), rule.items.end(), [](const judged_item& i) { return i.what == outcome::breached; });
    const std::string all = fmt::format("{} {}{}", rule.looked_at, noun, rule.looked_at == 1 ? "" : "s");
    return failed == 0 ? all : fmt::format("{} of {}", failed, all);
}

std::string rule_table(const gate_report& r, bool colour) {
    text_table table(colour, 2);
    table.add_column("rule", text_table::align::left);
    table.add_column("limit", text_table::align::right);
    table.add_column("largest growth", text_table::align::right);
    table.add_column("result", text_table::align::left);
    table.add_column("of", text_table::align::left);
    for (const judged_rule& rule : r.judged.rules) {
        table.add_row({elide(printable(rule.name), 60), format_bytes(rule.limit_bytes), growth_cell(rule),
                       std::string(outcome_words(rule.what)) + (lacks_power(rule) ? ", no power" : ""), looked_at_cell(rule)},
                      style_of(rule.what));
        if (!rule.reason.empty()) { table.add_note(printable(rule.reason)); }
    }
    return table.render();
}

std::string finding_lines(const gate_report& r, const finding& f, bool colour) {
    std::string text = styled(fmt::format("{:<11} {}", outcome_words(f.item->what), printable(finding_words(r, f))),
                              style_of(f.item->what), colour) +
                       "\n";
    const delta_row* row = row_of(r, f);
    if (row == nullptr || f.item->what != outcome::breached) { return text; }
    for (const frame_words& line : user_frames(row->stack, r.sites.modules, shown_frames)) {
        text += fmt::format("              {}{}\n", line.function, line.place.empty() ? "" : "  " + line.place);
    }
    if (row->rung != match_rung::none && f.rule->kind != rule_kind::tag_budget) {
        text += fmt::format("              known as the same site by: {}\n", to_string(row->rung));
    }
    return text;
}

std::string findings_section(const gate_report& r, std::size_t top, bool colour) {
    std::string text;
    for (const outcome what : {outcome::breached, outcome::within_error}) {
        const auto found = findings_of(r.judged, what);
        const std::size_t shown = top == 0 ? found.size() : std::min(top, found.size());
        for (std::size_t i = 0; i < shown; ++i) { text += finding_lines(r, found[i], colour); }
        if (shown < found.size()) { text += fmt::format("{:<11} and {} more\n", outcome_words(what), found.size() - shown); }
    }
    return text;
}

std::string suppressed_line(const gate_report& r) {
    const std::size_t count = r.judged.suppressed.size();
    if (count == 0) { return {}; }
    return fmt::format("suppressed  {} site{}, {}\n", count, count == 1 ? "" : "s",
                       format_bytes_signed(r.judged.suppressed_bytes));
}

}  // namespace

std::string render_text(const gate_report& r, std::size_t top, bool colour) {
    const bool failed = r.judged.is_breached();
    std::string text =
        styled("memwatch gate " + printable(conclusion_words(r)), failed ? text_style::growth : text_style::bold, colour) +
        "\n";
    text += fmt::format("base {}\nhead {}\n", printable(r.base), printable(r.head));
    if (!r.policy_file.empty()) { text += "policy " + printable(r.policy_file) + "\n"; }
    text += "\n" + rule_table(r, colour) + "\n";
    text += findings_section(r, top, colour) + suppressed_line(r);
    for (const std::string& note : notes_of(r)) { text += "note        " + printable(note) + "\n"; }
    return text;
}

}  // namespace memwatch::inline v1::gate
