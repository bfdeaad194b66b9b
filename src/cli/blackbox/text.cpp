// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <optional>

#include <fmt/format.h>
#include <memwatch/base/units.hpp>
#include <memwatch/model/site_name.hpp>

#include "cli/blackbox/words.hpp"
#include "report/text.hpp"
#include "report/text_table.hpp"
#include "report/verdicts.hpp"
#include "report/view.hpp"
#include "report/words.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr std::size_t most_events = 30;
// How long before the end the rows of the curve are: dense at its end.
constexpr std::uint64_t ages_s[] = {0,   1,   2,    3,    5,    10,   20,    30,    60,    120,  300,
                                    600, 900, 1200, 1800, 3600, 7200, 14400, 28800, 43200, 57600};

std::string bytes_of(std::uint64_t bytes) { return format_bytes(static_cast<double>(bytes)); }

std::string clock_of(std::uint64_t unix_ns) {
    const std::string whole = format_time(unix_ns);  // "2026-11-21 22:59:29 UTC"
    if (whole.size() < 19) { return whole; }
    return fmt::format("{}.{:03}", whole.substr(11, 8), unix_ns / 1'000'000 % 1000);
}

std::string before(std::uint64_t later_ns, std::uint64_t earlier_ns) {
    return format_duration(later_ns > earlier_ns ? later_ns - earlier_ns : 0);
}

double share_of_limit(const memory_reading& r) {
    return r.cgroup.limit == 0 ? 0 : static_cast<double>(r.cgroup.unreclaimable) / static_cast<double>(r.cgroup.limit);
}

std::string heading(const std::string& words, bool colour) { return "\n" + styled(words, text_style::bold, colour) + "\n"; }

std::string end_words(const story& told) {
    switch (told.end) {
        case life_end::running:
            return "it is being written: the process runs";
        case life_end::in_order:
            return "in order: " + printable(told.end_text);
        case life_end::without_a_word:
            return "without a word: killed (OOM, SIGKILL), crashed, became another program (exec), or the machine went down, "
                   "shortly after the last record";
        case life_end::unknown:
            break;
    }
    return "without a word, or it is still running: whether somebody writes to this file cannot be asked here";
}

std::string head_words(const story& told, bool colour) {
    std::string title = "Black box of ";
    if (told.whose) {
        const blackbox::identity& whose = *told.whose;
        title += fmt::format("{} (pid {}) on {}", printable(whose.service), whose.pid, printable(whose.host));
    } else {
        title += "a process that cannot be told: the file has lost its head";
    }
    std::string text = styled(title, text_style::bold, colour) + "\n";
    if (told.whose) {
        text += fmt::format("program  {}, session {}, memwatch {}\n", printable(told.whose->executable),
                            printable(told.whose->session), printable(told.whose->version));
    }
    text +=
        fmt::format("written  {} - {}: {} records over {}\n", format_time(told.first_unix_ns), format_time(told.last_unix_ns),
                    format_count(static_cast<double>(told.record_count)), before(told.last_unix_ns, told.first_unix_ns));
    text += "ended    " + end_words(told) + "\n";
    if (told.damaged_sectors + told.incomplete_records != 0 || told.is_cut_short) {
        text += fmt::format("damage   {} sectors, {} records incomplete (one may be: the last, or the oldest of a ring){}\n",
                            told.damaged_sectors, told.incomplete_records, told.is_cut_short ? "; the file was cut short" : "");
    }
    return text;
}

std::string forecast_words(const oom_forecast& f) {
    const auto seconds = [](double s) {
        return std::isfinite(s) ? format_duration(static_cast<std::uint64_t>(std::min(s, 1e9) * 1e9)) : std::string("never");
    };
    return fmt::format("limit{} in {} ({} to {}), growing by {} a second", f.is_of_address_space ? " of address space" : "",
                       seconds(f.seconds), seconds(f.least_seconds), seconds(f.most_seconds),
                       format_bytes(f.growth_bytes_per_s));
}

std::string last_words(const story& told, bool colour) {
    if (told.curve.empty()) { return "\nno figures were recorded\n"; }
    const blackbox::pulse& last = told.curve.back().figures;
    const memory_reading& r = last.reading;
    std::string text = heading("At the last record, " + clock_of(told.curve.back().unix_ns), colour);
    text += fmt::format("process  RSS {} (anonymous {}, file {}, shared {}), swapped {}, {} threads\n",
                        bytes_of(r.process.resident), bytes_of(r.process.anonymous), bytes_of(r.process.file),
                        bytes_of(r.process.shared), bytes_of(r.process.swapped), r.process.threads);
    text += fmt::format("heap     {} live (estimate), memwatch itself {}\n", bytes_of(r.live_bytes), bytes_of(r.self_bytes));
    if (r.cgroup.limit != 0) {
        text += styled(fmt::format("limit    {} of {} not reclaimable ({:.1f} %), {} in use, pressure {}",
                                   bytes_of(r.cgroup.unreclaimable), bytes_of(r.cgroup.limit), 100 * share_of_limit(r),
                                   bytes_of(r.cgroup.current), word_of(last.level)),
                       last.level == pressure_level::none ? text_style::plain : text_style::growth, colour) +
                "\n";
    } else if (r.cgroup.current != 0) {
        text += fmt::format("cgroup   {} in use, {} not reclaimable, no limit\n", bytes_of(r.cgroup.current),
                            bytes_of(r.cgroup.unreclaimable));
    }
    const pressure_events& e = r.cgroup.events;
    if (e.low + e.high + e.max + e.oom + e.oom_kill != 0) {
        text += fmt::format("events   low {}, high {}, max {}, oom {}, oom_kill {}\n", e.low, e.high, e.max, e.oom, e.oom_kill);
    }
    if (last.forecast) { text += "forecast " + forecast_words(*last.forecast) + "\n"; }
    text += fmt::format("verdicts {} leaks, {} suspects\n", last.leaks, last.suspects);
    return text;
}

// The pulse that was the latest `age_ns` before the end; null: none is so old.
const told_pulse* pulse_before(const story& told, std::uint64_t age_ns) {
    const std::uint64_t end = told.curve.back().unix_ns;
    const auto at = std::find_if(told.curve.rbegin(), told.curve.rend(),
                                 [&](const told_pulse& p) { return end - std::min(end, p.unix_ns) >= age_ns; });
    return at == told.curve.rend() ? nullptr : &*at;
}

std::string curve_words(const story& told, bool colour) {
    if (told.curve.empty()) { return {}; }
    text_table table(colour);
    for (const char* const title : {"UTC", "before", "RSS", "not reclaimable", "of limit", "heap live", "samples", "leaks"}) {
        table.add_column(title, text_table::align::right);
    }
    const told_pulse* shown = nullptr;
    const auto add = [&](const told_pulse& p) {
        const memory_reading& r = p.figures.reading;
        table.add_row({clock_of(p.unix_ns), before(told.curve.back().unix_ns, p.unix_ns), bytes_of(r.process.resident),
                       bytes_of(r.cgroup.unreclaimable),
                       r.cgroup.limit == 0 ? "-" : fmt::format("{:.1f} %", 100 * share_of_limit(r)), bytes_of(r.live_bytes),
                       format_count(static_cast<double>(p.figures.live_samples)), std::to_string(p.figures.leaks)});
        shown = &p;
    };
    for (const std::uint64_t age_s : ages_s) {
        const told_pulse* const p = pulse_before(told, age_s * second_ns);
        if (p == nullptr) { break; }
        if (p != shown) { add(*p); }
    }
    if (shown != &told.curve.front()) { add(told.curve.front()); }
    return heading("Memory, backwards from the end", colour) + table.render();
}

std::string tag_words(const story& told, std::size_t top, bool colour) {
    if (told.curve.empty() || !told.situation) { return {}; }
    const told_pulse& last = told.curve.back();
    const auto live_at = [](const told_pulse* p, std::uint64_t tag) -> std::string {
        if (p == nullptr) { return "-"; }
        for (std::size_t i = 0; i < p->figures.tag_count; ++i) {
            if (p->figures.tags[i].tag == tag) { return bytes_of(p->figures.tags[i].live_bytes); }
        }
        return "-";
    };
    text_table table(colour);
    table.add_column("tag", text_table::align::left);
    for (const char* const title : {"live (exact)", "10 s before", "1 min before", "10 min before"}) {
        table.add_column(title, text_table::align::right);
    }
    for (std::size_t i = 0; i < std::min(top, last.figures.tag_count); ++i) {
        const std::uint64_t tag = last.figures.tags[i].tag;
        if (tag >= told.situation->tags.size()) { continue; }
        table.add_row({printable(told.situation->tags[tag].name), live_at(&last, tag),
                       live_at(pulse_before(told, 10 * second_ns), tag), live_at(pulse_before(told, 60 * second_ns), tag),
                       live_at(pulse_before(told, 600 * second_ns), tag)});
    }
    return table.empty() ? std::string() : heading("Tags", colour) + table.render();
}

std::string event_words(const story& told, bool colour) {
    if (told.events.empty()) { return {}; }
    text_table table(colour);
    table.add_column("UTC", text_table::align::left);
    table.add_column("event", text_table::align::left);
    table.add_column("", text_table::align::left);
    const std::size_t first = told.events.size() - std::min(told.events.size(), most_events);
    for (std::size_t i = first; i < told.events.size(); ++i) {
        const told_event& e = told.events[i];
        table.add_row({clock_of(e.unix_ns), printable(e.name), printable(e.text)});
    }
    std::string text = heading("What happened", colour) + table.render();
    if (first != 0) { text += fmt::format("and {} before\n", first); }
    return text;
}

std::string request_words(const story& told, std::size_t top, bool colour) {
    const snapshot& s = *told.situation;
    text_table table(colour);
    for (const char* const title : {"UTC", "trace", "route", "allocated", "thread"}) {
        table.add_column(title, text_table::align::left);
    }
    for (std::size_t i = 0; i < std::min(top, told.requests.size()); ++i) {
        const live_record& r = told.requests[i];
        table.add_row({clock_of(s.info.started_unix_ns + r.birth_ns), to_string(r.trace),
                       elide(printable(s.routes[r.route]), 32),
                       bytes_of(r.size_bytes) + " by " + elide(printable(site_name(s, s.sites[r.site])), 48),
                       printable(s.threads[r.thread].name)});
    }
    if (table.empty()) { return {}; }
    return heading("Last requests that a sampled block is alive of", colour) + table.render();
}

// What no row knows is no column.
void drop_unknown_columns(view& of) {
    for (std::size_t i = of.columns.size(); i-- > 0;) {
        const auto knows = [i](const std::vector<view_cell>& row) { return !std::holds_alternative<std::monostate>(row[i]); };
        if (of.columns[i].is_detail || std::any_of(of.rows.begin(), of.rows.end(), knows)) { continue; }
        const auto at = static_cast<std::ptrdiff_t>(i);
        of.columns.erase(of.columns.begin() + at);
        for (std::vector<view_cell>& row : of.rows) { row.erase(row.begin() + at); }
    }
}

std::string situation_words(const story& told, std::size_t top, bool colour) {
    if (!told.situation) { return "\nno situation was recorded: what was alive is not known\n"; }
    const snapshot& s = *told.situation;
    std::string text = heading(fmt::format("What was alive, {} before the last record ({})",
                                           before(told.last_unix_ns, told.situation_unix_ns), printable(s.info.label)),
                               colour);
    if (result<view> sites = told_sites(told, top)) {
        drop_unknown_columns(*sites);
        text += render_text(*sites, text_options{top, colour});
    }
    const verdict_list verdicts = told_verdicts(told, top);
    if (!verdicts.rows.empty()) { text += heading("Verdicts", colour) + render_text(verdicts, colour); }
    return text + request_words(told, top, colour);
}

}  // namespace

std::string render_text(const story& told, std::size_t top, bool colour) {
    return head_words(told, colour) + last_words(told, colour) + curve_words(told, colour) + tag_words(told, top, colour) +
           event_words(told, colour) + situation_words(told, top, colour);
}

std::string render_text(const std::vector<listed_box>& all, bool colour) {
    if (all.empty()) { return "no black boxes\n"; }
    text_table table(colour);
    for (const char* const title : {"file", "process", "last record", "ended", "RSS", "of limit"}) {
        table.add_column(title, text_table::align::left);
    }
    for (const listed_box& each : all) {
        const story& told = each.of;
        if (!each.problem.empty()) {
            table.add_row({printable(each.name), "-", "-", printable(each.problem)});
            continue;
        }
        const memory_reading last = told.curve.empty() ? memory_reading{} : told.curve.back().figures.reading;
        table.add_row({printable(each.name),
                       told.whose ? fmt::format("{} {}", printable(told.whose->service), told.whose->pid) : "?",
                       format_time(told.last_unix_ns), word_of(told.end), bytes_of(last.process.resident),
                       last.cgroup.limit == 0 ? "-" : fmt::format("{:.1f} %", 100 * share_of_limit(last))});
    }
    return table.render();
}

}  // namespace v1
}  // namespace memwatch
