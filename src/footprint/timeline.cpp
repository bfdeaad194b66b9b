// SPDX-License-Identifier: Apache-2.0
#include "footprint/timeline.hpp"

#include <algorithm>
#include <cmath>

#include <memwatch/base/units.hpp>
#include "base/json_writer.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::uint64_t kib = 1024;
constexpr std::size_t text_rows = 30;
constexpr std::size_t column_width = 12;
constexpr std::size_t bar_width = 30;

// --- JSON

void write(json_writer& out, std::string_view name, std::uint64_t value) { out.key(name).value(value); }

void write_process(json_writer& out, const process_memory& of) {
    out.key("process").begin_object();
    write(out, "resident_bytes", of.resident);
    write(out, "anonymous_bytes", of.anonymous);
    write(out, "file_bytes", of.file);
    write(out, "shared_bytes", of.shared);
    write(out, "swapped_bytes", of.swapped);
    write(out, "page_table_bytes", of.page_tables);
    write(out, "address_space_bytes", of.address_space);
    write(out, "address_space_limit_bytes", of.address_space_limit);
    write(out, "threads", of.threads);
    out.end_object();
}

void write_cgroup(json_writer& out, const cgroup_memory& of) {
    out.key("cgroup").begin_object();
    write(out, "bytes", of.current);
    write(out, "unreclaimable_bytes", of.unreclaimable);
    write(out, "limit_bytes", of.limit);
    out.key("events").begin_object();
    write(out, "low", of.events.low);
    write(out, "high", of.events.high);
    write(out, "max", of.events.max);
    write(out, "oom", of.events.oom);
    write(out, "oom_kill", of.events.oom_kill);
    out.end_object();
    out.end_object();
}

void write_forecast(json_writer& out, const std::optional<oom_forecast>& of) {
    out.key("forecast");
    if (!of) { return out.null(); }
    out.begin_object();
    out.key("limit").value(of->is_of_address_space ? "address_space" : "cgroup");
    write(out, "limit_bytes", of->limit_bytes);
    write(out, "headroom_bytes", of->headroom_bytes);
    out.key("growth_bytes_per_s").value(of->growth_bytes_per_s);
    out.key("seconds").value(of->seconds);
    out.key("least_seconds").value(of->least_seconds);
    out.key("most_seconds").value(of->most_seconds);  // null: no end
    out.key("confidence").value(0.9);
    write(out, "made_ns", of->made_ns);
    out.end_object();
}

struct column {
    const char* name;
    std::uint32_t curve_point::*of;
};
constexpr column columns[] = {
    {"resident_bytes", &curve_point::resident},
    {"anonymous_bytes", &curve_point::anonymous},
    {"address_space_bytes", &curve_point::address_space},
    {"cgroup_bytes", &curve_point::used},
    {"unreclaimable_bytes", &curve_point::unreclaimable},
    {"peak_unreclaimable_bytes", &curve_point::peak},
    {"limit_bytes", &curve_point::limit},
    {"live_bytes", &curve_point::live},
    {"self_bytes", &curve_point::self},
};

void write_point(json_writer& out, const curve_point& of) {
    out.new_line();
    out.begin_object();
    write(out, "time_s", of.second);
    write(out, "mean_of_s", of.seconds);
    for (const column& each : columns) { write(out, each.name, of.*each.of * kib); }
    out.end_object();
}

// --- text

std::string in_bytes(std::uint64_t bytes) { return format_bytes(static_cast<double>(bytes)); }

// Below a minute to a tenth, which `round` makes of tenths: an end of an interval is rounded away from its middle.
std::string in_time(double seconds, double (*round)(double) = &std::round) {
    constexpr double year_s = 365 * 86'400.0;
    if (!std::isfinite(seconds)) { return "no end"; }
    if (seconds > year_s) { return "over a year"; }
    const double unit_s = seconds < 60 ? 0.1 : 1;
    return format_duration(static_cast<std::uint64_t>(std::max(0.0, round(seconds / unit_s)) * (unit_s * 10)) * 100'000'000);
}

void add_cell(std::string& line, const std::string& text) {
    line.append(column_width - std::min(column_width, text.size()), ' ').append(text);
}

// Out of `whole`.
std::string bar(std::uint64_t part, std::uint64_t whole) {
    const auto length = whole == 0 ? 0 : static_cast<std::size_t>(part * bar_width / whole);
    return std::string(std::min(length, bar_width), '#');
}

std::string row_of(const curve_point& point, std::uint32_t now_s, std::uint32_t whole) {
    std::string line;
    add_cell(line, now_s == point.second ? "now" : "-" + in_time(now_s - point.second));
    for (const auto member : {&curve_point::resident, &curve_point::anonymous, &curve_point::used, &curve_point::unreclaimable,
                              &curve_point::peak, &curve_point::live}) {
        add_cell(line, in_bytes(point.*member * kib));
    }
    return line + "  " + bar(whole == point.limit ? point.unreclaimable : point.resident, whole) + "\n";
}

std::string table_of(const std::vector<curve_point>& points) {
    if (points.empty()) { return {}; }
    std::string out;
    for (const char* const head : {"age", "RSS", "anonymous", "cgroup", "unreclaim.", "peak", "live heap"}) {
        add_cell(out, head);
    }
    const std::uint32_t limit = points.back().limit;
    out += limit != 0 ? "  of the limit\n" : "  RSS of the highest here\n";
    std::uint32_t whole = limit;
    if (limit == 0) {
        for (const curve_point& each : points) { whole = std::max(whole, each.resident); }
    }
    const std::size_t rows = std::min(text_rows, points.size());
    std::size_t next = 0;
    for (std::size_t row = 0; row < rows; ++row) {
        const std::size_t end = (row + 1) * points.size() / rows;
        curve_point shown = points[end - 1];
        for (; next < end; ++next) { shown.peak = std::max(shown.peak, points[next].peak); }
        out += row_of(shown, points.back().second, whole);
    }
    return out;
}

}  // namespace

const char* word_of(pressure_level level) noexcept {
    constexpr const char* words[] = {"none", "some", "critical"};
    static_assert(sizeof words / sizeof words[0] == pressure_level_count);
    return words[static_cast<std::size_t>(level)];
}

std::string sentence_of(const memory_timeline& shown) {
    if (shown.latest.time_ns == 0) { return "nobody reads: memwatch has no thread here"; }
    if (shown.forecast) {
        const oom_forecast& f = *shown.forecast;
        return std::string(f.is_of_address_space ? "address space grows by " : "grows by ") +
               in_bytes(static_cast<std::uint64_t>(std::max(0.0, f.growth_bytes_per_s))) + "/s: the limit of " +
               in_bytes(f.limit_bytes) + " is met in " + in_time(f.seconds) + " (" + in_time(f.least_seconds, &std::floor) +
               " .. " + in_time(f.most_seconds, &std::ceil) + ", 90 %)";
    }
    const bool is_limited = shown.latest.cgroup.limit != 0 || shown.latest.process.address_space_limit != 0;
    return is_limited ? "no growth towards the limit that is beyond doubt" : "no limit is set, so none is forecast";
}

std::string render_json(const memory_timeline& shown) {
    json_writer out;
    out.begin_object();
    out.key("kind").value("memwatch.timeline");
    out.key("version").value(std::uint64_t{1});
    write(out, "started_unix_ns", shown.started_unix_ns);
    write(out, "time_ns", shown.latest.time_ns);
    out.key("pressure").value(word_of(shown.level));
    write(out, "times_some", shown.times_some);
    write(out, "times_critical", shown.times_critical);
    out.key("sentence").value(sentence_of(shown));
    write_forecast(out, shown.forecast);
    write_process(out, shown.latest.process);
    write_cgroup(out, shown.latest.cgroup);
    write(out, "live_bytes", shown.latest.live_bytes);
    write(out, "self_bytes", shown.latest.self_bytes);
    out.key("points").begin_array();
    for (const curve_point& each : shown.points) { write_point(out, each); }
    out.end_array();
    out.end_object();
    return out.take();
}

std::string render_text(const memory_timeline& shown) {
    const memory_reading& now = shown.latest;
    std::string out = sentence_of(shown) + "\n";
    if (now.time_ns == 0) { return out; }
    out += "pressure: " + std::string(word_of(shown.level)) + "   RSS " + in_bytes(now.process.resident);
    if (now.cgroup.current != 0) {
        out += "   cgroup " + in_bytes(now.cgroup.current) + ", of it unreclaimable " + in_bytes(now.cgroup.unreclaimable);
    }
    if (now.cgroup.limit != 0) { out += ", limit " + in_bytes(now.cgroup.limit); }
    const pressure_events& events = now.cgroup.events;
    out += "\nevents: high " + std::to_string(events.high) + ", max " + std::to_string(events.max) + ", oom " +
           std::to_string(events.oom) + ", oom_kill " + std::to_string(events.oom_kill) + "\n\n";
    return out + table_of(shown.points);
}

}  // namespace v1
}  // namespace memwatch
