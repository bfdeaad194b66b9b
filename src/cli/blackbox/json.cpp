// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include <memwatch/model/site_name.hpp>

#include "base/json_writer.hpp"
#include "cli/blackbox/words.hpp"
#include "report/json.hpp"
#include "report/verdicts.hpp"
#include "report/view.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

void write_process(json_writer& out, const story& told) {
    out.key("process");
    if (!told.whose) { return out.null(); }
    out.begin_object();
    out.key("pid").value(told.whose->pid);
    out.key("session").value(told.whose->session);
    out.key("service").value(told.whose->service);
    out.key("host").value(told.whose->host);
    out.key("executable").value(told.whose->executable);
    out.key("version").value(told.whose->version);
    out.key("started_unix_ns").value(told.whose->started_unix_ns);
    out.end_object();
}

void write_head(json_writer& out, const story& told) {
    out.key("path").value(told.path);
    write_process(out, told);
    out.key("end").value(word_of(told.end));
    out.key("end_text").value(told.end_text);
    out.key("first_unix_ns").value(told.first_unix_ns);
    out.key("last_unix_ns").value(told.last_unix_ns);
    out.key("records").value(static_cast<std::uint64_t>(told.record_count));
    out.key("damaged_sectors").value(told.damaged_sectors);
    out.key("incomplete_records").value(told.incomplete_records);
    out.key("is_cut_short").value(told.is_cut_short);
}

void write_tags(json_writer& out, const blackbox::pulse& p, const std::optional<snapshot>& names) {
    out.key("tags").begin_object();
    for (std::size_t i = 0; i < p.tag_count; ++i) {
        const std::uint64_t tag = p.tags[i].tag;
        const bool has_name = names && tag < names->tags.size();
        out.key(has_name ? names->tags[tag].name : "#" + std::to_string(tag)).value(p.tags[i].live_bytes);
    }
    out.end_object();
}

void write_pulse(json_writer& out, const told_pulse& each, const std::optional<snapshot>& names) {
    const memory_reading& r = each.figures.reading;
    const auto number = [&](const char* name, std::uint64_t value) { out.key(name).value(value); };
    out.new_line();
    out.begin_object();
    number("unix_ns", each.unix_ns);
    number("read_ns", r.time_ns);
    number("resident_bytes", r.process.resident);
    number("anonymous_bytes", r.process.anonymous);
    number("file_bytes", r.process.file);
    number("shared_bytes", r.process.shared);
    number("swapped_bytes", r.process.swapped);
    number("page_table_bytes", r.process.page_tables);
    number("address_space_bytes", r.process.address_space);
    number("threads", r.process.threads);
    number("cgroup_bytes", r.cgroup.current);
    number("cgroup_unreclaimable_bytes", r.cgroup.unreclaimable);
    number("cgroup_limit_bytes", r.cgroup.limit);
    number("events_low", r.cgroup.events.low);
    number("events_high", r.cgroup.events.high);
    number("events_max", r.cgroup.events.max);
    number("events_oom", r.cgroup.events.oom);
    number("events_oom_kill", r.cgroup.events.oom_kill);
    number("live_bytes", r.live_bytes);
    number("self_bytes", r.self_bytes);
    number("live_samples", each.figures.live_samples);
    number("completed_traces", each.figures.completed_traces);
    number("leaks", each.figures.leaks);
    number("suspects", each.figures.suspects);
    out.key("pressure").value(word_of(each.figures.level));
    if (const auto& f = each.figures.forecast) {
        out.key("time_to_oom_seconds").value(f->seconds);
        out.key("time_to_oom_least_seconds").value(f->least_seconds);
        out.key("time_to_oom_most_seconds").value(f->most_seconds);
        out.key("growth_bytes_per_s").value(f->growth_bytes_per_s);
    }
    write_tags(out, each.figures, names);
    out.end_object();
}

void write_requests(json_writer& out, const story& told) {
    const snapshot& s = *told.situation;
    out.key("requests").begin_array();
    for (const live_record& r : told.requests) {
        out.new_line();
        out.begin_object();
        out.key("unix_ns").value(s.info.started_unix_ns + r.birth_ns);
        out.key("trace").value(to_string(r.trace));
        out.key("route").value(s.routes[r.route]);
        out.key("bytes").value(r.size_bytes);
        out.key("site").value(site_name(s, s.sites[r.site]));
        out.key("thread").value(s.threads[r.thread].name);
        out.end_object();
    }
    out.end_array();
}

std::string without_newline(std::string document) {
    while (!document.empty() && document.back() == '\n') { document.pop_back(); }
    return document;
}

// Documents of report/ stand in this one as they are.
std::string situation_of(const story& told, std::size_t top) {
    if (!told.situation) { return "null"; }
    json_writer out;
    out.begin_object();
    out.key("unix_ns").value(told.situation_unix_ns);
    write_requests(out, told);
    out.end_object();
    std::string text = without_newline(out.take());
    text.pop_back();
    text += ",\n\"verdicts\": " + without_newline(render_json(told_verdicts(told, top)));
    if (const result<view> sites = told_sites(told, top)) { text += ",\n\"sites\": " + without_newline(render_json(*sites)); }
    return text + "}";
}

}  // namespace

std::string render_json(const story& told, std::size_t top) {
    json_writer out;
    out.begin_object();
    out.key("kind").value("memwatch.blackbox");
    out.key("version").value(std::uint64_t{1});
    write_head(out, told);
    out.key("curve").begin_array();
    for (const told_pulse& each : told.curve) { write_pulse(out, each, told.situation); }
    out.end_array();
    out.key("events").begin_array();
    for (const told_event& each : told.events) {
        out.new_line();
        out.begin_object();
        out.key("unix_ns").value(each.unix_ns);
        out.key("event").value(each.name);
        out.key("text").value(each.text);
        out.end_object();
    }
    out.end_array();
    out.key("situations").value(static_cast<std::uint64_t>(told.situations));
    out.end_object();
    std::string text = without_newline(out.take());
    text.pop_back();
    return text + ",\n\"situation\": " + situation_of(told, top) + "}\n";
}

std::string render_json(const std::vector<listed_box>& all) {
    json_writer out;
    out.begin_object();
    out.key("kind").value("memwatch.blackboxes");
    out.key("version").value(std::uint64_t{1});
    out.key("files").begin_array();
    for (const listed_box& each : all) {
        out.new_line();
        out.begin_object();
        out.key("name").value(each.name);
        if (each.problem.empty()) {
            write_head(out, each.of);
        } else {
            out.key("problem").value(each.problem);
        }
        out.end_object();
    }
    out.end_array();
    out.end_object();
    return out.take();
}

}  // namespace v1
}  // namespace memwatch
