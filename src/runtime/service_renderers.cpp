// SPDX-License-Identifier: Apache-2.0
#include "runtime/service_renderers.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include <memwatch/diff/diff.hpp>
#include <memwatch/diff/window.hpp>
#include <memwatch/model/site_name.hpp>
#include <memwatch/snapshot/codec.hpp>

#include "diff/clusters.hpp"
#include "report/footprint.hpp"
#include "report/json.hpp"
#include "report/metrics.hpp"
#include "report/text.hpp"
#include "report/verdicts.hpp"
#include "report/view.hpp"
#include "snapshot/footprint_json.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

result<std::string> encode_as(const snapshot& s, std::string_view format_name) {
    const result<dump_format> format = parse_dump_format(format_name);
    if (!format) { return tl::unexpected(format.error()); }
    return encode(s, *format);
}

result<snapshot> decode_whole(std::string_view dump) {
    result<decoded_snapshot> decoded = decode(dump);
    if (!decoded) { return tl::unexpected(decoded.error()); }
    return std::move(decoded->value);
}

result<std::string> render_diff(const snapshot& before, const snapshot& after, const serve::diff_request& wanted) {
    const result<dimension> by = parse_dimension(wanted.by);
    if (!by) { return tl::unexpected(by.error()); }
    diff_options how;
    how.by = *by;
    how.focus = wanted.focus;
    const bool is_by_site = how.by == dimension::site;  // stacks of one place are one row, and left out together
    how.threshold_bytes = is_by_site ? 0 : wanted.threshold_bytes;
    how.top = is_by_site ? 0 : wanted.top;
    result<delta> difference = diff(before, after, how);
    if (!difference) { return tl::unexpected(difference.error()); }
    const std::vector<cluster> clusters =
        is_by_site ? keep_top_clusters(*difference, wanted.top, wanted.threshold_bytes) : cluster_rows(*difference);
    const metric_table metrics = make_metric_table({&before, &after});
    if (!wanted.as_text) { return render_json(*difference, &clusters, &metrics); }
    text_options text;
    text.top = wanted.top;
    text.metrics = &metrics;
    return render_text(is_by_site ? as_findings(*difference, clusters) : *difference, text);
}

result<std::string> render_table(const snapshot& s, const serve::table_request& wanted) {
    const result<view_kind> kind = parse_view_kind(wanted.name);
    if (!kind) { return tl::unexpected(kind.error()); }
    view_options how;
    how.top = wanted.top;
    how.cursor = wanted.cursor;
    how.sort = wanted.by;
    how.only = {wanted.epochs, wanted.depth};
    result<view> table = make_view(s, *kind, how);
    if (!table) {
        if (table.error().where == "sort") { table.error().where = "by"; }  // what the URL calls it
        return tl::unexpected(table.error());
    }
    if (wanted.as_text) { return render_text(*table); }
    table->heap = fingerprint_of(s);
    return render_json(*table);
}

result<std::string> render_verdicts(const snapshot& s, const serve::verdict_request& wanted) {
    const verdict_list list = list_verdicts(s, {wanted.least, wanted.only, wanted.top});
    if (wanted.format == "text") { return render_text(list); }
    return wanted.format == "md" ? render_markdown(list) : render_json(list);
}

result<std::string> render_footprint(const footprint& where, std::string_view format) {
    if (format == "text") { return render_text(where); }
    return format == "md" ? render_markdown(where) : encode_footprint(where);
}

// Takes a number and the space behind it off.
std::uint64_t take_number(std::string_view& text) {
    std::uint64_t number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
    if (!text.empty() && text.front() == ' ') { text.remove_prefix(1); }
    return number;
}

void read_history_line(std::string_view name, std::string_view value, serve::history_page& into) {
    if (name == "where") {
        into.where = value;
    } else if (name == "problem") {
        into.problem = value;
    } else if (name == "bytes") {
        into.bytes = take_number(value);
    } else if (name == "max_bytes") {
        into.max_bytes = take_number(value);
    } else {
        serve::history_page::row row;
        row.name = name;
        row.bytes = take_number(value);
        row.taken_unix_ns = take_number(value);
        row.age_ns = take_number(value);
        row.problem = value;
        into.rows.push_back(std::move(row));
    }
}

}  // namespace

serve::history_page read_history_page(std::string_view lines) {
    serve::history_page out;
    while (!lines.empty()) {
        const std::size_t end = std::min(lines.find('\n'), lines.size());
        const std::string_view line = lines.substr(0, end);
        lines.remove_prefix(std::min(end + 1, lines.size()));
        const std::size_t sign = line.find('=');
        if (sign != std::string_view::npos) { read_history_line(line.substr(0, sign), line.substr(sign + 1), out); }
    }
    return out;
}

void fill_renderers(serve::service_view& view) {
    view.cut_to_baseline = [](snapshot s) {
        const std::uint64_t mark_ns = s.info.baseline_ns;
        return born_since(std::move(s), mark_ns);
    };
    view.cut_window = [](const snapshot& start, snapshot end) { return window_between(start, std::move(end)); };
    view.encode = &encode_as;
    view.decode = &decode_whole;
    view.render_diff = &render_diff;
    view.render_summary = [](const snapshot& s, std::size_t top) -> result<std::string> {
        text_options how;
        how.top = top;
        return render_text(s, how);
    };
    view.render_table = &render_table;
    view.render_verdicts = &render_verdicts;
    view.render_footprint = &render_footprint;
    view.name_site = [](const snapshot& s, const site& of) { return site_name(s, of); };
}

}  // namespace v1
}  // namespace memwatch
