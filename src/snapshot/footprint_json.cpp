// SPDX-License-Identifier: Apache-2.0
#include "snapshot/footprint_json.hpp"

#include <algorithm>

// Before the visitors, which look these up by the types of their arguments only.
#include "snapshot/fields.hpp"

namespace memwatch::inline v1::codec {

void fields(auto& v, is<footprint_row> auto& row) {
    v("part", row.part);
    v("basis", row.basis);
    v("bytes", row.bytes);
    v("error_bytes", row.error_bytes);
    v("note", row.note);
}

void fields(auto& v, is<cgroup_row> auto& row) {
    v("part", row.part);
    v("basis", row.basis);
    v("bytes", row.bytes);
    v("note", row.note);
}

void fields(auto& v, is<cgroup_footprint> auto& row) {
    v("version", row.version);
    v("group", row.group);
    v("current_bytes", row.current_bytes);
    v("limit_bytes", row.limit_bytes);
    v("unreclaimable_bytes", row.unreclaimable_bytes);
    v("rows", row.rows);
    v("unexplained_bytes", row.unexplained_bytes);
    v("detail", row.detail);
}

void fields(auto& v, is<allocator_figures> auto& row) {
    v("name", row.name);
    v("version", row.version);
    v("path", row.path);
    v("is_in_charge", row.is_in_charge);
    v("given_out_bytes", row.given_out_bytes);
    v("free_bytes", row.free_bytes);
    v("mapped_bytes", row.mapped_bytes);
    v("resident_bytes", row.resident_bytes);
    v("reclaimable_bytes", row.reclaimable_bytes);
    v("arenas", row.arenas);
    v("remedy", row.remedy);
    v("detail", row.detail);
}

void fields(auto& v, is<module_footprint> auto& row) {
    v("path", row.path);
    v("build_id", row.build_id);
    v("code_bytes", row.code_bytes);
    v("static_data_bytes", row.static_data_bytes);
    v("live_bytes", row.live_bytes);
    v("untagged_live_bytes", row.untagged_live_bytes);
}

void fields(auto& v, is<kernel_growth> auto& row) {
    v("part", row.part);
    v("is_of_group", row.is_of_group);
    v("bytes", row.bytes);
    v("watched_ns", row.watched_ns);
    v("bytes_per_second", row.bytes_per_second);
    v("correlation", row.correlation);
    v("steps", row.steps);
}

void fields(auto& v, is<mapped_region> auto& row) {
    v("size_bytes", row.size_bytes);
    v("resident_bytes", row.resident_bytes);
    v("first_seen_ns", row.first_seen_ns);
    v("name", row.name);
}

void fields(auto& v, is<kernel_footprint> auto& row) {
    v("page_table_bytes", row.page_table_bytes);
    v("threads", row.threads);
    v("socket_count", row.socket_count);
    v("swapped_bytes", row.swapped_bytes);
    v("growth", row.growth);
    v("regions", row.regions);
    v("region_count", row.region_count);
    v("detail", row.detail);
}

void fields(auto& v, is<footprint> auto& row) {
    v("pid", row.pid);
    v("taken_ns", row.taken_ns);
    v("took_ns", row.took_ns);
    v("resident_bytes", row.resident_bytes);
    v("rows", row.rows);
    v("unexplained_bytes", row.unexplained_bytes);
    v("not_detailed", row.not_detailed);
    v("cgroup", row.cgroup);
    v("allocators", row.allocators);
    v("modules", row.modules);
    v("kernel", row.kernel);
    v("changed_bytes", row.changed_bytes);
}

[[nodiscard]] inline footprint_part word_from(std::string_view text, footprint_part) noexcept {
    return footprint_part_of(text).value_or(unknown_word<footprint_part>);
}
[[nodiscard]] inline footprint_basis word_from(std::string_view text, footprint_basis) noexcept {
    return footprint_basis_of(text).value_or(unknown_word<footprint_basis>);
}
[[nodiscard]] inline cgroup_part word_from(std::string_view text, cgroup_part) noexcept {
    return cgroup_part_of(text).value_or(unknown_word<cgroup_part>);
}
[[nodiscard]] inline kernel_part word_from(std::string_view text, kernel_part) noexcept {
    return kernel_part_of(text).value_or(unknown_word<kernel_part>);
}

}  // namespace memwatch::inline v1::codec

#include "snapshot/json_rows.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr const char* footprint_kind = "memwatch.footprint";
constexpr std::uint64_t footprint_version = 1;
constexpr unsigned parse_flags =
    rapidjson::kParseIterativeFlag | rapidjson::kParseFullPrecisionFlag | rapidjson::kParseValidateEncodingFlag;

result<footprint> unreadable(const char* what, const char* where) { return fail(error_code::unreadable, what, where); }

// What this build knows words for; another's would be shown as "unknown" and summed up wrongly.
bool has_known_words(const footprint& where) {
    const auto is_known = [](const auto& row) { return row.part != codec::unknown_word<decltype(row.part)>; };
    const auto has_basis = [](const auto& row) { return row.basis != codec::unknown_word<footprint_basis>; };
    return std::all_of(where.rows.begin(), where.rows.end(), is_known) &&
           std::all_of(where.rows.begin(), where.rows.end(), has_basis) &&
           std::all_of(where.cgroup.rows.begin(), where.cgroup.rows.end(), is_known) &&
           std::all_of(where.cgroup.rows.begin(), where.cgroup.rows.end(), has_basis) &&
           std::all_of(where.kernel.growth.begin(), where.kernel.growth.end(), is_known);
}

}  // namespace

std::string encode_footprint(const footprint& where) {
    codec::string_sink sink;
    codec::json_writer out(sink);
    codec::row_writer row(out);
    out.StartObject();
    row("kind", std::string(footprint_kind));
    row("version", footprint_version);
    row("sentences", sentences_of(where));
    codec::fields(row, where);
    out.EndObject();
    sink.Put('\n');
    return std::move(sink.text);
}

result<footprint> decode_footprint(std::string_view bytes) {
    rapidjson::Document document;
    document.Parse<parse_flags>(bytes.data(), bytes.size());
    if (document.HasParseError() || !document.IsObject()) { return unreadable("not a JSON object", "byte 0"); }
    std::string kind;
    std::uint64_t written_by = 0;
    codec::row_reader row(document);
    row("kind", kind);
    row("version", written_by);
    if (kind != footprint_kind) { return unreadable("a JSON object, but no footprint", "kind"); }
    if (written_by > footprint_version) {
        return fail(error_code::unsupported, "a newer version of the footprint than this build reads", "version");
    }
    if (written_by == 0) { return unreadable("no version of the footprint", "version"); }
    if (!document.HasMember("rows") || !document.HasMember("resident_bytes")) {
        return unreadable("a footprint without rows", "rows");
    }
    footprint where;
    codec::fields(row, where);
    if (row.bad() != nullptr) { return unreadable("a field of another type", row.bad()); }
    if (!has_known_words(where)) { return unreadable("a word that this build does not know", "rows"); }
    return where;
}

}  // namespace v1
}  // namespace memwatch
