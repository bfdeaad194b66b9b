// SPDX-License-Identifier: Apache-2.0
#include "report/verdict_findings.hpp"

#include <algorithm>
#include <optional>
#include <string>

#include <memwatch/model/site_name.hpp>

#include "report/evidence.hpp"
#include "verdict/sentence.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

bool is_in_range(const snapshot& s, const verdict& v) noexcept {
    return v.index < (v.subject == verdict_subject::site ? s.sites.size() : s.pools.size());
}

// --- where it is: the user's own function of a site, or who acquired what a pool misses longest

struct place {
    std::string function;
    std::string module;
    std::string file;
    std::uint32_t line{};
    std::vector<std::uint32_t> frames;  // indices into snapshot.frames, innermost first
};

void take_frame(place& into, const snapshot& s, std::uint32_t index, std::size_t line) {
    const frame& f = s.frames[index];
    if (f.module < s.modules.size()) { into.module = s.modules[f.module].path; }
    if (line >= f.lines.size()) { return; }
    into.file = f.lines[line].file;
    into.line = f.lines[line].line;
}

place place_of_site(const snapshot& s, const site& of) {
    place out;
    out.function = site_name(s, of);
    out.frames = s.stacks[of.stack].frames;
    const std::optional<own_place> own = find_own_place(s, of);
    if (own) {
        take_frame(out, s, out.frames[own->frame], own->line);
    } else if (!out.frames.empty()) {
        take_frame(out, s, out.frames.front(), 0);
    }
    return out;
}

place place_of_pool(const snapshot& s, const pool_totals& of) {
    place out;
    out.function = of.name;  // nobody known who acquires
    if (of.oldest_frame == 0) { return out; }
    out.frames = {of.oldest_frame - 1};
    out.function = site_name({s.frames[of.oldest_frame - 1]}, s.modules);
    take_frame(out, s, of.oldest_frame - 1, 0);
    return out;
}

void write_stack(json_writer& json, const snapshot& s, const std::vector<std::uint32_t>& frames) {
    json.key("stack").begin_array();
    for (const std::uint32_t index : frames) {
        bool is_named = false;
        for (const source_line& line : s.frames[index].lines) {
            if (line.function.empty()) { continue; }
            json.value(line.function);
            is_named = true;
        }
        if (!is_named) { json.value(frame_name(s.frames[index], s.modules)); }
    }
    json.end_array();
}

void write_place(json_writer& json, const place& at) {
    json.key("function").value(at.function);
    json.key("module").value(at.module);
    if (!at.file.empty()) {
        json.key("file").value(at.file);
        json.key("line").value(std::uint64_t{at.line});
    }
}

// --- what it is

std::string tag_name(const snapshot& s, std::uint32_t tag) { return tag < s.tags.size() ? s.tags[tag].name : std::string(); }

void write_subject(json_writer& json, const snapshot& s, const verdict& v) {
    json.key("subject").value(word_of(v.subject));
    if (v.subject == verdict_subject::site) {
        const site& of = s.sites[v.index];
        json.key("site").value(site_key(s, of));
        json.key("tag").value(tag_name(s, of.tag));
        json.key("type").value(of.type);
        return;
    }
    const pool_totals& of = s.pools[v.index];
    json.key("site").value("pool:" + of.name);
    json.key("pool").value(of.name);
    json.key("tag").value(of.tag);
    json.key("type").value("");
}

void write_whose(json_writer& json, const snapshot& s, const site_evidence& whose) {
    double all = 0;
    for (const auto& [route, bytes] : whose.routes) { all += bytes; }
    json.key("routes").begin_array();
    for (const auto& [route, bytes] : whose.routes) {
        if (route == 0) { continue; }  // no route
        json.begin_object();
        json.key("route").value(s.routes[route]);
        json.key("share").value(all > 0 ? bytes / all : 0);
        json.end_object();
    }
    json.end_array();
    json.key("traces").begin_array();
    for (const trace_id& trace : whose.traces) { json.value(to_string(trace)); }
    json.end_array();
}

void write_features(json_writer& json, const verdict& v) {
    json.key("features").begin_array();
    for (const verdict_feature& each : v.features) {
        json.begin_object();
        json.key("name").value(word_of(each.kind));
        json.key("value").value(each.value);
        json.key("contribution").value(each.contribution);
        json.end_object();
    }
    json.end_array();
}

void write_evidence(json_writer& json, const snapshot& s, const verdict& v, const site_evidence* whose) {
    const std::pair<const char*, double> figures[] = {{"retained_bytes", v.retained_bytes},
                                                      {"retained_objects", v.retained_objects},
                                                      {"rate_error", v.rate_error},
                                                      {"kept_share", v.kept_share},
                                                      {"kept_share_low", v.kept_share_low},
                                                      {"kept_share_high", v.kept_share_high},
                                                      {"freed_objects", v.freed_objects},
                                                      {"follow_up", v.follow_up},
                                                      {"bytes_per_trace", v.bytes_per_trace},
                                                      {"escaped_share", v.escaped_share},
                                                      {"other_thread_share", v.other_thread_share}};
    json.key("evidence").begin_object();
    json.key("looks").value(std::uint64_t{v.looks});
    json.key("generations").value(std::uint64_t{v.generations});
    for (const auto& [name, value] : figures) { json.key(name).value(value); }
    json.key("since_ns").value(v.since_ns);
    json.key("decided_ns").value(v.decided_ns);
    json.key("judged_ns").value(s.info.taken_ns);
    json.key("epoch_ns").value(s.info.epoch_ns);
    write_features(json, v);
    if (whose != nullptr) { write_whose(json, s, *whose); }
    json.end_object();
}

void write_finding(json_writer& json, const snapshot& s, const verdict& v, const std::string& said,
                   const site_evidence* whose) {
    const place at =
        v.subject == verdict_subject::site ? place_of_site(s, s.sites[v.index]) : place_of_pool(s, s.pools[v.index]);
    const sampled_totals held = held_by(s, v);
    json.new_line();
    json.begin_object();
    write_place(json, at);
    write_subject(json, s, v);
    json.key("process").value(s.info.pid);
    json.key("executable").value(s.info.executable);
    json.key("class").value(word_of(v.kind));
    json.key("verdict").value(word_of(level_of(v.kind)));
    json.key("severity").value(word_of(v.severity));
    json.key("doubt").value(word_of(v.doubt));
    json.key("is_exact").value(v.is_exact);
    json.key("bytes").value(held.bytes);
    json.key("bytes_standard_error").value(held.bytes_standard_error());
    json.key("objects").value(held.objects);
    json.key("rate_bytes_per_s").value(v.rate_bytes_per_second);
    json.key("confidence").value(v.confidence);
    json.key("since_unix_ns").value(s.info.started_unix_ns + v.since_ns);
    json.key("decided_unix_ns").value(s.info.started_unix_ns + v.decided_ns);
    json.key("sentence").value(said);
    json.key("change_of_mind").value(change_of_mind(v));
    json.key("holder").null();  // who keeps it: of the reachability scan, which there is none of yet
    write_stack(json, s, at.frames);
    write_evidence(json, s, v, whose);
    json.end_object();
}

}  // namespace

sampled_totals held_by(const snapshot& s, const verdict& v) noexcept {
    if (v.subject == verdict_subject::site) { return s.sites[v.index].live; }
    const pool_totals& of = s.pools[v.index];
    sampled_totals held;
    held.objects = static_cast<double>(of.in_use);
    held.bytes = held.objects * static_cast<double>(of.object_bytes);
    held.samples = of.in_use;
    return held;
}

bool wants_records(const verdict& v) noexcept {
    return v.subject == verdict_subject::site && level_of(v.kind) != verdict_level::none;
}

std::vector<const verdict*> ranked_verdicts(const snapshot& s) {
    std::vector<const verdict*> out;
    for (const verdict& each : s.verdicts) {
        if (is_in_range(s, each)) { out.push_back(&each); }
    }
    std::stable_sort(out.begin(), out.end(), [&](const verdict* a, const verdict* b) {
        const verdict_level of_a = level_of(a->kind), of_b = level_of(b->kind);
        return of_a != of_b ? of_a > of_b : held_by(s, *a).bytes > held_by(s, *b).bytes;
    });
    return out;
}

std::vector<const verdict*> reported_verdicts(const snapshot& s) {
    std::vector<const verdict*> out = ranked_verdicts(s);
    const auto harmless =
        std::find_if(out.begin(), out.end(), [](const verdict* v) { return level_of(v->kind) == verdict_level::none; });
    const auto suspicious = static_cast<std::size_t>(harmless - out.begin());
    if (out.size() - suspicious > most_findings_without_suspicion) { out.resize(suspicious + most_findings_without_suspicion); }
    return out;
}

std::vector<const verdict*> leaks_above(const snapshot& s, double threshold_bytes) {
    std::vector<const verdict*> out = ranked_verdicts(s);
    std::erase_if(out, [&](const verdict* v) {
        if (level_of(v->kind) != verdict_level::leak) { return true; }
        const sampled_totals held = held_by(s, *v);
        return threshold_bytes > 0 && held.bytes - 2 * held.bytes_standard_error() <= threshold_bytes;
    });
    return out;
}

void write_findings(json_writer& json, const snapshot& s) {
    const std::vector<const verdict*> reported = reported_verdicts(s);
    std::vector<std::uint32_t> sites;
    for (const verdict* const each : reported) {
        if (wants_records(*each)) { sites.push_back(each->index); }
    }
    const std::vector<site_evidence> whose = gather_evidence(s, sites);
    const std::vector<retained_for> whom = retained_for_whom(reported, s);
    std::size_t next = 0;
    for (std::size_t i = 0; i < reported.size(); ++i) {
        const verdict& each = *reported[i];
        write_finding(json, s, each, sentence(each, s, whom[i]), wants_records(each) ? &whose[next++] : nullptr);
    }
}

}  // namespace v1
}  // namespace memwatch
