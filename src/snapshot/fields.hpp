// SPDX-License-Identifier: Apache-2.0
#pragma once
// Each row type of a snapshot described once: its fields, in order, with the names that JSON uses. The JSON writer and reader
// and the memtrace row codec are visitors of these lists, so that the formats cannot disagree about what a row holds.
//
//   fields(v, row)   calls v(key, member) for every field
//   v.column(...)    a fact of list items that came later: items have no length of their own, so a dump carries it as a list
//                    beside theirs, at the end of the row; v.in_column(key, member) is where it stands in the item
//   tables(v, s)     calls v(table, vector) for every table but `live` and `info`, in the order dumps store them
//
// The order of fields is the byte order of memtrace rows (FORMAT.md): it never changes within a major version. A new fact
// goes to a new table. tests/golden holds dumps that have to stay readable.

#include <concepts>
#include <string_view>
#include <type_traits>

#include <memwatch/model/snapshot.hpp>

namespace memwatch::inline v1::codec {

template <class T, class U>
concept is = std::same_as<std::remove_const_t<T>, U>;

void fields(auto& v, is<named_value> auto& row) {
    v("name", row.name);
    v("value", row.value);
}

void fields(auto& v, is<snapshot_info> auto& row) {
    v("label", row.label);
    v("service", row.service);
    v("host", row.host);
    v("executable", row.executable);
    v("version", row.version);
    v("session", row.session);
    v("pid", row.pid);
    v("started_unix_ns", row.started_unix_ns);
    v("taken_ns", row.taken_ns);
    v("epoch_ns", row.epoch_ns);
    v("first_epoch", row.first_epoch);
    v("interval_bytes", row.interval_bytes);
    v("resident_bytes", row.resident_bytes);
    v("exact_until_ns", row.exact_until_ns);
    v("window_ns", row.window_ns);
    v("sampler", row.sampler);
    v("one_in", row.one_in);
    v("min_size_bytes", row.min_size_bytes);
    v("baseline_ns", row.baseline_ns);
}

void fields(auto& v, is<module> auto& row) {
    v("path", row.path);
    v("build_id", row.build_id);
    v("start", row.start);
    v("limit", row.limit);
    v("file_offset", row.file_offset);
}

void fields(auto& v, is<source_line> auto& row) {
    v("function", row.function);
    v("file", row.file);
    v("line", row.line);
    v.in_column("function_line", row.function_line);
}

void fields(auto& v, is<frame> auto& row) {
    v("module", row.module);
    v("offset", row.offset);
    v("lines", row.lines);
    v.column(
        row.lines, [](auto& line) -> auto& { return line.function_line; });
}

void fields(auto& v, is<stack> auto& row) {
    v("frames", row.frames);
    v("is_truncated", row.is_truncated);
}

void fields(auto& v, is<cohort> auto& row) {
    v("epoch", row.epoch);
    v("born_bytes", row.born_bytes);
    v("born_objects", row.born_objects);
    v("is_merged", row.is_merged);
}

void fields(auto& v, is<sampled_totals> auto& row) {
    v("bytes", row.bytes);
    v("objects", row.objects);
    v("bytes_variance", row.bytes_variance);
    v("objects_variance", row.objects_variance);
    v("samples", row.samples);
}

void fields(auto& v, is<lifetime_histogram> auto& row) {
    v("objects", row.objects);
    v("sum_seconds", row.sum_seconds);
}

// A site's cohorts stand in a chunk of their own: half of a large dump, and who adds up sites does not need them.
struct site_cohorts {
    std::uint32_t site{};
    std::vector<cohort> cohorts;
};

void fields(auto& v, is<site_cohorts> auto& row) {
    v("site", row.site);
    v("cohorts", row.cohorts);
}

void fields(auto& v, is<site> auto& row) {
    v("stack", row.stack);
    v("tag", row.tag);
    v("type", row.type);
    v("live", row.live);
    v("allocated", row.allocated);
    v("freed", row.freed);
    v("freed_by_other_thread", row.freed_by_other_thread);
    v("cohorts", row.cohorts);
    v("lifetimes", row.lifetimes);
}

void fields(auto& v, is<live_record> auto& row) {
    v("sequence", row.sequence);
    v("size_bytes", row.size_bytes);
    v("birth_ns", row.birth_ns);
    v("interval_bytes", row.interval_bytes);
    v("trace", row.trace);
    v("site", row.site);
    v("route", row.route);
    v("thread", row.thread);
}

void fields(auto& v, is<tag_totals> auto& row) {
    v("name", row.name);
    v("allocated_bytes", row.allocated_bytes);
    v("allocations", row.allocations);
    v("freed_bytes", row.freed_bytes);
    v("frees", row.frees);
    v("weight", row.weight);
}

void fields(auto& v, is<pool_totals> auto& row) {
    v("name", row.name);
    v("upstream", row.upstream);
    v("object_bytes", row.object_bytes);
    v("capacity", row.capacity);
    v("in_use", row.in_use);
    v("high_water", row.high_water);
    v("acquires", row.acquires);
    v("hits", row.hits);
    v("acquire_failures", row.acquire_failures);
    v("misuses", row.misuses);
    v("tag", row.tag);
    v("upstream_is_pool", row.upstream_is_pool);
    v("storage_bytes", row.storage_bytes);
    v("waiters", row.waiters);
    v("most_waiters", row.most_waiters);
    v("waits", row.waits);
    v("wait_ns", row.wait_ns);
    v("oldest_checkout_ns", row.oldest_checkout_ns);
    v("oldest_trace", row.oldest_trace);
    v("oldest_route", row.oldest_route);
    v("oldest_frame", row.oldest_frame);
}

void fields(auto& v, is<thread_info> auto& row) {
    v("name", row.name);
    v("tid", row.tid);
    v("is_alive", row.is_alive);
}

void fields(auto& v, is<survival> auto& row) {
    v("site", row.site);
    v("survived", row.survived);
    v("ended", row.ended);
    v("short_lived", row.short_lived);
    v("survived_traced_bytes", row.survived_traced_bytes);
}

void fields(auto& v, is<hand_off> auto& row) {
    v("from", row.from);
    v("to", row.to);
    v("from_tid", row.from_tid);
    v("to_tid", row.to_tid);
    v("freed", row.freed);
}

// As varints; JSON writes the usual 32 digits instead.
void fields(auto& v, is<trace_id> auto& row) {
    v("high", row.high);
    v("low", row.low);
}

void fields(auto& v, is<trace_example> auto& row) {
    v("site", row.site);
    v("trace", row.trace);
    v("size_bytes", row.size_bytes);
    v("birth_ns", row.birth_ns);
}

void fields(auto& v, is<verdict_feature> auto& row) {
    v("feature", row.kind);
    v("value", row.value);
    v("contribution", row.contribution);
}

void fields(auto& v, is<verdict> auto& row) {
    v("subject", row.subject);
    v("row", row.index);  // a line of JSON lines has an index of its own
    v("class", row.kind);
    v("doubt", row.doubt);
    v("severity", row.severity);
    v("is_exact", row.is_exact);
    v("confidence", row.confidence);
    v("since_ns", row.since_ns);
    v("decided_ns", row.decided_ns);
    v("looks", row.looks);
    v("generations", row.generations);
    v("retained_bytes", row.retained_bytes);
    v("retained_objects", row.retained_objects);
    v("rate_bytes_per_second", row.rate_bytes_per_second);
    v("rate_error", row.rate_error);
    v("kept_share", row.kept_share);
    v("kept_share_low", row.kept_share_low);
    v("kept_share_high", row.kept_share_high);
    v("freed_objects", row.freed_objects);
    v("follow_up", row.follow_up);
    v("bytes_per_trace", row.bytes_per_trace);
    v("escaped_share", row.escaped_share);
    v("other_thread_share", row.other_thread_share);
    v("features", row.features);
}

// The words of a verdict: numbers in a dump, in the order of the enums; words in JSON. One that this version doesn't know reads
// as `unknown_word`, which validate() refuses and repair() replaces.
template <class T>
concept word = std::is_enum_v<T>;

template <word Enum>
inline constexpr Enum unknown_word = static_cast<Enum>(0xFF);

template <word Enum>
[[nodiscard]] Enum word_from(std::uint64_t number) noexcept {
    return number < 0xFF ? static_cast<Enum>(number) : unknown_word<Enum>;
}

[[nodiscard]] inline verdict_subject word_from(std::string_view text, verdict_subject) noexcept {
    return verdict_subject_of(text).value_or(unknown_word<verdict_subject>);
}
[[nodiscard]] inline verdict_class word_from(std::string_view text, verdict_class) noexcept {
    return verdict_class_of(text).value_or(unknown_word<verdict_class>);
}
[[nodiscard]] inline verdict_doubt word_from(std::string_view text, verdict_doubt) noexcept {
    return verdict_doubt_of(text).value_or(unknown_word<verdict_doubt>);
}
[[nodiscard]] inline verdict_severity word_from(std::string_view text, verdict_severity) noexcept {
    return verdict_severity_of(text).value_or(unknown_word<verdict_severity>);
}
[[nodiscard]] inline verdict_feature_kind word_from(std::string_view text, verdict_feature_kind) noexcept {
    return verdict_feature_of(text).value_or(unknown_word<verdict_feature_kind>);
}

// A route is a bare string.
void fields(auto& v, is<std::string> auto& row) { v("name", row); }

// `code` is the chunk type that memtrace files the table under.
struct table_name {
    const char* json;
    char code[5];
};

void tables(auto&& v, is<snapshot> auto& s) {
    v(table_name{"modules", "MODS"}, s.modules);
    v(table_name{"frames", "FRMS"}, s.frames);
    v(table_name{"stacks", "STKS"}, s.stacks);
    v(table_name{"tags", "TAGS"}, s.tags);
    v(table_name{"routes", "ROUT"}, s.routes);
    v(table_name{"threads", "THRD"}, s.threads);
    v(table_name{"pools", "POOL"}, s.pools);
    v(table_name{"sites", "SITE"}, s.sites);
    v(table_name{"drops", "DROP"}, s.drops);
    v(table_name{"degradations", "DEGR"}, s.degradations);
    v(table_name{"self_bytes", "SELF"}, s.self_bytes);
    v(table_name{"survivals", "SURV"}, s.survivals);
    v(table_name{"hand_offs", "HAND"}, s.hand_offs);
    v(table_name{"activity", "ACTV"}, s.activity);
    v(table_name{"examples", "EXMP"}, s.examples);
    v(table_name{"verdicts", "VERD"}, s.verdicts);
}

}  // namespace memwatch::inline v1::codec
