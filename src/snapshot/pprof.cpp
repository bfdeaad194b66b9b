// SPDX-License-Identifier: Apache-2.0
#include "snapshot/pprof.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <tuple>
#include <unordered_map>

#include <protozero/pbf_writer.hpp>

#include "snapshot/deflate.hpp"

namespace memwatch::inline v1::codec {
namespace {

constexpr std::size_t samples_with_example = 64;

// Field numbers of profile.proto.
namespace profile_field {
enum : protozero::pbf_tag_type {
    sample_type = 1,
    sample,
    mapping,
    location,
    function,
    strings,
    time_nanos = 9,
    duration_nanos,
    period_type,
    period,
    comment,
    default_sample_type
};
}
namespace value_type_field {
enum : protozero::pbf_tag_type { type = 1, unit };
}
namespace sample_field {
enum : protozero::pbf_tag_type { location_id = 1, value, label };
}
namespace label_field {
enum : protozero::pbf_tag_type { key = 1, str };
}
namespace mapping_field {
enum : protozero::pbf_tag_type {
    id = 1,
    memory_start,
    memory_limit,
    file_offset,
    filename,
    build_id,
    has_functions,
    has_filenames,
    has_line_numbers,
    has_inline_frames
};
}
namespace location_field {
enum : protozero::pbf_tag_type { id = 1, mapping_id, address, line };
}
namespace line_field {
enum : protozero::pbf_tag_type { function_id = 1, line };
}
namespace function_field {
enum : protozero::pbf_tag_type { id = 1, name, system_name, filename };
}

std::int64_t rounded(double value) {
    constexpr double most = 9.2e18;
    return std::llround(std::clamp(value, -most, most));
}

// What is alive of a site for one route and thread, and of these for one trace where `trace` is set.
struct live_group {
    std::uint32_t site;
    std::uint32_t route;
    std::uint32_t thread;
    trace_id trace;
    double bytes;
    double objects;
};

auto group_key(const live_group& g) { return std::tie(g.site, g.route, g.thread); }

// Adds up neighbours that `same` takes for one.
template <class Same>
void merge_neighbours(std::vector<live_group>& groups, Same same) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < groups.size(); ++i) {
        if (kept > 0 && same(groups[kept - 1], groups[i])) {
            groups[kept - 1].bytes += groups[i].bytes;
            groups[kept - 1].objects += groups[i].objects;
        } else {
            groups[kept++] = groups[i];
        }
    }
    groups.resize(kept);
}

// Splits the heaviest trace off the largest groups. `by_trace` is ordered by group and trace.
void add_examples(std::vector<live_group>& groups, const std::vector<live_group>& by_trace) {
    std::vector<std::size_t> largest(groups.size());
    for (std::size_t i = 0; i < largest.size(); ++i) { largest[i] = i; }
    const auto count = std::min(samples_with_example, largest.size());
    std::partial_sort(
        largest.begin(), largest.begin() + static_cast<std::ptrdiff_t>(count), largest.end(),
        [&](auto a, auto b) { return groups[a].bytes != groups[b].bytes ? groups[a].bytes > groups[b].bytes : a < b; });
    for (std::size_t i = 0; i < count; ++i) {
        auto& whole = groups[largest[i]];
        const auto [first, last] = std::equal_range(by_trace.begin(), by_trace.end(), whole,
                                                    [](const auto& a, const auto& b) { return group_key(a) < group_key(b); });
        const auto heaviest = std::max_element(first, last, [](const auto& a, const auto& b) {
            return std::make_tuple(a.trace.is_valid(), a.bytes) < std::make_tuple(b.trace.is_valid(), b.bytes);
        });
        if (heaviest == last || !heaviest->trace.is_valid()) { continue; }
        whole.bytes = std::max(0.0, whole.bytes - heaviest->bytes);
        whole.objects = std::max(0.0, whole.objects - heaviest->objects);
        groups.push_back(*heaviest);
    }
}

std::vector<live_group> group_live(const snapshot& s) {
    std::vector<live_group> by_trace;
    by_trace.reserve(s.live.size());
    for (const auto& row : s.live) {
        sampled_totals one;
        one.add(row.size_bytes, row.interval_bytes);
        by_trace.push_back({row.site, row.route, row.thread, row.trace, one.bytes, one.objects});
    }
    std::sort(by_trace.begin(), by_trace.end(), [](const live_group& a, const live_group& b) {
        return group_key(a) != group_key(b) ? group_key(a) < group_key(b) : a.trace < b.trace;
    });
    merge_neighbours(by_trace, [](const auto& a, const auto& b) { return group_key(a) == group_key(b) && a.trace == b.trace; });
    auto groups = by_trace;
    merge_neighbours(groups, [](const auto& a, const auto& b) { return group_key(a) == group_key(b); });
    for (auto& each : groups) { each.trace = {}; }
    add_examples(groups, by_trace);
    return groups;
}

class profile_writer {
public:
    profile_writer(const snapshot& s, pprof_view view) : s_(s), view_(view), location_of_(s.frames.size()) { string(""); }

    std::string write() {
        put_sample_types();
        put_samples();
        put_mappings();
        put_locations();
        if (s_.info.started_unix_ns != 0) {  // else unknown, which is not 1970
            out_.add_int64(profile_field::time_nanos, static_cast<std::int64_t>(s_.info.started_unix_ns + s_.info.taken_ns));
        }
        const std::uint64_t duration_ns = s_.info.window_ns != 0 ? s_.info.window_ns : s_.info.taken_ns;
        out_.add_int64(profile_field::duration_nanos, static_cast<std::int64_t>(duration_ns));
        out_.add_int64(profile_field::default_sample_type,
                       string(view_ == pprof_view::allocations ? "alloc_space" : "inuse_space"));
        put_comments();
        for (const auto* text : string_table_) { out_.add_string(profile_field::strings, *text); }
        return std::move(bytes_);
    }

private:
    std::int64_t string(const std::string& text) {
        const auto [found, is_new] = strings_.try_emplace(text, static_cast<std::int64_t>(strings_.size()));
        if (is_new) { string_table_.push_back(&found->first); }
        return found->second;
    }

    void put_value_type(protozero::pbf_tag_type field, const char* type, const char* unit) {
        protozero::pbf_writer value{out_, field};
        value.add_int64(value_type_field::type, string(type));
        value.add_int64(value_type_field::unit, string(unit));
    }

    void put_sample_types() {
        put_value_type(profile_field::sample_type, "alloc_objects", "count");
        put_value_type(profile_field::sample_type, "alloc_space", "bytes");
        put_value_type(profile_field::sample_type, "inuse_objects", "count");
        put_value_type(profile_field::sample_type, "inuse_space", "bytes");
        put_value_type(profile_field::period_type, "space", "bytes");
        out_.add_int64(profile_field::period, static_cast<std::int64_t>(std::max<std::uint64_t>(1, s_.info.interval_bytes)));
    }

    void put_samples() {
        for (const auto& each : s_.sites) {
            const auto [objects, bytes] = inuse_without_record(each);
            put_sample(each, {rounded(each.allocated.objects), rounded(each.allocated.bytes), rounded(objects), rounded(bytes)},
                       nullptr);
        }
        for (const auto& each : group_live(s_)) {
            put_sample(s_.sites[each.site], {0, 0, rounded(each.objects), rounded(each.bytes)}, &each);
        }
    }

    // Objects and bytes in use that no record stands for: of a summary all, and of a window the older blocks that were freed
    // in it, below zero, so that a site's samples add up to what it allocated less what it freed.
    std::pair<double, double> inuse_without_record(const site& of) const {
        std::pair<double, double> out{0, 0};
        if (s_.live.empty()) { out = {of.live.objects, of.live.bytes}; }
        if (s_.info.window_ns != 0) {
            out.first += of.allocated.objects - of.freed.objects - of.live.objects;
            out.second += of.allocated.bytes - of.freed.bytes - of.live.bytes;
        }
        return out;
    }

    void put_sample(const site& of, const std::array<std::int64_t, 4>& values, const live_group* group) {
        if (std::all_of(values.begin(), values.end(), [](auto value) { return value == 0; })) { return; }
        std::vector<std::uint64_t> locations;
        for (const auto index : s_.stacks[of.stack].frames) { locations.push_back(location(index)); }
        protozero::pbf_writer sample{out_, profile_field::sample};
        sample.add_packed_uint64(sample_field::location_id, locations.begin(), locations.end());
        sample.add_packed_int64(sample_field::value, values.begin(), values.end());
        put_label(sample, "tag", s_.tags[of.tag].name);
        put_label(sample, "type", of.type);
        if (group == nullptr) { return; }
        put_label(sample, "route", s_.routes[group->route]);
        put_label(sample, "thread", s_.threads[group->thread].name);
        if (group->trace.is_valid()) { put_label(sample, "trace_id", to_string(group->trace)); }
    }

    void put_label(protozero::pbf_writer& sample, const char* key, const std::string& value) {
        if (value.empty()) { return; }
        const auto key_index = string(key);
        const auto value_index = string(value);
        protozero::pbf_writer label{sample, sample_field::label};
        label.add_int64(label_field::key, key_index);
        label.add_int64(label_field::str, value_index);
    }

    // Frames that samples use, numbered from 1 as they appear.
    std::uint64_t location(std::uint32_t frame_index) {
        auto& id = location_of_[frame_index];
        if (id == 0) {
            locations_.push_back(frame_index);
            id = locations_.size();
        }
        return id;
    }

    // The executable first: pprof takes mapping[0] for the main binary.
    void put_mappings() {
        const auto main =
            std::find_if(s_.modules.begin(), s_.modules.end(), [&](const module& m) { return m.path == s_.info.executable; });
        mapping_of_.resize(s_.modules.size());
        if (main != s_.modules.end()) { put_mapping(static_cast<std::size_t>(main - s_.modules.begin())); }
        for (std::size_t i = 0; i < s_.modules.size(); ++i) {
            if (mapping_of_[i] == 0) { put_mapping(i); }
        }
    }

    void put_mapping(std::size_t index) {
        const auto& m = s_.modules[index];
        mapping_of_[index] = ++mapping_count_;
        protozero::pbf_writer mapping{out_, profile_field::mapping};
        mapping.add_uint64(mapping_field::id, mapping_count_);
        mapping.add_uint64(mapping_field::memory_start, m.start);
        mapping.add_uint64(mapping_field::memory_limit, m.limit);
        mapping.add_uint64(mapping_field::file_offset, m.file_offset);
        mapping.add_int64(mapping_field::filename, string(m.path));
        mapping.add_int64(mapping_field::build_id, string(m.build_id));
        put_symbol_flags(mapping, index);
    }

    // True only if it holds for every location of the mapping; otherwise pprof would not symbolize what is missing.
    void put_symbol_flags(protozero::pbf_writer& mapping, std::size_t index) const {
        bool functions = false;
        bool files = true;
        bool lines = true;
        bool is_complete = true;
        for (const auto i : locations_) {
            const auto& f = s_.frames[i];
            if (f.module != index) { continue; }
            functions = true;
            is_complete = is_complete && !f.lines.empty();
            for (const auto& line : f.lines) {
                is_complete = is_complete && !line.function.empty();
                files = files && !line.file.empty();
                lines = lines && line.line != 0;
            }
        }
        if (!functions || !is_complete) { return; }
        mapping.add_bool(mapping_field::has_functions, true);
        mapping.add_bool(mapping_field::has_filenames, files);
        mapping.add_bool(mapping_field::has_line_numbers, lines);
        mapping.add_bool(mapping_field::has_inline_frames, files && lines);
    }

    void put_locations() {
        for (std::size_t i = 0; i < locations_.size(); ++i) {
            const auto& f = s_.frames[locations_[i]];
            std::vector<std::pair<std::uint64_t, std::uint32_t>> lines;
            for (const auto& line : f.lines) {
                if (!line.function.empty()) { lines.emplace_back(function(line), line.line); }
            }
            protozero::pbf_writer location{out_, profile_field::location};
            location.add_uint64(location_field::id, i + 1);
            if (f.module != no_module) { location.add_uint64(location_field::mapping_id, mapping_of_[f.module]); }
            location.add_uint64(location_field::address, address_of(f));
            for (const auto& [function_id, number] : lines) {
                protozero::pbf_writer line{location, location_field::line};
                line.add_uint64(line_field::function_id, function_id);
                line.add_int64(line_field::line, number);
            }
        }
    }

    // Of the call, not behind it: viewers look up the line of exactly this address.
    std::uint64_t address_of(const frame& f) const {
        if (f.module == no_module) { return f.offset; }
        const auto& m = s_.modules[f.module];
        return f.offset - m.file_offset + m.start - (f.offset > 0 ? 1 : 0);
    }

    std::uint64_t function(const source_line& line) {
        const auto name = string(line.function);
        const auto file = string(line.file);
        const auto key = std::to_string(name) + " " + std::to_string(file);
        const auto [found, is_new] = functions_.try_emplace(key, functions_.size() + 1);
        if (is_new) {
            protozero::pbf_writer out{out_, profile_field::function};
            out.add_uint64(function_field::id, found->second);
            out.add_int64(function_field::name, name);
            out.add_int64(function_field::system_name, name);
            out.add_int64(function_field::filename, file);
        }
        return found->second;
    }

    void put_comments() {
        const auto comment = [&](const std::string& text) { out_.add_int64(profile_field::comment, string(text)); };
        comment("memwatch " + s_.info.version);
        if (!s_.info.service.empty()) { comment("service " + s_.info.service); }
        if (!s_.info.host.empty()) { comment("host " + s_.info.host); }
        if (!s_.info.label.empty()) { comment("label " + s_.info.label); }
    }

    const snapshot& s_;
    const pprof_view view_;
    std::string bytes_;
    protozero::pbf_writer out_{bytes_};
    std::unordered_map<std::string, std::int64_t> strings_;
    std::vector<const std::string*> string_table_;  // keys of strings_, whose nodes stay where they are
    std::vector<std::uint64_t> location_of_;        // frame -> location id; 0 = unused
    std::vector<std::uint32_t> locations_;          // location id - 1 -> frame
    std::vector<std::uint64_t> mapping_of_;
    std::uint64_t mapping_count_{};
    std::unordered_map<std::string, std::uint64_t> functions_;
};

}  // namespace

std::string encode_pprof(const snapshot& s, pprof_view view) { return deflate_gzip(profile_writer{s, view}.write()); }

}  // namespace memwatch::inline v1::codec
