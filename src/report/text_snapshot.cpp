// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>
#include <memwatch/base/units.hpp>

#include "model/sampling_stop.hpp"
#include "report/context_share.hpp"
#include "report/text.hpp"
#include "report/text_table.hpp"
#include "report/verdicts.hpp"
#include "report/words.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::size_t widest_name = 56;

std::string cell_words(const view_cell& cell, view_unit unit) {
    if (const auto* text = std::get_if<std::string>(&cell)) { return elide(printable(*text), widest_name); }
    if (const auto* flag = std::get_if<bool>(&cell)) { return *flag ? "yes" : "no"; }
    if (const auto* exact = std::get_if<std::uint64_t>(&cell)) {
        if (unit == view_unit::bytes) { return format_bytes(static_cast<double>(*exact)); }
        if (unit == view_unit::nanoseconds) { return format_duration(*exact); }
        if (unit == view_unit::identifier) { return std::to_string(*exact); }
        return format_count(static_cast<double>(*exact));
    }
    if (const auto* sampled = std::get_if<estimate>(&cell)) {
        return unit == view_unit::bytes ? format_estimate(sampled->value, sampled->standard_error)
                                        : format_count(sampled->value);
    }
    return "-";
}

std::size_t column_index(const view& v, std::string_view key) {
    const auto found = std::find_if(v.columns.begin(), v.columns.end(), [&](const view_column& c) { return c.key == key; });
    return static_cast<std::size_t>(found - v.columns.begin());
}

// "route /api/v2/orders (also /health) · traces 4bf9.., 8a0b.."
std::string evidence_words(const view& v, const std::vector<view_cell>& row) {
    std::string words;
    const auto* routes = std::get_if<std::vector<std::string>>(&row[column_index(v, "routes")]);
    if (routes != nullptr && routes->size() > 1) {
        words =
            "also for " + printable((*routes)[1]) + (routes->size() > 2 ? fmt::format(" and {} more", routes->size() - 2) : "");
    }
    const auto* traces = std::get_if<std::vector<std::string>>(&row[column_index(v, "trace_ids")]);
    if (traces != nullptr && !traces->empty()) {
        words += (words.empty() ? "" : "; ") + std::string(traces->size() == 1 ? "trace " : "traces ") +
                 fmt::format("{}", fmt::join(*traces, ", "));
    }
    return words;
}

std::string table_words(const view& v, bool colour, std::size_t indent) {
    text_table table(colour, indent);
    for (const view_column& c : v.columns) {
        if (!c.is_detail) {
            table.add_column(c.title, c.unit == view_unit::text ? text_table::align::left : text_table::align::right);
        }
    }
    for (const std::vector<view_cell>& row : v.rows) {
        std::vector<std::string> cells;
        for (std::size_t i = 0; i < row.size(); ++i) {
            if (!v.columns[i].is_detail) { cells.push_back(cell_words(row[i], v.columns[i].unit)); }
        }
        table.add_row(std::move(cells));
        if (v.kind != view_kind::sites) { continue; }
        if (std::string words = evidence_words(v, row); !words.empty()) { table.add_note(std::move(words)); }
    }
    return table.render();
}

std::string heading(const std::string& words, bool colour) { return "\n" + styled(words, text_style::bold, colour) + "\n"; }

std::string headline(const snapshot& s) {
    const snapshot_info& info = s.info;
    std::string words = printable(info.service.empty() ? std::string(base_name(info.executable)) : info.service);
    words += fmt::format("  pid {}", info.pid);
    if (!info.host.empty()) { words += " on " + printable(info.host); }
    words += "  up " + format_duration(info.taken_ns);
    if (info.started_unix_ns != 0) { words += "  at " + format_time(info.started_unix_ns + info.taken_ns); }
    if (!info.label.empty()) { words += "  label " + printable(info.label); }
    return words;
}

// live_totals(s) when there are records; a summary has only the sites' own sums.
sampled_totals live_heap(const snapshot& s) {
    sampled_totals total;
    for (const site& where : s.sites) { total.add(where.live); }
    return total;
}

// How the samples that the estimate is made of were chosen, and of which blocks it is one.
std::string sampling_words(const snapshot_info& info) {
    std::string words = info.sampler == "one_in_n" ? fmt::format("one block in {}", info.one_in)
                        : info.sampler == "own"    ? std::string("chosen by the program")
                                                   : "one per " + format_bytes(static_cast<double>(info.interval_bytes));
    if (info.min_size_bytes != 0) {
        words += fmt::format(", of blocks >= {}", format_bytes(static_cast<double>(info.min_size_bytes)));
    }
    return words;
}

std::string figures(const snapshot& s) {
    const sampled_totals live = live_heap(s);
    std::string words;
    if (s.info.window_ns != 0) { words = fmt::format("born in the last {} and ", format_duration(s.info.window_ns)); }
    words += (s.info.window_ns != 0 ? "alive: " : "live heap ") + format_estimate(live.bytes, live.bytes_standard_error());
    if (s.info.exact_until_ns != 0) {
        words += fmt::format(" (exact until {} after the start, when full mode's budget ended: {} recorded)",
                             format_duration(s.info.exact_until_ns), format_count(static_cast<double>(live.samples)));
    } else if (s.info.interval_bytes == 0 && live.bytes_variance > 0) {
        words += fmt::format(" (every block recorded while there was room for page edges, estimated since: {} samples)",
                             format_count(static_cast<double>(live.samples)));
    } else if (s.info.interval_bytes == 0) {
        words += fmt::format(" (every block recorded: {})", format_count(static_cast<double>(live.samples)));
    } else {
        words += fmt::format(" (estimated from {} samples, {})", format_count(static_cast<double>(live.samples)),
                             sampling_words(s.info));
    }
    if (s.info.resident_bytes != 0) { words += "   RSS " + format_bytes(static_cast<double>(s.info.resident_bytes)); }
    return words;
}

struct section {
    view_kind kind;
    const char* title;
    const char* note;
};

constexpr std::array<section, 6> sections{{
    {view_kind::sites, "Sites", "estimated live bytes +- one standard error"},
    {view_kind::tags, "Tags", "exact counters"},
    {view_kind::pools, "Pools", "exact counters, in objects"},
    {view_kind::threads, "Threads", "estimated, by the thread that allocated"},
    {view_kind::survivors, "Survivors", "estimated, since the start: alive when the second epoch after their own began"},
    {view_kind::hand_offs, "Hand-offs", "estimated, since the start: made by one thread, freed by another"},
}};

std::string named_values(const char* title, const std::vector<named_value>& values, bool are_bytes, bool colour) {
    std::string words;
    for (const named_value& v : values) {
        if (v.value == 0) { continue; }
        const std::string amount =
            are_bytes ? format_bytes(static_cast<double>(v.value)) : format_count(static_cast<double>(v.value));
        words += (words.empty() ? "" : ", ") + printable(v.name) + " " + amount;
    }
    return words.empty() ? words : styled(title, text_style::bold, colour) + "  " + words + "\n";
}

std::string section_words(const snapshot& s, const section& part, const text_options& options) {
    const result<view> v = make_view(s, part.kind, {options.top, {}, {}});
    if (!v || v->rows.empty()) { return {}; }
    const std::string shown =
        v->rows.size() < v->total_rows ? fmt::format(", top {} of {}", v->rows.size(), v->total_rows) : "";
    return heading(fmt::format("{} ({}{})", part.title, part.note, shown), options.colour) + table_words(*v, options.colour, 2);
}

}  // namespace

std::string render_text(const view& v, const text_options& options) {
    const std::string only = to_words(v.only, v.info);
    if (v.rows.empty()) { return fmt::format("no {}{}{}\n", to_string(v.kind), only.empty() ? "" : ": ", only); }
    std::string text = table_words(v, options.colour, 0);
    if (!only.empty()) { text += only + "\n"; }
    if (v.kind == view_kind::traces || v.kind == view_kind::routes) { text += to_words(v.context) + "\n"; }
    if (!v.cursor.empty()) {
        text += fmt::format("{} of {} rows; more with cursor {}\n", v.rows.size(), v.total_rows, v.cursor);
    }
    return text;
}

std::string render_text(const snapshot& s, const text_options& options) {
    std::string text = styled(headline(s), text_style::bold, options.colour) + "\n" + figures(s) + "\n";
    if (const std::string words = sampling_stop_words(s); !words.empty()) {
        text += styled(words, text_style::caution, options.colour) + "\n";
    }
    text += "fingerprint " + fingerprint_of(s).hex() + "\n";
    if (const std::string words = to_words(measure_context(s)); !words.empty()) { text += words + "\n"; }
    if (const std::string words = verdict_headline(s); !words.empty()) {
        const bool is_alarm = std::any_of(s.verdicts.begin(), s.verdicts.end(),
                                          [](const verdict& v) { return level_of(v.kind) == verdict_level::leak; });
        text += styled(words, is_alarm ? text_style::growth : text_style::plain, options.colour) + "\n";
    }
    if (options.only.is_set()) { text += to_words(options.only, s.info) + "\n"; }
    for (const section& part : sections) { text += section_words(s, part, options); }
    std::string own = named_values("Dropped records", s.drops, false, options.colour) +
                      named_values("Degradations", s.degradations, false, options.colour) +
                      named_values("memwatch itself", s.self_bytes, true, options.colour);
    if (!own.empty()) { text += "\n" + own; }
    return text;
}

}  // namespace v1
}  // namespace memwatch
