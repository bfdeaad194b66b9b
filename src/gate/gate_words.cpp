// SPDX-License-Identifier: Apache-2.0
#include "gate/gate_words.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include <memwatch/base/units.hpp>

#include "gate/place.hpp"
#include "report/findings.hpp"
#include "report/words.hpp"

namespace memwatch::inline v1::gate {
namespace {

constexpr std::size_t most_notes_of_a_kind = 5;
constexpr std::size_t name_width = 200;

// A gate compares runs, and machines: that they are not the same is no news.
bool is_expected(const std::string& warning) {
    constexpr std::array<std::string_view, 4> expected{"different sessions", "different hosts", "different builds",
                                                       "the time between the snapshots is unknown"};
    return std::any_of(expected.begin(), expected.end(), [&](std::string_view each) { return warning.rfind(each, 0) == 0; });
}

bool is_tag(const judged_rule& rule) { return rule.kind == rule_kind::tag_budget; }

std::string moved_words(const gate_report& r, const finding& f) {
    const std::size_t past = f.item->moved_from;
    if (past == no_row || is_tag(*f.rule)) { return {}; }
    const delta_row& row = r.sites.rows[past];
    return fmt::format("{} moved from {} ({} there): {}", r.rules.accepts_moves ? "taken as" : "perhaps",
                       row_title(dimension::site, row), format_bytes_signed(row.bytes),
                       r.rules.accepts_moves ? "judged as one" : "accept_moves judges such pairs as one");
}

void add_capped(std::vector<std::string>& notes, std::vector<std::string> some, const char* of_what) {
    const std::size_t more = some.size() > most_notes_of_a_kind ? some.size() - most_notes_of_a_kind : 0;
    some.resize(some.size() - more);
    std::move(some.begin(), some.end(), std::back_inserter(notes));
    if (more != 0) { notes.push_back(fmt::format("and {} more {}", more, of_what)); }
}

}  // namespace

std::vector<finding> findings_of(const judgement& j, outcome what) {
    std::vector<finding> found;
    for (const judged_rule& rule : j.rules) {
        for (const judged_item& item : rule.items) {
            if (item.what == what) { found.push_back({&rule, &item}); }
        }
    }
    std::stable_sort(found.begin(), found.end(), [](const finding& a, const finding& b) {
        const bool total_a = a.item->row == no_row;
        const bool total_b = b.item->row == no_row;
        return total_a != total_b ? total_b : a.item->bytes > b.item->bytes;
    });
    return found;
}

const delta_row* row_of(const gate_report& r, const finding& f) {
    if (f.item->row == no_row) { return nullptr; }
    return is_tag(*f.rule) ? &r.tags.rows[f.item->row] : &r.sites.rows[f.item->row];
}

std::string name_of(const gate_report& r, const finding& f) {
    const delta_row* row = row_of(r, f);
    if (row == nullptr) { return "all sites without a budget of their own"; }
    return is_tag(*f.rule) ? "tag " + row->name : elide(row_title(dimension::site, *row), name_width);
}

std::string place_words(const gate_report& r, const finding& f) {
    const delta_row* row = row_of(r, f);
    if (row == nullptr) { return {}; }
    const auto place = place_of(row->stack, r.source_root);
    if (!place) { return {}; }
    return place->line == 0 ? place->file : fmt::format("{}:{}", place->file, place->line);
}

std::string growth_words(const judged_item& item) {
    const std::string growth = format_bytes_signed(item.bytes);
    return item.standard_error > 0 ? growth + " +- " + format_bytes(item.standard_error) : growth;
}

std::string finding_words(const gate_report& r, const finding& f) {
    std::string words =
        growth_words(*f.item) + " " + (is_tag(*f.rule) || f.item->row == no_row ? "for " : "at ") + name_of(r, f);
    if (const std::string place = place_words(r, f); !place.empty()) { words += " (" + place + ")"; }
    if (f.item->paths > 1) { words += fmt::format(" by {} call paths", f.item->paths); }
    const delta_row* row = row_of(r, f);
    if (row != nullptr && !row->tag.empty() && row->tag != "untagged") { words += ", tag " + row->tag; }
    if (row != nullptr && !row->type.empty()) { words += ", type " + elide(row->type, name_width); }
    words += fmt::format(", limit {}", format_bytes(f.rule->limit_bytes));
    if (f.item->what == outcome::within_error) { words += ": within sampling error, not counted"; }
    return words;
}

std::string conclusion_words(const gate_report& r) {
    const auto breaches = findings_of(r.judged, outcome::breached);
    const std::size_t rules = r.judged.rules.size();
    if (!breaches.empty()) {
        return fmt::format("FAILED, {} of {} rules: {}", r.judged.count(outcome::breached), rules,
                           finding_words(r, breaches.front()));
    }
    const auto doubtful = findings_of(r.judged, outcome::within_error);
    std::string words = fmt::format("passed, {} rules", rules);
    if (!doubtful.empty()) { words += ": " + finding_words(r, doubtful.front()); }
    return words;
}

std::string power_words(const judged_rule& rule, double interval_bytes) {
    if (rule.has_power() || rule.what == outcome::breached) { return {}; }
    return fmt::format(
        "no power: {} has the limit {}, but with one sample in {} growth of small blocks shows from {} on; sample "
        "finer (MEMWATCH_INTERVAL={:.0f} or MEMWATCH_PRESET=full) or raise the limit",
        rule.name, format_bytes(rule.limit_bytes), format_bytes(interval_bytes), format_bytes(rule.seen_from_bytes),
        std::max(1.0, rule.limit_bytes / 4));
}

std::vector<std::string> notes_of(const gate_report& r) {
    std::vector<std::string> notes;
    std::vector<std::string> some;
    for (const judged_rule& rule : r.judged.rules) {
        if (const std::string words = power_words(rule, r.judged.interval_bytes); !words.empty()) { some.push_back(words); }
    }
    add_capped(notes, std::exchange(some, {}), "rules without power");
    for (const outcome what : {outcome::breached, outcome::within_error}) {
        for (const finding& f : findings_of(r.judged, what)) {
            if (std::string words = moved_words(r, f); !words.empty()) { some.push_back(name_of(r, f) + ": " + words); }
        }
    }
    add_capped(notes, std::exchange(some, {}), "sites that may have moved");
    for (const judged_rule& rule : r.judged.rules) {
        const bool is_budget = rule.kind == rule_kind::site_budget || rule.kind == rule_kind::tag_budget;
        if (is_budget && rule.looked_at == 0) { some.push_back("nothing fits the budget for " + rule.name); }
    }
    add_capped(notes, std::exchange(some, {}), "budgets that fit nothing");
    for (const std::size_t i : r.judged.unused_suppressions) {
        const suppression& s = r.rules.suppressions[i];
        some.push_back("nothing fits the suppression leak:" + s.pattern + (s.where.empty() ? "" : " (" + s.where + ")"));
    }
    add_capped(notes, std::exchange(some, {}), "suppressions that fit nothing");
    std::copy_if(r.sites.warnings.begin(), r.sites.warnings.end(), std::back_inserter(notes),
                 [](const std::string& warning) { return !is_expected(warning); });
    return notes;
}

const char* outcome_words(outcome what) noexcept {
    switch (what) {
        case outcome::passed:
            return "passed";
        case outcome::within_error:
            return "not counted";
        case outcome::breached:
            return "FAILED";
    }
    return "";
}

}  // namespace memwatch::inline v1::gate
