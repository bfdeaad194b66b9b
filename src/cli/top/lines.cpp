// SPDX-License-Identifier: Apache-2.0
#include "cli/top/lines.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <memwatch/base/units.hpp>

#include "base/json_writer.hpp"
#include "report/text_table.hpp"
#include "report/words.hpp"

namespace memwatch {
inline namespace v1 {
namespace top {
namespace {

constexpr std::size_t header_lines = 4;  // three of the service, one of the table
constexpr std::size_t footer_lines = 1;

// A column of the table: where there is room for more, the next one of this list comes in. `width` 0 is whatever is left.
struct shape {
    column of;
    const char* title;
    std::size_t width;
    bool is_left;
};
constexpr std::size_t least_name = 16;
constexpr shape shapes[] = {{column::live, "LIVE", 10, false},     {column::growth, "GROWTH", 12, false},
                            {column::name, "", 0, true},           {column::rate, "RATE", 13, false},
                            {column::verdict, "VERDICT", 8, true}, {column::oldest, "OLDEST", 8, false},
                            {column::last, "LAST", 11, false},     {column::objects, "OBJECTS", 11, false},
                            {column::tag, "TAG", 16, true},        {column::route, "ROUTE", 16, true}};

const char* title_of(const shape& s, dimension by) {
    constexpr const char* titles[dimension_count] = {"SITE", "TAG", "ROUTE", "THREAD", "TYPE", "POOL"};
    return s.of == column::name ? titles[static_cast<std::size_t>(by)] : s.title;
}

bool has_column(column of, dimension by) noexcept {
    if (of == column::verdict) { return by == dimension::site || by == dimension::pool; }
    return by == dimension::site || (of != column::tag && of != column::route);
}

// In the order they stand in, with the widths they get.
std::vector<shape> columns_for(std::size_t width, dimension by, column sorted) {
    std::vector<shape> chosen;
    std::size_t taken = 0;
    const auto take = [&](const shape& s) {
        const std::size_t needed = (s.width == 0 ? least_name : s.width) + (chosen.empty() ? 0 : 1);
        if (taken + needed > width && !chosen.empty()) { return; }
        chosen.push_back(s);
        taken += needed;
    };
    const auto is_sorted = [&](const shape& s) { return s.of == sorted; };
    for (const shape& each : shapes) {
        if (each.of == column::name || each.of == column::growth || is_sorted(each)) {
            if (has_column(each.of, by)) { take(each); }
        }
    }
    for (const shape& each : shapes) {
        const bool is_in = std::any_of(chosen.begin(), chosen.end(), [&](const shape& s) { return s.of == each.of; });
        if (!is_in && has_column(each.of, by)) { take(each); }
    }
    std::sort(chosen.begin(), chosen.end(), [](const shape& a, const shape& b) { return a.of < b.of; });
    for (shape& each : chosen) {
        if (each.of == column::name) { each.width = least_name + (width > taken ? width - taken : 0); }
    }
    return chosen;
}

std::string padded(std::string text, std::size_t width, bool is_left) {
    text = elide(std::move(text), width);
    const std::string gap(width - std::min(width, display_width(text)), ' ');
    return is_left ? text + gap : gap + text;
}

std::string signed_bytes(double bytes) { return std::fabs(bytes) < 0.5 ? "-" : format_bytes_signed(bytes); }

// "leak", "suspect"; of what nobody has to look at its class; "?" where too little is known.
std::string verdict_word(const std::optional<verdict_class>& judged) {
    if (!judged) { return "-"; }
    if (*judged == verdict_class::inconclusive) { return "?"; }
    const verdict_level level = level_of(*judged);
    return std::string(level == verdict_level::none ? word_of(*judged) : word_of(level));
}

std::string cell(const row& of, const growth& grown, column which) {
    switch (which) {
        case column::live:
            return format_bytes(of.live_bytes);
        case column::growth:
            return signed_bytes(grown.since_mark) + (grown.is_sure() || std::fabs(grown.since_mark) < 0.5 ? "" : "?");
        case column::rate:
            return std::fabs(grown.per_second) < 0.5 ? "-" : format_bytes_signed(grown.per_second) + "/s";
        case column::last:
            return signed_bytes(grown.since_last);
        case column::oldest:
            return of.oldest_age_ns ? format_duration(*of.oldest_age_ns) : "-";
        case column::objects:
            return format_count(of.objects);
        case column::verdict:
            return verdict_word(of.judged);
        case column::name:
            return of.name;
        case column::tag:
            return of.tag;
        case column::route:
            break;
    }
    return of.route.empty() ? "-" : of.route;
}

std::string heading(const std::vector<shape>& columns, dimension by, const order& how) {
    std::string text;
    for (const shape& each : columns) {
        std::string title = title_of(each, by);
        const bool is_up = how.is_reversed != is_text(each.of);
        if (each.of == how.by) { title += is_up ? " ^" : " v"; }
        text += (text.empty() ? "" : " ") + padded(std::move(title), each.width, each.is_left);
    }
    return text;
}

std::string table_line(const std::vector<shape>& columns, const row& of, const growth& grown) {
    std::string text;
    for (const shape& each : columns) {
        text += (text.empty() ? "" : " ") + padded(cell(of, grown, each.of), each.width, each.is_left);
    }
    return text;
}

std::string service_words(const model& of) {
    const snapshot_info& info = of.info();
    if (!of.has_answered()) { return "memwatch top - " + of.address(); }
    return fmt::format("memwatch top - {}, pid {}, up {} - {}", info.service.empty() ? "service" : printable(info.service),
                       info.pid, format_duration(info.taken_ns), of.address());
}

std::string figure_words(const model& of) {
    if (!of.has_answered()) { return {}; }
    const totals& sums = of.sums();
    const growth grown = of.total_growth();
    return fmt::format(
        "RSS {}   live {}   {}/s   R {}   drops {}   self {}",
        of.info().resident_bytes == 0 ? "?" : format_bytes(static_cast<double>(of.info().resident_bytes)),
        format_estimate(sums.live_bytes, std::sqrt(sums.live_variance)), format_bytes_signed(grown.per_second),
        of.info().interval_bytes == 0 ? "0 (every block)" : format_bytes(static_cast<double>(of.info().interval_bytes)),
        format_count(static_cast<double>(sums.drops)), format_bytes(static_cast<double>(sums.self_bytes)));
}

std::string table_words(const model& of, const order& how, std::size_t shown, const std::string& filter) {
    const growth grown = of.total_growth();
    std::string words = fmt::format("{}s by {}; growth in {}: {}", to_string(of.by()), to_string(how.by),
                                    format_duration(of.rows().mark_age_ns()), format_bytes_signed(grown.since_mark));
    if (grown.standard_error > 0.5) { words += " +- " + format_bytes(grown.standard_error); }
    words += fmt::format("; {} of {} rows", shown, of.rows().rows().size());
    if (!filter.empty()) { words += ", filter \"" + printable(filter) + "\""; }
    return words;
}

line third_line(const model& of, const controls& chosen, std::size_t shown) {
    if (chosen.is_typing()) { return {"filter: " + printable(chosen.filter()) + "_", line_style::caution}; }
    if (!of.trouble().empty()) {
        return {(of.has_answered() ? "no answer: " : "no answer yet: ") + of.trouble() + "; trying again", line_style::caution};
    }
    if (!of.has_answered()) { return {"waiting for the first answer ...", line_style::dim}; }
    line words{table_words(of, chosen.how(), shown, chosen.filter()), line_style::dim};
    if (chosen.is_paused()) { words = {"paused; " + words.text, line_style::caution}; }
    if (of.was_restarted()) { words.text += "; the service was restarted"; }
    return words;
}

constexpr const char* help_lines[] = {
    "keys",
    "",
    "  l g r d      order by live bytes, growth, rate, growth since the last look; again: the other way round",
    "  o c j        ... by oldest block, objects, verdict (leaks first)",
    "  n t u        ... by name, tag, route",
    "  < >          the column before, the next one (also the left and right arrow)",
    "  R            reverse the order",
    "  v V          other rows: sites, tags, routes, threads, types, pools",
    "  /            show only rows with these letters in name, tag, type or route; Esc takes it away",
    "  b            from here on: growth counts from the next look",
    "  p, space     pause: nothing is asked until you press it again",
    "  arrows, PgUp, PgDn, Home, End    move; the chosen row is followed when it moves",
    "  Enter        stack of the chosen row; Esc goes back",
    "  q            quit",
    "",
    "columns",
    "",
    "  GROWTH   since the view began, or since b; ? = less than two standard errors: chance could do that",
    "  RATE     over the last minute",
    "  LAST     since the look before",
    "  VERDICT  leak, suspect, or why it is neither; ? = too little is known (memwatch verdicts says what)",
    "  OLDEST   age of the oldest living block; - = unknown (tags)",
};

std::vector<std::string> stack_lines(const model& of, const std::string& key) {
    const std::vector<row>& rows = of.rows().rows();
    const auto found = std::find_if(rows.begin(), rows.end(), [&](const row& each) { return each.key == key; });
    if (found == rows.end()) { return {"there is no such row any more"}; }
    const row& chosen = *found;
    const growth grown = of.rows().growth_of(chosen);
    std::vector<std::string> lines{chosen.name, ""};
    lines.push_back(fmt::format("  live     {}, {} objects",
                                format_estimate(chosen.live_bytes, std::sqrt(chosen.live_variance)),
                                format_count(chosen.objects)));
    lines.push_back(fmt::format("  growth   {}{}, {}/s over the last minute", format_bytes_signed(grown.since_mark),
                                grown.standard_error > 0.5 ? " +- " + format_bytes(grown.standard_error) : "",
                                format_bytes_signed(grown.per_second)));
    if (chosen.oldest_age_ns) { lines.push_back("  oldest   " + format_duration(*chosen.oldest_age_ns)); }
    if (chosen.judged) { lines.push_back("  verdict  " + std::string(word_of(*chosen.judged))); }
    for (const auto& [name, text] : {std::pair("tag  ", &chosen.tag), {"type ", &chosen.type}, {"route", &chosen.route}}) {
        if (!text->empty()) { lines.push_back(fmt::format("  {}    {}", name, *text)); }
    }
    if (!chosen.stack.empty()) { lines.insert(lines.end(), {"", "  allocated by"}); }
    for (const std::string& each : chosen.stack) { lines.push_back("    " + each); }
    return lines;
}

void append(std::vector<line>& screen, const std::vector<std::string>& lines, std::size_t scrolled, std::size_t until) {
    for (std::size_t i = std::min(scrolled, lines.size() - 1); i < lines.size() && screen.size() < until; ++i) {
        screen.push_back({lines[i], line_style::plain});
    }
}

void append_table(std::vector<line>& screen, const model& of, const controls& chosen, const std::vector<const row*>& rows,
                  screen_size size) {
    const std::vector<shape> columns = columns_for(size.columns, of.by(), chosen.how().by);
    screen.push_back({heading(columns, of.by(), chosen.how()), line_style::heading});
    const controls::window at = chosen.place(rows, rows_that_fit(size));
    for (std::size_t i = at.first; i < rows.size() && screen.size() + footer_lines < size.rows; ++i) {
        const growth grown = of.rows().growth_of(*rows[i]);
        const bool is_growing = grown.since_mark > 0.5 && grown.is_sure();
        const bool is_leak = rows[i]->judged && level_of(*rows[i]->judged) == verdict_level::leak;
        screen.push_back({table_line(columns, *rows[i], grown), i == at.selected ? line_style::selected
                                                                : is_leak        ? line_style::caution
                                                                : is_growing     ? line_style::growth
                                                                                 : line_style::plain});
    }
}

void write_growth(json_writer& json, const growth& grown) {
    json.key("growth_bytes").begin_object();
    json.key("estimate").value(grown.since_mark);
    json.key("standard_error").value(grown.standard_error);
    json.end_object();
    json.key("last_bytes").value(grown.since_last);
    json.key("rate_bytes_per_s").value(grown.per_second);
}

void write_live(json_writer& json, double bytes, double variance) {
    json.key("live_bytes").begin_object();
    json.key("estimate").value(bytes);
    json.key("standard_error").value(std::sqrt(variance));
    json.end_object();
}

void write_text(json_writer& json, const char* key, const std::string& text) {
    json.key(key);
    if (text.empty()) {
        json.null();
    } else {
        json.value(text);
    }
}

void write_row(json_writer& json, const row& of, const growth& grown) {
    json.begin_object();
    json.key("key").value(of.key);
    json.key("name").value(of.name);
    write_text(json, "tag", of.tag);
    write_text(json, "type", of.type);
    write_text(json, "route", of.route);
    write_text(json, "verdict", of.judged ? std::string(word_of(*of.judged)) : std::string());
    write_live(json, of.live_bytes, of.live_variance);
    write_growth(json, grown);
    json.key("live_objects").value(of.objects);
    json.key("oldest_age_ns");
    if (of.oldest_age_ns) {
        json.value(*of.oldest_age_ns);
    } else {
        json.null();
    }
    json.end_object();
}

}  // namespace

std::size_t rows_that_fit(screen_size size) noexcept {
    const std::size_t around = header_lines + footer_lines;
    return size.rows > around ? size.rows - around : 1;
}

std::vector<line> draw(const model& of, const controls& chosen, screen_size size, std::uint64_t interval_ns) {
    const std::vector<const row*> rows = arranged(of.rows(), chosen.how(), chosen.filter());
    std::vector<line> screen;
    screen.push_back({fmt::format("{} - every {}", service_words(of), format_duration(interval_ns)), line_style::title});
    screen.push_back({figure_words(of), line_style::plain});
    screen.push_back(third_line(of, chosen, rows.size()));
    const std::size_t until = size.rows - std::min(size.rows, footer_lines);
    switch (chosen.shown()) {
        case page::table:
            append_table(screen, of, chosen, rows, size);
            break;
        case page::stack:
            screen.push_back({});
            append(screen, stack_lines(of, chosen.chosen()), chosen.scrolled(), until);
            break;
        case page::help:
            screen.push_back({});
            append(screen, {std::begin(help_lines), std::end(help_lines)}, chosen.scrolled(), until);
            break;
    }
    screen.resize(std::min(screen.size(), until));
    while (screen.size() < until) { screen.push_back({}); }
    screen.push_back({chosen.shown() == page::table
                          ? "q quit  ? help  < > order  R reverse  v rows  / filter  b mark  p pause  Enter stack"
                          : "Esc back  arrows scroll",
                      line_style::dim});
    screen.resize(size.rows);
    for (line& each : screen) { each.text = elide(std::move(each.text), size.columns); }
    return screen;
}

std::string plain_lines(const model& of, const order& how, std::size_t count, bool colour) {
    const std::vector<const row*> rows = arranged(of.rows(), how, {});
    const std::size_t shown = count == 0 ? rows.size() : std::min(count, rows.size());
    text_table table(colour);
    for (const shape& each : columns_for(400, of.by(), how.by)) {
        table.add_column(title_of(each, of.by()), each.is_left ? text_table::align::left : text_table::align::right);
    }
    for (std::size_t i = 0; i < shown; ++i) {
        const growth grown = of.rows().growth_of(*rows[i]);
        std::vector<std::string> cells;
        for (const shape& each : columns_for(400, of.by(), how.by)) {
            cells.push_back(elide(cell(*rows[i], grown, each.of), 60));
        }
        table.add_row(std::move(cells), grown.since_mark > 0.5 && grown.is_sure() ? text_style::growth : text_style::plain);
    }
    return service_words(of) + "\n" + figure_words(of) + "\n" + table_words(of, how, shown, {}) + "\n" + table.render() + "\n";
}

std::string json_line(const model& of, const order& how, std::size_t count) {
    const std::vector<const row*> rows = arranged(of.rows(), how, {});
    const std::size_t shown = count == 0 ? rows.size() : std::min(count, rows.size());
    json_writer json;
    json.begin_object();
    json.key("kind").value("memwatch.top");
    json.key("version").value(std::uint64_t{1});
    json.key("service").value(of.info().service);
    json.key("pid").value(of.info().pid);
    json.key("session").value(of.info().session);
    json.key("taken_ns").value(of.info().taken_ns);
    json.key("resident_bytes").value(of.info().resident_bytes);
    json.key("interval_bytes").value(of.info().interval_bytes);
    json.key("drops").value(of.sums().drops);
    json.key("self_bytes").value(of.sums().self_bytes);
    json.key("growth_ns").value(of.rows().mark_age_ns());
    write_live(json, of.sums().live_bytes, of.sums().live_variance);
    write_growth(json, of.total_growth());
    json.key("by").value(to_string(of.by()));
    json.key("total_rows").value(std::uint64_t{rows.size()});
    json.key("rows").begin_array();
    for (std::size_t i = 0; i < shown; ++i) { write_row(json, *rows[i], of.rows().growth_of(*rows[i])); }
    json.end_array();
    json.end_object();
    return json.take();
}

}  // namespace top
}  // namespace v1
}  // namespace memwatch
