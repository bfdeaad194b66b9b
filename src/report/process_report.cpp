// SPDX-License-Identifier: Apache-2.0
#include "report/process_report.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <memwatch/base/units.hpp>
#include <memwatch/model/site_name.hpp>

#include "base/json_writer.hpp"
#include "report/context_share.hpp"
#include "report/text_table.hpp"
#include "report/verdict_findings.hpp"
#include "report/words.hpp"
#include "verdict/sentence.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::size_t most_lines_of_processes = 20;

void write_totals(json_writer& json, const sampled_totals& t) {
    json.key("live_bytes").value(t.bytes);
    json.key("standard_error_bytes").value(t.bytes_standard_error());
    json.key("live_objects").value(t.objects);
    json.key("samples").value(t.samples);
}

void write_frame(json_writer& json, const snapshot& s, const frame& f) {
    json.begin_object();
    json.key("module").value(f.module == no_module ? std::string() : s.modules[f.module].path);
    json.key("offset").value(f.offset);
    json.key("lines").begin_array();
    for (const source_line& line : f.lines) {
        json.begin_object();
        json.key("function").value(line.function);
        if (!line.file.empty()) {
            json.key("file").value(line.file);
            json.key("line").value(std::uint64_t{line.line});
        }
        json.end_object();
    }
    json.end_array();
    json.end_object();
}

void write_site(json_writer& json, const snapshot& s, const site& of) {
    json.new_line();
    json.begin_object();
    json.key("site").value(site_key(s, of));
    json.key("name").value(site_name(s, of));
    write_totals(json, of.live);
    json.key("allocated_bytes").value(of.allocated.bytes);
    json.key("tag").value(s.tags.empty() ? std::string() : s.tags[of.tag].name);
    json.key("type").value(of.type);
    json.key("is_truncated").value(s.stacks[of.stack].is_truncated);
    json.key("stack").begin_array();
    for (const std::uint32_t index : s.stacks[of.stack].frames) { write_frame(json, s, s.frames[index]); }
    json.end_array();
    json.end_object();
}

void write_values(json_writer& json, const char* name, const std::vector<named_value>& values) {
    json.key(name).begin_object();
    for (const named_value& each : values) {
        if (each.value != 0) { json.key(each.name).value(each.value); }
    }
    json.end_object();
}

void write_process(json_writer& json, const reported_process& p, std::size_t top) {
    const snapshot& s = p.value;
    json.new_line();
    json.begin_object();
    json.key("pid").value(s.info.pid);
    json.key("executable").value(s.info.executable);
    json.key("service").value(s.info.service);
    json.key("session").value(s.info.session);
    json.key("started_unix_ns").value(s.info.started_unix_ns);
    json.key("up_ns").value(s.info.taken_ns);
    json.key("is_running").value(p.is_running);
    json.key("interval_bytes").value(s.info.interval_bytes);
    json.key("resident_bytes").value(s.info.resident_bytes);
    if (s.info.exact_until_ns != 0) { json.key("exact_until_ns").value(s.info.exact_until_ns); }
    const sampled_totals all = live_sum(s);
    write_totals(json, all);
    const std::vector<const site*> sites = largest_live_sites(s, top);
    double shown = 0;
    json.key("sites").begin_array();
    for (const site* const each : sites) {
        write_site(json, s, *each);
        shown += each->live.bytes;
    }
    json.end_array();
    json.key("sites_total").value(std::uint64_t{largest_live_sites(s, 0).size()});
    json.key("other_sites_bytes").value(std::max(0.0, all.bytes - shown));
    write_json(json.key("context"), measure_context(s));
    write_values(json, "drops", s.drops);
    write_values(json, "degradations", s.degradations);
    write_values(json, "self_bytes", s.self_bytes);
    json.end_object();
}

std::string process_words(const reported_process& p) {
    const snapshot& s = p.value;
    const sampled_totals live = live_sum(s);
    std::string words = fmt::format("{}  pid {}  {}{} live in {} blocks", printable(base_name(s.info.executable)), s.info.pid,
                                    p.is_running ? "still running, " : "at its end ",
                                    format_estimate(live.bytes, live.bytes_standard_error()), format_count(live.objects));
    if (s.info.interval_bytes != 0) {
        return words + fmt::format(" (estimated from {} samples, one per {})", live.samples,
                                   format_bytes(static_cast<double>(s.info.interval_bytes)));
    }
    if (s.info.exact_until_ns == 0) { return words + " (every block recorded)"; }
    return words + fmt::format(" (every block recorded until the budget ended after {}; then some are missing)",
                               format_duration(s.info.exact_until_ns));
}

// What leaks and what may, each in a sentence, before the sites: who reads one line reads this one.
std::string verdict_words(const snapshot& s, const report_text_options& options) {
    std::string words;
    std::size_t said = 0, left = 0;
    for (const verdict* const each : ranked_verdicts(s)) {
        const verdict_level level = level_of(each->kind);
        if (level == verdict_level::none) { break; }
        if (said == options.verdicts) {
            ++left;
            continue;
        }
        ++said;
        const std::string line = fmt::format("  {}: {}", word_of(level), printable(sentence(*each, s)));
        words += styled(line, level == verdict_level::leak ? text_style::growth : text_style::plain, options.colour) + "\n";
    }
    if (left != 0) { words += fmt::format("  and {} more leaks and suspects\n", left); }
    return words;
}

std::string site_words(const snapshot& s, const site& of, std::size_t stack_lines) {
    std::string words = fmt::format("  {:>24}  {:>9}  {}", format_estimate(of.live.bytes, of.live.bytes_standard_error()),
                                    format_count(of.live.objects), elide(printable(site_name(s, of)), 72));
    if (of.tag != 0 && of.tag < s.tags.size()) { words += "  [" + printable(s.tags[of.tag].name) + "]"; }
    words += "\n";
    std::vector<frame> stack;
    for (const std::uint32_t index : s.stacks[of.stack].frames) { stack.push_back(s.frames[index]); }
    for (const frame_words& line : user_frames(stack, s.modules, stack_lines)) {
        words += fmt::format("{:39}{}{}{}\n", "", line.function, line.place.empty() ? "" : "  ", line.place);
    }
    return words;
}

// What leaks is said with routes and traces; an even choice of this many records a site says them as well as all would.
constexpr std::size_t most_records_a_site = 10'000;

void keep_suspicious_records(snapshot& s) {
    std::vector<std::size_t> stride(s.sites.size());  // 0: none is kept
    for (const verdict* const each : reported_verdicts(s)) {
        if (wants_records(*each)) { stride[each->index] = s.sites[each->index].live.samples / most_records_a_site + 1; }
    }
    std::vector<std::size_t> met(s.sites.size());
    std::erase_if(s.live, [&](const live_record& r) { return stride[r.site] == 0 || met[r.site]++ % stride[r.site] != 0; });
    s.live.shrink_to_fit();
}

void need_frames(std::vector<bool>& is_needed, const snapshot& s, const site& of) {
    for (const std::uint32_t index : s.stacks[of.stack].frames) { is_needed[index] = true; }
}

}  // namespace

sampled_totals live_sum(const snapshot& s) noexcept {
    sampled_totals sum;
    for (const site& each : s.sites) { sum.add(each.live); }
    return sum;
}

std::vector<const site*> largest_live_sites(const snapshot& s, std::size_t top) {
    std::vector<const site*> out;
    for (const site& each : s.sites) {
        if (each.live.samples != 0) { out.push_back(&each); }
    }
    std::stable_sort(out.begin(), out.end(), [](const site* a, const site* b) { return a->live.bytes > b->live.bytes; });
    if (top != 0 && out.size() > top) { out.resize(top); }
    return out;
}

void keep_largest_sites(snapshot& s, std::size_t top) {
    keep_context_share(s);
    keep_suspicious_records(s);
    std::vector<bool> is_needed(s.frames.size());
    for (const site* const each : largest_live_sites(s, top)) { need_frames(is_needed, s, *each); }
    for (const verdict* const each : reported_verdicts(s)) {
        if (each->subject == verdict_subject::site) { need_frames(is_needed, s, s.sites[each->index]); }
    }
    for (const pool_totals& pool : s.pools) {
        if (pool.oldest_frame != 0) { is_needed[pool.oldest_frame - 1] = true; }
    }
    for (std::size_t i = 0; i < s.frames.size(); ++i) {
        if (!is_needed[i]) { s.frames[i].module = no_module; }
    }
}

std::string render_json(const process_report& r) {
    json_writer json;
    json.begin_object();
    json.key("kind").value("memwatch.report");
    json.key("version").value(std::uint64_t{1});
    if (!r.command.empty()) {
        json.key("command").begin_array();
        for (const std::string& word : r.command) { json.value(word); }
        json.end_array();
    }
    if (r.status) { json.key("status").value(std::int64_t{*r.status}); }
    json.key("processes").begin_array();
    for (const reported_process& each : r.processes) { write_process(json, each, r.top); }
    json.end_array();
    json.key("findings").begin_array();
    for (const reported_process& each : r.processes) { write_findings(json, each.value); }
    json.end_array();
    json.key("remarks").begin_array();
    for (const std::string& each : r.remarks) { json.value(each); }
    json.end_array();
    json.end_object();
    return json.take();
}

std::string render_text(const process_report& r, const report_text_options& options) {
    std::string words;
    for (std::size_t i = 0; i < r.processes.size() && i < options.processes + most_lines_of_processes; ++i) {
        const reported_process& each = r.processes[i];
        words += styled(process_words(each), text_style::bold, options.colour) + "\n";
        words += verdict_words(each.value, options);
        if (i >= options.processes) { continue; }
        const std::vector<const site*> sites = largest_live_sites(each.value, r.top);
        for (const site* const s : sites) { words += site_words(each.value, *s, options.stack_lines); }
        const std::size_t all = largest_live_sites(each.value, 0).size();
        if (const std::string context = to_words(measure_context(each.value)); !context.empty()) {
            words += "  " + context + "\n";
        }
        if (all > sites.size()) { words += fmt::format("  and {} more sites\n", all - sites.size()); }
    }
    const std::size_t lines = options.processes + most_lines_of_processes;
    if (r.processes.size() > lines) { words += fmt::format("and {} more processes\n", r.processes.size() - lines); }
    for (const std::string& each : r.remarks) { words += printable(each) + "\n"; }
    return words;
}

}  // namespace v1
}  // namespace memwatch
