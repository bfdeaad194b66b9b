// SPDX-License-Identifier: Apache-2.0
#include <array>

#include <fmt/format.h>
#include <memwatch/base/units.hpp>

#include "report/context_share.hpp"
#include "report/findings.hpp"
#include "report/identity.hpp"
#include "report/text.hpp"
#include "report/text_table.hpp"
#include "report/words.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::size_t shown_frames = 4;

std::string quote(std::string_view name) { return printable(name); }

// What the sum over the rows is a sum of: the heap, or only what has a tag or comes from a pool.
std::string live_words(dimension by) {
    return by == dimension::tag ? "tagged " : by == dimension::pool ? "in pools " : "live ";
}

// "before  orders pid 4711 on host  2026-11-21 22:59:29 UTC  up 2m10s  live 210.3 MiB +- 12.1 MiB  RSS 260.0 MiB  build 1a2b"
std::string side_line(const delta& d, bool is_after) {
    const snapshot_info& info = is_after ? d.after : d.before;
    const delta_side& side = is_after ? d.total.after : d.total.before;
    std::vector<std::string> parts{is_after ? "after " : "before"};
    if (!info.label.empty()) { parts.push_back("\"" + quote(info.label) + "\""); }
    parts.push_back(fmt::format(
        "{} pid {}", quote(info.service.empty() ? std::string(base_name(info.executable)) : info.service), info.pid));
    if (!info.host.empty()) { parts.back() += " on " + quote(info.host); }
    if (info.started_unix_ns != 0) { parts.push_back(format_time(info.started_unix_ns + info.taken_ns)); }
    parts.push_back("up " + format_duration(info.taken_ns));
    parts.push_back(live_words(d.by) + format_estimate(side.live.bytes, side.live.bytes_standard_error()));
    if (info.resident_bytes != 0) { parts.push_back("RSS " + format_bytes(static_cast<double>(info.resident_bytes))); }
    if (const std::string build = build_words(d, info, is_after); !build.empty()) { parts.push_back(build); }
    if (std::string untraced = untraced_words(side); !untraced.empty()) { parts.push_back(std::move(untraced)); }
    return fmt::format("{}\n", fmt::join(parts, "  "));
}

std::string change_line(const delta& d) {
    const delta_row& total = d.total;
    std::string words = "change  " + format_bytes_signed(total.bytes);
    if (total.bytes_standard_error > 0) { words += " +- " + format_bytes(total.bytes_standard_error); }
    words += " in " + format_count_signed(total.objects) + " objects";
    if (d.seconds > 0) { words += " over " + format_duration(static_cast<std::uint64_t>(d.seconds * 1e9)); }
    if (total.rate_bytes_per_s != 0) { words += ", " + rate_words(total); }
    return words + "\n";
}

text_style style_of(const delta_row& row) {
    if (!row.is_significant() || row.bytes == 0) { return text_style::dim; }
    return row.bytes > 0 ? text_style::growth : text_style::shrinkage;
}

std::string error_words(const delta_row& row) {
    if (row.is_exact) { return "exact"; }
    return row.bytes_standard_error > 0 ? format_bytes(row.bytes_standard_error) : "0 B";
}

// "orders::cache::insert  [request-cache] <Order>"
std::string name_words(dimension by, const delta_row& row) {
    std::string words = quote(row_title(by, row));
    if (!row.tag.empty()) { words += "  [" + quote(row.tag) + "]"; }
    if (!row.type.empty()) { words += " <" + quote(elide(row.type, 64)) + ">"; }
    return words;
}

struct share_line {
    dimension by;
    const char* title;
};

constexpr std::array<share_line, 6> share_lines{{{dimension::route, "route"},
                                                 {dimension::trace, "trace"},
                                                 {dimension::thread, "thread"},
                                                 {dimension::tag, "tag"},
                                                 {dimension::type, "type"},
                                                 {dimension::site, "site"}}};

void add_evidence(text_table& table, const delta& d, const delta_row& row) {
    for (const share_line& line : share_lines) {
        const bool is_told =
            (line.by == dimension::tag && !row.tag.empty()) || (line.by == dimension::type && !row.type.empty());
        if (is_told) { continue; }
        const std::string words = share_words(row, line.by, quote);
        const bool are_callers = line.by == dimension::site && d.by == dimension::site;
        if (!words.empty()) { table.add_note(fmt::format("{:<7} {}", are_callers ? "callers" : line.title, words)); }
    }
    if (const std::string age = survival_words(d, row); !age.empty()) { table.add_note(fmt::format("{:<7} {}", "age", age)); }
    if (const std::string match = match_words(d, row); !match.empty()) {
        table.add_note(fmt::format("{:<7} {}", "match", match));
    }
    const char* title = "stack";
    const std::vector<frame_words> frames = user_frames(row.stack, d.modules, shown_frames);
    const bool is_name_only = frames.size() == 1 && frames.front().place.empty();  // the row's name already
    for (const frame_words& f : frames) {
        if (is_name_only) { break; }
        table.add_note(fmt::format("{:<7} {}{}", title, f.function, f.place.empty() ? "" : "  " + f.place));
        title = "";
    }
    if (row.stacks > 1) {
        table.add_note(fmt::format("{:<7} ... reached by {} call paths", is_name_only ? title : "", row.stacks));
    }
    if (const std::string rank = rank_words(d, row); !rank.empty()) { table.add_note(fmt::format("{:<7} {}", "score", rank)); }
}

std::string rows_words(const delta& d, bool colour) {
    using align = text_table::align;
    text_table table(colour);
    for (const char* title : {"#", "bytes", "+-", "objects", "ratio", "rate", "score"}) {
        table.add_column(title, align::right);
    }
    table.add_column("status", align::left);
    table.add_column(to_string(d.by), align::left);
    std::size_t rank = 0;
    for (const delta_row& row : d.rows) {
        table.add_row(
            {std::to_string(++rank), format_bytes_signed(row.bytes), error_words(row), format_count_signed(row.objects),
             ratio_words(row), rate_words(row), score_words(row), status_words(row), name_words(d.by, row)},
            style_of(row));
        add_evidence(table, d, row);
    }
    return table.empty() ? std::string() : "\n" + table.render();
}

std::string moves_words(const delta& d) {
    if (d.moves.empty()) { return {}; }
    std::string text = "\nmoved? (another build; proposed, in no sum)\n";
    for (const move_proposal& each : d.moves) { text += "  " + move_words(d, each, quote) + "\n"; }
    return text;
}

std::string identity_lines(const delta& d) {
    std::string text;
    for (const std::string& words : {fingerprint_words(d), matching_words(d)}) { text += words.empty() ? words : words + "\n"; }
    return text;
}

bool has_doubtful_row(const delta& d) {
    for (const delta_row& row : d.rows) {
        if (!row.is_significant() && row.bytes != 0) { return true; }
    }
    return false;
}

}  // namespace

std::string render_text(const delta& d, const text_options& options) {
    std::string text = styled(conclusion(d, quote), text_style::bold, options.colour) + "\n";
    for (const std::string& warning : d.warnings) {
        text += styled("warning: " + quote(warning), text_style::caution, options.colour) + "\n";
    }
    text += "\n" + side_line(d, false) + side_line(d, true) + change_line(d) + identity_lines(d) +
            rows_words(d, options.colour) + moves_words(d);
    if (has_doubtful_row(d)) { text += "\n? = less than two standard errors of sampling: not proven\n"; }
    if (const std::string order = order_words(d); !order.empty()) { text += "\n" + order + "\n"; }
    if (d.hidden_rows != 0 && !d.rows.empty()) {
        text += fmt::format("\n{} more row{} hidden (unchanged, below the threshold, out of focus or beyond the top)\n",
                            format_count(static_cast<double>(d.hidden_rows)), d.hidden_rows == 1 ? "" : "s");
    }
    if (options.metrics != nullptr) { text += render_text(*options.metrics, options.colour); }
    return text;
}

}  // namespace v1
}  // namespace memwatch
