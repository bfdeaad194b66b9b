// SPDX-License-Identifier: Apache-2.0
#include "report/json.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "base/json_writer.hpp"
#include "report/words.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::uint64_t format_version = 1;

// Exact counters have no fraction; estimates do.
void write_number(json_writer& json, double number, bool is_exact) {
    if (is_exact && std::fabs(number) < 9e18) {
        json.value(static_cast<std::int64_t>(std::llround(number)));
    } else {
        json.value(number);
    }
}

void write_side(json_writer& json, const delta_side& side, bool is_exact) {
    json.begin_object();
    write_number(json.key("bytes"), side.live.bytes, is_exact);
    json.key("standard_error").value(side.live.bytes_standard_error());
    write_number(json.key("objects"), side.live.objects, is_exact);
    json.key("samples").value(side.live.samples);
    json.key("oldest_age_ns").value(side.oldest_age_ns);
    if (side.first_birth_unix_ns != 0) {
        json.key("first_birth_unix_ns").value(side.first_birth_unix_ns);
        json.key("last_birth_unix_ns").value(side.last_birth_unix_ns);
    }
    if (side.sites != 0) { json.key("sites").value(std::uint64_t{side.sites}); }
    if (side.untraced_bytes >= 0) { json.key("bytes_without_trace").value(side.untraced_bytes); }
    json.end_object();
}

void write_stack(json_writer& json, const std::vector<frame>& stack, const std::vector<module>& modules) {
    json.begin_array();
    for (const frame& f : stack) {
        json.begin_object();
        if (f.module < modules.size()) {
            json.key("module").value(modules[f.module].path);
            json.key("build_id").value(modules[f.module].build_id);
        }
        json.key("offset").value(fmt::format("0x{:x}", f.offset));
        json.key("lines").begin_array();
        for (const source_line& line : f.lines) {
            json.begin_object();
            json.key("function").value(line.function);
            json.key("file").value(line.file);
            json.key("line").value(std::uint64_t{line.line});
            if (line.function_line != 0) { json.key("function_line").value(std::uint64_t{line.function_line}); }
            json.end_object();
        }
        json.end_array();
        json.end_object();
    }
    json.end_array();
}

void write_shares(json_writer& json, const std::vector<delta_share>& shares) {
    json.begin_array();
    for (const delta_share& share : shares) {
        json.begin_object();
        json.key("by").value(to_string(share.by));
        json.key("name").value(share.by == dimension::trace ? to_string(share.trace) : share.name);
        json.key("bytes").value(share.bytes);
        json.end_object();
    }
    json.end_array();
}

void write_rank(json_writer& json, const rank_terms& rank, bool has_ages) {
    json.key("score").value(rank.score);
    json.key("volatility").value(rank.volatility);
    json.key("long_lived");
    has_ages ? json.value(rank.long_lived) : json.null();
    json.key("weight").value(rank.weight);
}

// Rows are named by their rank, which is their place in the list and counts from 1.
void write_clusters(json_writer& json, const std::vector<cluster>& clusters, bool has_ages) {
    json.begin_array();
    std::uint64_t rank = 0;
    for (const cluster& each : clusters) {
        json.new_line();
        json.begin_object();
        json.key("rank").value(++rank);
        json.key("rows").begin_array();
        for (const std::size_t row : each.rows) { json.value(std::uint64_t{row + 1}); }
        json.end_array();
        json.key("bytes").value(each.bytes);
        json.key("bytes_standard_error").value(each.bytes_standard_error);
        json.key("rate_bytes_per_s").value(each.rate_bytes_per_s);
        write_rank(json, each.rank, has_ages);
        json.key("shared_frames").value(std::uint64_t{each.shared.size()});
        json.end_object();
    }
    json.end_array();
}

// The members of a row, so that the caller can put the rank first.
void write_row_members(json_writer& json, const delta_row& row, const std::vector<module>& modules) {
    json.key("name").value(row.name);
    json.key("key").value(row.key);
    json.key("tag").value(row.tag);
    json.key("type").value(row.type);
    json.key("status").value(to_string(row.what));
    json.key("matched_by").value(to_string(row.rung));
    json.key("significant").value(row.is_significant());
    json.key("exact").value(row.is_exact);
    write_number(json.key("bytes"), row.bytes, row.is_exact);
    json.key("bytes_standard_error").value(row.bytes_standard_error);
    write_number(json.key("objects"), row.objects, row.is_exact);
    json.key("ratio").value(row.ratio());
    json.key("rate_bytes_per_s").value(row.rate_bytes_per_s);
    json.key("survivors_bytes").value(row.survivors_bytes);
    if (row.survived_bytes >= 0) { json.key("survived_bytes").value(row.survived_bytes); }
    if (row.freed_bytes >= 0) { json.key("freed_bytes").value(row.freed_bytes); }
    write_side(json.key("before"), row.before, row.is_exact);
    write_side(json.key("after"), row.after, row.is_exact);
    write_shares(json.key("shares"), row.shares);
    write_stack(json.key("stack"), row.stack, modules);
}

void write_cell(json_writer& json, const view_cell& cell) {
    if (const auto* text = std::get_if<std::string>(&cell)) { return json.value(*text); }
    if (const auto* exact = std::get_if<std::uint64_t>(&cell)) { return json.value(*exact); }
    if (const auto* flag = std::get_if<bool>(&cell)) { return json.value(*flag); }
    if (const auto* sampled = std::get_if<estimate>(&cell)) {
        json.begin_object();
        json.key("estimate").value(sampled->value);
        json.key("standard_error").value(sampled->standard_error);
        return json.end_object();
    }
    if (const auto* list = std::get_if<std::vector<std::string>>(&cell)) {
        json.begin_array();
        for (const std::string& text : *list) { json.value(text); }
        return json.end_array();
    }
    json.null();
}

}  // namespace

void write_json(json_writer& json, const snapshot_info& info) {
    json.begin_object();
    json.key("label").value(info.label);
    json.key("service").value(info.service);
    json.key("host").value(info.host);
    json.key("pid").value(info.pid);
    json.key("executable").value(info.executable);
    json.key("version").value(info.version);
    json.key("session").value(info.session);
    json.key("started_unix_ns").value(info.started_unix_ns);
    json.key("taken_ns").value(info.taken_ns);
    json.key("interval_bytes").value(info.interval_bytes);
    json.key("resident_bytes").value(info.resident_bytes);
    if (info.exact_until_ns != 0) { json.key("exact_until_ns").value(info.exact_until_ns); }
    if (info.window_ns != 0) { json.key("window_ns").value(info.window_ns); }
    if (!info.sampler.empty()) { json.key("sampler").value(info.sampler); }
    if (info.one_in != 0) { json.key("one_in").value(info.one_in); }
    if (info.min_size_bytes != 0) { json.key("min_size_bytes").value(info.min_size_bytes); }
    if (info.baseline_ns != 0) { json.key("baseline_ns").value(info.baseline_ns); }
    json.end_object();
}

std::string render_json(const delta& d, const std::vector<cluster>* clusters, const metric_table* metrics) {
    json_writer json;
    json.begin_object();
    json.key("kind").value("memwatch.delta");
    json.key("version").value(format_version);
    json.key("by").value(to_string(d.by));
    json.key("seconds").value(d.seconds);
    json.new_line();
    write_json(json.key("before"), d.before);
    json.new_line();
    write_json(json.key("after"), d.after);
    json.new_line();
    json.key("before_fingerprint").value(d.before_fingerprint.hex());
    json.key("after_fingerprint").value(d.after_fingerprint.hex());
    json.new_line();
    json.key("warnings").begin_array();
    for (const std::string& warning : d.warnings) { json.value(warning); }
    json.end_array();
    json.new_line();
    json.key("total").begin_object();
    write_row_members(json, d.total, d.modules);
    json.end_object();
    json.new_line();
    json.key("rows").begin_array();
    std::uint64_t rank = 0;
    for (const delta_row& row : d.rows) {
        json.new_line();
        json.begin_object();
        json.key("rank").value(++rank);
        write_row_members(json, row, d.modules);
        write_rank(json, row.rank, d.long_lived_ns != 0);
        json.key("steady_bytes").value(row.steady_bytes);
        if (!row.during_bytes.empty()) {
            json.key("during_bytes").begin_array();
            for (const double bytes : row.during_bytes) { json.value(bytes); }
            json.end_array();
        }
        json.end_object();
    }
    json.end_array();
    json.new_line();
    json.key("moves").begin_array();
    for (const move_proposal& each : d.moves) {
        json.begin_object();
        json.key("gone_rank").value(std::uint64_t{each.gone + 1});
        json.key("appeared_rank").value(std::uint64_t{each.appeared + 1});
        json.key("why").value(each.why);
        json.end_object();
    }
    json.end_array();
    json.key("matched").begin_object();
    for (const match_rung rung : {match_rung::exact, match_rung::frames, match_rung::function, match_rung::none}) {
        json.key(to_string(rung)).value(d.rungs[static_cast<std::size_t>(rung)]);
    }
    json.end_object();
    json.new_line();
    json.key("hidden_rows").value(d.hidden_rows);
    json.key("ranking").value(d.ranking);
    json.key("long_lived_ns").value(d.long_lived_ns);
    if (clusters != nullptr) { write_clusters(json.key("clusters"), *clusters, d.long_lived_ns != 0); }
    if (metrics != nullptr) {
        json.new_line();
        write_json(json.key("metrics"), *metrics);
    }
    json.end_object();
    return json.take();
}

std::string render_json(const view& v) {
    json_writer json;
    json.begin_object();
    json.key("kind").value(std::string("memwatch.") + to_string(v.kind));
    json.key("version").value(format_version);
    json.new_line();
    write_json(json.key("snapshot"), v.info);
    json.new_line();
    if (v.heap != fingerprint{}) { json.key("fingerprint").value(v.heap.hex()); }
    json.key("total_rows").value(std::uint64_t{v.total_rows});
    json.key("cursor");
    v.cursor.empty() ? json.null() : json.value(v.cursor);
    write_json(json.key("context"), v.context);
    if (v.only.is_set()) {
        json.key("only").begin_object();
        json.key("epochs").value(v.only.epochs);
        json.key("depth").value(std::uint64_t{v.only.min_depth});
        json.end_object();
    }
    json.key("rows").begin_array();
    for (const std::vector<view_cell>& row : v.rows) {
        json.new_line();
        json.begin_object();
        for (std::size_t i = 0; i < row.size(); ++i) { write_cell(json.key(v.columns[i].key), row[i]); }
        json.end_object();
    }
    json.end_array();
    json.end_object();
    return json.take();
}

std::string fields_to_json(std::string_view lines) {
    json_writer json;
    json.begin_object();
    while (!lines.empty()) {
        const std::string_view line = lines.substr(0, lines.find('\n'));
        lines.remove_prefix(std::min(line.size() + 1, lines.size()));
        const std::size_t equals = line.find('=');
        if (equals == std::string_view::npos) { continue; }
        const std::string_view value = line.substr(equals + 1);
        std::uint64_t number = 0;
        const auto parsed = std::from_chars(value.data(), value.data() + value.size(), number);
        json.new_line();
        json.key(line.substr(0, equals));
        parsed.ec == std::errc{} && parsed.ptr == value.data() + value.size() ? json.value(number) : json.value(value);
    }
    json.end_object();
    return json.take();
}

}  // namespace v1
}  // namespace memwatch
