// SPDX-License-Identifier: Apache-2.0
#include "report/attribution_json.hpp"

#include <cmath>
#include <limits>
#include <optional>

#include "base/json_writer.hpp"
#include "report/attribution_words.hpp"
#include "report/json.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::uint64_t format_version = 1;

void write_optional(json_writer& json, const std::optional<double>& value) { value ? json.value(*value) : json.null(); }

void write_time(json_writer& json, std::uint64_t ns) { ns == 0 ? json.null() : json.value(ns); }

void write_snapshot(json_writer& json, const compared_snapshot& s) {
    json.begin_object();
    json.key("id").value(s.id);
    json.key("label").value(s.info.label);
    json.key("service").value(s.info.service);
    json.key("host").value(s.info.host);
    json.key("pid").value(s.info.pid);
    json.key("executable").value(s.info.executable);
    json.key("build_id").value(s.build_id);
    json.key("fingerprint").value(s.fingerprint);
    json.key("session").value(s.info.session);
    json.key("taken_unix_ns");
    write_time(json, s.info.started_unix_ns == 0 ? 0 : s.info.started_unix_ns + s.info.taken_ns);
    json.key("taken_ns").value(s.info.taken_ns);
    json.key("interval_bytes").value(s.info.interval_bytes);
    json.key("live_bytes").value(s.live_bytes);
    json.key("live_bytes_standard_error").value(s.live_error);
    json.key("resident_bytes").value(s.info.resident_bytes);
    json.key("sites").value(s.sites);
    json.end_object();
}

void write_since(json_writer& json, const since_when& since) {
    json.begin_object();
    json.key("basis").value(to_string(since.began.basis));
    json.key("onset_ns");
    since.began.basis == onset_basis::none ? json.null() : json.value(since.began.at_ns);
    json.key("onset_error_ns").value(since.began.error_ns);
    json.key("blocks_per_s_before").value(since.began.rate_before);
    json.key("blocks_per_s_after").value(since.began.rate_after);
    json.key("first_seen_ns");
    write_time(json, since.first_seen_ns);
    json.key("first_seen_at_the_latest").value(since.is_first_seen_late);
    json.key("oldest_live_ns");
    write_time(json, since.oldest_live_ns);
    json.key("first_snapshot").value(std::uint64_t{since.first_snapshot});
    json.end_object();
}

void write_speed(json_writer& json, const growth_speed& speed) {
    json.begin_object();
    json.key("bytes_per_s").value(speed.bytes_per_s);
    json.key("bytes_per_s_standard_error").value(speed.bytes_per_s_error);
    json.key("bytes_per_day").value(speed.bytes_per_day);
    json.key("bytes_per_day_low").value(speed.bytes_per_day_low);
    json.key("bytes_per_day_high").value(speed.bytes_per_day_high);
    write_optional(json.key("seconds_to_double"), speed.seconds_to_double);
    write_optional(json.key("seconds_to_double_rss"), speed.seconds_to_double_rss);
    write_optional(json.key("seconds_to_limit"), speed.seconds_to_limit);
    json.end_object();
}

// What the rules decided on, so that a reader can check them.
void write_facts(json_writer& json, const facts& f) {
    json.begin_object();
    json.key("between").value(f.is_between);
    json.key("born_bytes").value(f.born_bytes);
    json.key("born_objects").value(f.born_objects);
    json.key("freed_bytes").value(f.freed_bytes);
    json.key("freed_share").value(f.freed_share());
    json.key("freed_elsewhere_share").value(f.freed_elsewhere_share());
    json.key("nine_of_ten_lifetime_s").value(f.normal_lifetime_seconds);
    json.key("steady_share").value(f.steady_share < 0 ? std::numeric_limits<double>::quiet_NaN() : f.steady_share);
    json.key("untraced_share").value(f.untraced_share < 0 ? std::numeric_limits<double>::quiet_NaN() : f.untraced_share);
    json.key("made").value(to_string(f.code.made));
    json.key("holder").value(to_string(f.code.holder));
    json.key("called").value(f.code.called);
    json.key("companion").value(f.companion_called);
    json.key("threads").value(std::uint64_t{f.threads.threads});
    json.key("ended_threads").value(std::uint64_t{f.threads.ended});
    json.key("ended_share").value(f.threads.ended_share);
    json.key("oldest_age_ns").value(f.oldest_age_ns);
    if (f.has_pool) {
        json.key("pool_in_use_before").value(f.pool.before.in_use);
        json.key("pool_in_use_after").value(f.pool.after.in_use);
        json.key("pool_capacity").value(f.pool.after.capacity);
        json.key("pool_oldest_site").value(f.pool.oldest_site);
    }
    json.end_object();
}

void write_hint(json_writer& json, const hint& h) {
    json.begin_object();
    json.key("rule").value(h.rule);
    json.key("kind").value(to_string(h.kind));
    json.key("title").value(h.title);
    json.key("why").value(h.why.plain());
    json.key("suggestion").value(h.suggestion);
    json.end_object();
}

void write_hand_off(json_writer& json, const hand_off& h) {
    json.begin_object();
    json.key("from").value(h.from);
    json.key("from_tid").value(h.from_tid);
    json.key("to").value(h.to);
    json.key("to_tid").value(h.to_tid);
    json.key("freed_bytes").value(h.freed.bytes);
    json.end_object();
}

void write_whom(json_writer& json, const finding& f) {
    json.key("shares").begin_array();
    for (const delta_share& share : f.shares) {
        json.begin_object();
        json.key("by").value(to_string(share.by));
        json.key("name").value(share.by == dimension::trace ? to_string(share.trace) : share.name);
        json.key("bytes").value(share.bytes);
        json.end_object();
    }
    json.end_array();
    json.key("trace_ids").begin_array();
    for (const std::string& id : f.trace_ids) { json.value(id); }
    json.end_array();
    json.key("hand_offs").begin_array();
    for (const hand_off& each : f.hand_offs) { write_hand_off(json, each); }
    json.end_array();
}

void write_verdict(json_writer& json, const std::optional<verdict>& judged) {
    if (!judged) { return json.null(); }
    json.begin_object();
    json.key("class").value(word_of(judged->kind));
    json.key("level").value(word_of(level_of(judged->kind)));
    json.key("severity").value(word_of(judged->severity));
    json.key("doubt").value(word_of(judged->doubt));
    json.key("confidence").value(judged->confidence);
    json.key("since_ns").value(judged->since_ns);
    json.key("retained_bytes").value(judged->retained_bytes);
    json.key("rate_bytes_per_s").value(judged->rate_bytes_per_second);
    json.end_object();
}

void write_finding(json_writer& json, const finding& f, std::uint64_t number) {
    json.begin_object();
    json.key("number").value(number);
    json.key("kind").value(to_string(f.kind));
    json.key("id").value(f.key);
    json.key("function").value(f.function);
    json.key("file").value(f.file);
    json.key("line").value(std::uint64_t{f.line});
    json.key("type").value(f.type);
    json.key("tag").value(f.tag);
    json.key("pool").value(f.pool);
    json.key("status").value(to_string(f.what));
    json.key("bytes").value(f.bytes);
    json.key("bytes_standard_error").value(f.bytes_error);
    json.key("objects").value(f.objects);
    json.key("live_bytes").value(f.live_bytes);
    json.key("certainty").value(to_string(f.sure));
    json.key("standard_errors").value(f.standard_errors);
    json.key("samples").value(f.samples);
    write_verdict(json.key("verdict"), f.judged);
    json.new_line();
    write_since(json.key("since"), f.since);
    write_speed(json.key("speed"), f.speed);
    json.key("course").begin_array();
    for (const double bytes : f.course) { json.value(bytes); }
    json.end_array();
    json.new_line();
    write_whom(json, f);
    json.key("rank").begin_object();
    json.key("score").value(f.rank.score);
    json.key("volatility").value(f.rank.volatility);
    json.key("long_lived").value(f.rank.long_lived);
    json.key("weight").value(f.rank.weight);
    json.end_object();
    json.key("rows").begin_array();
    for (const std::size_t row : f.rows) { json.value(std::uint64_t{row}); }
    json.end_array();
    json.new_line();
    write_facts(json.key("facts"), f.known);
    json.key("likely_fix");
    const hint* fix = f.likely_fix();
    fix == nullptr ? json.null() : json.value(fix->rule);
    json.key("hints").begin_array();
    for (const hint& each : f.hints) { write_hint(json, each); }
    json.end_array();
    json.key("regression_test");
    has_regression_test(f) ? json.value(regression_test_name(f)) : json.null();
    json.end_object();
}

void write_metrics(json_writer& json, const std::vector<key_metric>& metrics) {
    json.begin_array();
    for (const key_metric& m : metrics) {
        json.new_line();
        json.begin_object();
        json.key("name").value(m.name);
        json.key("unit").value(m.unit);
        json.key("values").begin_array();
        for (const double value : m.values) { json.value(value); }
        json.end_array();
        json.end_object();
    }
    json.end_array();
}

}  // namespace

std::string render_json(const attribution& a, std::string_view tool_version) {
    json_writer json;
    json.begin_object();
    json.key("kind").value("memwatch.attribution");
    json.key("version").value(format_version);
    json.key("tool_version").value(tool_version);
    json.key("summary").value(summary_words(a).plain());
    json.new_line();
    json.key("snapshots").begin_array();
    for (const compared_snapshot& s : a.snapshots) {
        json.new_line();
        write_snapshot(json, s);
    }
    json.end_array();
    json.key("thresholds").begin_object();
    json.key("growth_bytes").value(a.options.threshold_bytes);
    json.key("standard_errors").value(std::uint64_t{2});
    json.key("limit_bytes");
    a.options.limit_bytes > 0 ? json.value(a.options.limit_bytes) : json.null();
    json.end_object();
    json.new_line();
    write_metrics(json.key("metrics"), a.metrics);
    json.key("warnings").begin_array();
    for (const std::string& warning : a.warnings) { json.value(warning); }
    json.end_array();
    json.new_line();
    json.key("findings").begin_array();
    std::uint64_t number = 0;
    for (const finding& f : a.findings) {
        json.new_line();
        write_finding(json, f, ++number);
    }
    json.end_array();
    json.key("more_findings").value(std::uint64_t{a.more_findings});
    json.key("to_look_at_again").value(std::uint64_t{a.to_wait_for});
    json.end_object();
    // The delta is a document of its own: spliced in as the last member.
    std::string text = json.take();
    text.resize(text.rfind('}'));
    std::string change = render_json(a.change);
    change.pop_back();  // its newline
    return text + ",\n\"delta\": " + change + "}\n";
}

}  // namespace v1
}  // namespace memwatch
