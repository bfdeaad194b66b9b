// SPDX-License-Identifier: Apache-2.0
#include "report/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>
#include <memwatch/base/units.hpp>

#include "report/text_table.hpp"
#include "report/words.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::size_t label_width = 24;

std::string place_in_time(std::size_t index, std::size_t count) {
    if (index == 0) { return "before"; }
    if (index + 1 == count) { return "after"; }
    return count == 3 ? "during" : fmt::format("during {}", index);
}

std::string percent(double share) {
    if (share > 0 && share < 0.001) { return "<0.1 %"; }
    if (share > 0.999 && share < 1) { return ">99.9 %"; }
    const bool is_near_an_end = share < 0.0995 || (share > 0.99 && share < 1);
    return is_near_an_end ? fmt::format("{:.1f} %", 100 * share) : fmt::format("{:.0f} %", 100 * share);
}

bool is_unknown(const key_metric& metric) {
    return std::all_of(metric.values.begin(), metric.values.end(), [](double value) { return !std::isfinite(value); });
}

bool is_zero(const key_metric& metric) {
    return std::all_of(metric.values.begin(), metric.values.end(), [](double value) { return value == 0; });
}

}  // namespace

metric_table make_metric_table(const std::vector<const snapshot*>& of) {
    metric_table out;
    std::set<std::string> labels;
    for (const snapshot* each : of) { labels.insert(each->info.label); }
    const bool has_labels = labels.size() == of.size() && labels.count("") == 0;
    for (std::size_t i = 0; i < of.size(); ++i) {
        out.columns.push_back(has_labels ? of[i]->info.label : place_in_time(i, of.size()));
    }
    out.rows = key_metrics(of);
    return out;
}

std::string metric_words(const key_metric& metric, std::size_t column) {
    if (column >= metric.values.size() || !std::isfinite(metric.values[column])) { return "-"; }
    const double value = metric.values[column];
    if (metric.name == "interval_bytes" && value == 0) { return "every block"; }
    if (metric.unit == "bytes") { return format_bytes(value); }
    if (metric.unit == "bytes/s") { return format_bytes(value) + "/s"; }
    if (metric.unit == "ratio") { return percent(value); }
    if (metric.unit == "frames") { return fmt::format("{:.1f}", value); }
    return format_count(value);
}

std::string metric_title(const key_metric& metric) {
    if (metric.name == "interval_bytes") { return "sampling interval"; }
    if (metric.name == "resident_bytes") { return "RSS"; }
    if (metric.name == "cross_thread_share") { return "freed by another thread"; }
    if (metric.name == "relative_error") { return "error of live bytes"; }
    if (metric.name == "untraced_share") { return "live without a trace"; }
    std::string title = printable(metric.name);
    std::replace(title.begin(), title.end(), '_', ' ');
    return title;
}

std::vector<const key_metric*> shown_metrics(const metric_table& table) {
    std::vector<const key_metric*> out;
    for (const key_metric& each : table.rows) {
        const bool is_told = each.name == "live_bytes" || each.name == "resident_bytes";
        const bool is_nothing = is_unknown(each) || (each.name == "dropped_records" && is_zero(each));
        if (table.columns.size() > 2 || !(is_told || is_nothing)) { out.push_back(&each); }
    }
    return out;
}

std::string render_text(const metric_table& table, bool colour) {
    using align = text_table::align;
    text_table lines(colour);
    lines.add_column("key metrics", align::left);
    for (const std::string& column : table.columns) { lines.add_column(printable(elide(column, label_width)), align::right); }
    for (const key_metric* each : shown_metrics(table)) {
        std::vector<std::string> cells{metric_title(*each)};
        for (std::size_t i = 0; i < table.columns.size(); ++i) { cells.push_back(metric_words(*each, i)); }
        lines.add_row(std::move(cells));
    }
    return lines.empty() ? std::string() : "\n" + lines.render();
}

std::string render_markdown(const metric_table& table) {
    const std::vector<const key_metric*> rows = shown_metrics(table);
    if (rows.empty()) { return {}; }
    std::string text = "\n| key metrics |";
    std::string line = "|---|";
    for (const std::string& column : table.columns) {
        text += " " + code_span(elide(column, label_width)) + " |";
        line += "--:|";
    }
    text += "\n" + line + "\n";
    for (const key_metric* each : rows) {
        text += "| " + metric_title(*each) + " |";
        for (std::size_t i = 0; i < table.columns.size(); ++i) { text += " " + metric_words(*each, i) + " |"; }
        text += "\n";
    }
    return text;
}

void write_json(json_writer& json, const metric_table& table) {
    json.begin_object();
    json.key("columns").begin_array();
    for (const std::string& column : table.columns) { json.value(column); }
    json.end_array();
    json.key("rows").begin_array();
    for (const key_metric& each : table.rows) {
        json.new_line();
        json.begin_object();
        json.key("name").value(each.name);
        json.key("unit").value(each.unit);
        json.key("values").begin_array();
        for (const double value : each.values) { json.value(value); }
        json.end_array();
        json.end_object();
    }
    json.end_array();
    json.end_object();
}

}  // namespace v1
}  // namespace memwatch
