// SPDX-License-Identifier: Apache-2.0
// profile.proto: https://github.com/google/pprof/blob/main/proto/profile.proto, and what `pprof` itself checks before it
// believes one (profile/profile.go, CheckValid): string 0 is empty, ids are unique and not 0, each sample has a value for each
// type.
#include <algorithm>
#include <array>
#include <cmath>
#include <exception>
#include <limits>
#include <optional>

#include <protozero/pbf_reader.hpp>

#include "exchange/foreign_profile.hpp"
#include "exchange/profile_builder.hpp"
#include "exchange/unpacked.hpp"

namespace memwatch::inline v1::exchange {
namespace {

// How writers call the four values of a heap profile: Go and gperftools first, then ddprof, jemalloc's Rust bindings, old
// pprof.
constexpr std::array<std::string_view, 5> live_bytes_names{"inuse_space", "inuse-space", "inuse_bytes", "inuse", "space"};
constexpr std::array<std::string_view, 3> live_objects_names{"inuse_objects", "inuse-objects", "objects"};
constexpr std::array<std::string_view, 3> allocated_bytes_names{"alloc_space", "alloc-space", "alloc_bytes"};
constexpr std::array<std::string_view, 3> allocated_objects_names{"alloc_objects", "alloc-objects", "alloc_samples"};

constexpr std::string_view own_comment = "memwatch ";

struct broken {
    error_code code;
    std::string what;
};

[[noreturn]] void refuse(std::string what, error_code code = error_code::unreadable) { throw broken{code, std::move(what)}; }

// protozero takes the caller's word for a field's type.
void expect(const protozero::pbf_reader& in, protozero::pbf_wire_type type) {
    if (in.wire_type() != type) { refuse("field " + std::to_string(in.tag()) + " is not of the type it has in profile.proto"); }
}

std::uint64_t number(protozero::pbf_reader& in) {
    expect(in, protozero::pbf_wire_type::varint);
    return in.get_uint64();
}

std::int64_t signed_number(protozero::pbf_reader& in) {
    expect(in, protozero::pbf_wire_type::varint);
    return in.get_int64();
}

protozero::data_view view_of(protozero::pbf_reader& in) {
    expect(in, protozero::pbf_wire_type::length_delimited);
    return in.get_view();
}

protozero::pbf_reader message(protozero::pbf_reader& in) { return protozero::pbf_reader{view_of(in)}; }

struct value_type {
    std::int64_t type{}, unit{};
};

struct mapping_row {
    std::uint64_t id{}, start{}, limit{}, offset{};
    std::int64_t filename{}, build_id{};
};

struct function_row {
    std::uint64_t id{};
    std::int64_t name{}, filename{};
};

struct line_row {
    std::uint64_t function{};
    std::int64_t line{};
};

struct location_row {
    std::uint64_t id{}, mapping{}, address{};
    std::vector<line_row> lines;
};

// Rows by id. Ids are the writer's choice, so they are sorted rather than hashed or used as indices.
template <class Row>
class id_table {
public:
    void add(Row row) { rows_.push_back(std::move(row)); }

    void close(const char* what) {
        std::sort(rows_.begin(), rows_.end(), [](const Row& a, const Row& b) { return a.id < b.id; });
        if (!rows_.empty() && rows_.front().id == 0) { refuse(std::string("a ") + what + " has no id"); }
        const auto twin =
            std::adjacent_find(rows_.begin(), rows_.end(), [](const Row& a, const Row& b) { return a.id == b.id; });
        if (twin != rows_.end()) { refuse(std::string("two ") + what + "s have the id " + std::to_string(twin->id)); }
    }

    [[nodiscard]] std::size_t index_of(std::uint64_t id, const char* what) const {
        const auto found = std::lower_bound(rows_.begin(), rows_.end(), id,
                                            [](const Row& row, std::uint64_t wanted) { return row.id < wanted; });
        if (found == rows_.end() || found->id != id) {
            refuse(std::string("no ") + what + " has the id " + std::to_string(id));
        }
        return static_cast<std::size_t>(found - rows_.begin());
    }

    [[nodiscard]] const std::vector<Row>& rows() const { return rows_; }

private:
    std::vector<Row> rows_;
};

class profile_reader {
public:
    profile_reader(std::string_view bytes, std::uint64_t budget) : bytes_(bytes), budget_(budget) {}

    result<imported_profile> read() {
        read_tables();
        profile_builder out(budget_, interval());
        find_values();
        describe(out);
        add_code(out);
        add_samples(out);
        return out.finish();
    }

private:
    void charge(std::uint64_t bytes) {
        if (bytes > budget_) { refuse("it unpacks to more than a profile of its size has", error_code::limit); }
        budget_ -= bytes;
    }

    [[nodiscard]] std::string_view text(std::int64_t index) const {
        if (index < 0 || static_cast<std::uint64_t>(index) >= strings_.size()) {
            refuse("no string has the index " + std::to_string(index));
        }
        return strings_[static_cast<std::size_t>(index)];
    }

    // Everything but samples, which point into all of it and may stand in front.
    void read_tables() {
        for (protozero::pbf_reader in{bytes_.data(), bytes_.size()}; in.next();) {
            switch (in.tag()) {
                case 1:
                    types_.push_back(read_value_type(message(in)));
                    break;
                case 2:
                    charge(sizeof(protozero::data_view));
                    samples_.push_back(view_of(in));
                    break;
                case 3:
                    mappings_.add(read_mapping(message(in)));
                    break;
                case 4:
                    locations_.add(read_location(message(in)));
                    break;
                case 5:
                    functions_.add(read_function(message(in)));
                    break;
                case 6:
                    charge(sizeof(std::string_view));
                    strings_.push_back(in_file(view_of(in)));
                    break;
                case 9:
                    time_ns_ = signed_number(in);
                    break;
                case 10:
                    duration_ns_ = signed_number(in);
                    break;
                case 11:
                    period_type_ = read_value_type(message(in));
                    break;
                case 12:
                    period_ = signed_number(in);
                    break;
                case 13:
                    take_comments(in);
                    break;
                default:
                    in.skip();
            }
        }
        if (strings_.empty() || !strings_.front().empty()) { refuse("its string table does not begin with the empty string"); }
        main_mapping_ = mappings_.rows().empty() ? 0 : mappings_.rows().front().id;
        mappings_.close("mapping");
        locations_.close("location");
        functions_.close("function");
    }

    static std::string_view in_file(protozero::data_view view) { return {view.data(), view.size()}; }

    // Packed by proto3 writers, one by one by old ones.
    void take_comments(protozero::pbf_reader& in) {
        if (in.wire_type() == protozero::pbf_wire_type::length_delimited) {
            for (const auto index : in.get_packed_int64()) { take_comment(index); }
        } else {
            take_comment(signed_number(in));
        }
    }

    void take_comment(std::int64_t index) {
        charge(sizeof index);
        comments_.push_back(index);
    }

    value_type read_value_type(protozero::pbf_reader in) {
        charge(sizeof(value_type));
        value_type row;
        while (in.next()) {
            switch (in.tag()) {
                case 1:
                    row.type = signed_number(in);
                    break;
                case 2:
                    row.unit = signed_number(in);
                    break;
                default:
                    in.skip();
            }
        }
        return row;
    }

    mapping_row read_mapping(protozero::pbf_reader in) {
        charge(sizeof(mapping_row));
        mapping_row row;
        while (in.next()) {
            switch (in.tag()) {
                case 1:
                    row.id = number(in);
                    break;
                case 2:
                    row.start = number(in);
                    break;
                case 3:
                    row.limit = number(in);
                    break;
                case 4:
                    row.offset = number(in);
                    break;
                case 5:
                    row.filename = signed_number(in);
                    break;
                case 6:
                    row.build_id = signed_number(in);
                    break;
                default:
                    in.skip();
            }
        }
        return row;
    }

    location_row read_location(protozero::pbf_reader in) {
        charge(sizeof(location_row));
        location_row row;
        while (in.next()) {
            switch (in.tag()) {
                case 1:
                    row.id = number(in);
                    break;
                case 2:
                    row.mapping = number(in);
                    break;
                case 3:
                    row.address = number(in);
                    break;
                case 4:
                    row.lines.push_back(read_line(message(in)));
                    break;
                default:
                    in.skip();
            }
        }
        return row;
    }

    line_row read_line(protozero::pbf_reader in) {
        charge(2 * sizeof(line_row));
        line_row row;
        while (in.next()) {
            switch (in.tag()) {
                case 1:
                    row.function = number(in);
                    break;
                case 2:
                    row.line = signed_number(in);
                    break;
                default:
                    in.skip();
            }
        }
        return row;
    }

    function_row read_function(protozero::pbf_reader in) {
        charge(sizeof(function_row));
        function_row row;
        while (in.next()) {
            switch (in.tag()) {
                case 1:
                    row.id = number(in);
                    break;
                case 2:
                    row.name = signed_number(in);
                    break;
                case 4:
                    row.filename = signed_number(in);
                    break;
                default:
                    in.skip();
            }
        }
        return row;
    }

    // Mean bytes between two samples; 0 = every block, or unknown.
    [[nodiscard]] std::uint64_t interval() const {
        const bool is_in_bytes = period_type_ && text(period_type_->unit) == "bytes";
        return is_in_bytes && period_ > 0 ? static_cast<std::uint64_t>(period_) : 0;
    }

    // Where in a sample a value stands; nothing = the profile has none of the kind.
    template <std::size_t Count>
    [[nodiscard]] std::optional<std::size_t> position_of(const std::array<std::string_view, Count>& names) const {
        for (const std::string_view name : names) {
            for (std::size_t i = 0; i < types_.size(); ++i) {
                if (text(types_[i].type) == name) { return i; }
            }
        }
        return std::nullopt;
    }

    void find_values() {
        live_bytes_ = position_of(live_bytes_names);
        live_objects_ = position_of(live_objects_names);
        allocated_bytes_ = position_of(allocated_bytes_names);
        allocated_objects_ = position_of(allocated_objects_names);
        if (live_bytes_) { return; }
        std::string found;
        for (std::size_t i = 0; i < std::min<std::size_t>(types_.size(), 8); ++i) {
            found += (found.empty() ? "" : ", ") + std::string(text(types_[i].type).substr(0, 40));
        }
        refuse("a pprof profile, but not of a heap: it has " + (found.empty() ? std::string("no values") : found) +
                   ", not inuse_space",
               error_code::unsupported);
    }

    [[nodiscard]] bool is_own() const {
        return !comments_.empty() && text(comments_.front()).substr(0, own_comment.size()) == own_comment;
    }

    void describe(profile_builder& out) {
        snapshot_info& info = out.info();
        const std::uint64_t duration = duration_ns_ > 0 ? static_cast<std::uint64_t>(duration_ns_) : 0;
        const std::uint64_t time = time_ns_ > 0 ? static_cast<std::uint64_t>(time_ns_) : 0;
        info.taken_ns = std::min(duration, time);
        info.started_unix_ns = time - info.taken_ns;
        info.version = "pprof";
        if (is_own()) { describe_own(info); }
        if (interval() == 0) { out.note("it names no sampling interval: its values are taken as exact"); }
        if (!live_objects_) { out.note("it counts no objects: its values are taken as exact"); }
    }

    // What our own writer says in comments (snapshot/pprof.cpp).
    void describe_own(snapshot_info& info) const {
        info.version = text(comments_.front()).substr(own_comment.size());
        for (const std::int64_t index : comments_) {
            const std::string_view comment = text(index);
            const auto take = [&](std::string_view key, std::string& to) {
                if (comment.substr(0, key.size()) == key) { to = comment.substr(key.size()); }
            };
            take("service ", info.service);
            take("host ", info.host);
            take("label ", info.label);
        }
    }

    static std::string lower_case(std::string_view hex) {
        std::string out{hex};
        std::transform(out.begin(), out.end(), out.begin(),
                       [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
        return out;
    }

    void add_code(profile_builder& out) {
        for (const mapping_row& row : mappings_.rows()) {
            if (row.id == main_mapping_) { out.info().executable = text(row.filename); }
            out.add_module({std::string{text(row.filename)}, lower_case(text(row.build_id)), row.start, row.limit, row.offset});
            if (out.is_over_budget()) { return; }
        }
        for (const location_row& row : locations_.rows()) {
            out.add_frame(frame_of(row));
            if (out.is_over_budget()) { return; }
        }
    }

    [[nodiscard]] frame frame_of(const location_row& row) {
        frame out;
        out.offset = row.address != 0 ? row.address : row.id;  // no address: the id tells it from others, names match it
        if (row.mapping != 0) {
            const std::size_t index = mappings_.index_of(row.mapping, "mapping");
            const mapping_row& in = mappings_.rows()[index];
            const bool is_inside = row.address >= in.start && (in.limit == 0 || row.address <= in.limit);
            if (row.address != 0 && is_inside) {
                out.module = static_cast<std::uint32_t>(index);
                out.offset = row.address - in.start + in.offset + 1;  // behind the call, where profile.proto points into it
            }
        }
        for (const line_row& line : row.lines) {
            if (line.function == 0) { continue; }
            const function_row& function = functions_.rows()[functions_.index_of(line.function, "function")];
            constexpr std::int64_t most = std::numeric_limits<std::uint32_t>::max();
            charge(text(function.name).size() + text(function.filename).size() + sizeof(source_line));
            out.lines.push_back({std::string{text(function.name)}, std::string{text(function.filename)},
                                 static_cast<std::uint32_t>(std::clamp<std::int64_t>(line.line, 0, most))});
        }
        return out;
    }

    void add_samples(profile_builder& out) {
        std::size_t below_zero = 0;
        for (const protozero::data_view& view : samples_) {
            if (!add_sample(out, protozero::pbf_reader{view})) { ++below_zero; }
            if (out.is_over_budget()) { return; }
        }
        if (below_zero == 0) { return; }
        out.lost(std::to_string(below_zero) + " samples below zero are left out: it is a difference of two profiles");
    }

    // False when a value is negative.
    bool add_sample(profile_builder& out, protozero::pbf_reader in) {
        values_.clear();
        std::vector<std::uint32_t> frames;
        profile_sample sample;
        while (in.next()) {
            switch (in.tag()) {
                case 1:
                    take_locations(in, frames);
                    break;
                case 2:
                    take_values(in);
                    break;
                case 3:
                    take_label(sample, message(in));
                    break;
                default:
                    in.skip();
            }
        }
        if (values_.size() != types_.size()) {
            refuse(std::string("a sample has too ") + (values_.size() < types_.size() ? "few" : "many") + " values for " +
                   std::to_string(types_.size()) + " types");
        }
        if (std::any_of(values_.begin(), values_.end(), [](std::int64_t value) { return value < 0; })) { return false; }
        sample.live = {value_at(live_bytes_), value_at(live_objects_)};
        sample.allocated = {value_at(allocated_bytes_), value_at(allocated_objects_)};
        if (frames.empty() && sample.live.bytes == 0 && sample.allocated.bytes == 0) { return true; }
        sample.stack = out.add_stack(std::move(frames), false);
        if (!out.is_over_budget()) { out.add(sample); }
        return true;
    }

    void take_locations(protozero::pbf_reader& in, std::vector<std::uint32_t>& frames) {
        const auto take = [&](std::uint64_t id) {
            const std::size_t index = locations_.index_of(id, "location");
            if (frames.size() <= profile_builder::most_frames) { frames.push_back(static_cast<std::uint32_t>(index)); }
        };
        if (in.wire_type() != protozero::pbf_wire_type::length_delimited) { return take(number(in)); }
        for (const auto id : in.get_packed_uint64()) { take(id); }
    }

    // One more than there are types is enough to refuse the sample.
    void take_values(protozero::pbf_reader& in) {
        if (in.wire_type() != protozero::pbf_wire_type::length_delimited) { return take_value(signed_number(in)); }
        for (const auto value : in.get_packed_int64()) { take_value(value); }
    }

    void take_value(std::int64_t value) {
        if (values_.size() <= types_.size()) { values_.push_back(value); }
    }

    void take_label(profile_sample& sample, protozero::pbf_reader in) const {
        std::string_view key, value;
        while (in.next()) {
            switch (in.tag()) {
                case 1:
                    key = text(signed_number(in));
                    break;
                case 2:
                    value = text(signed_number(in));
                    break;
                default:
                    in.skip();
            }
        }
        if (key == "tag") { sample.tag = value; }
        if (key == "type") { sample.type = value; }
        if (key == "route") { sample.route = value; }
        if (key == "thread") { sample.thread = value; }
        if (key == "trace_id") { sample.trace = parse_trace_id(value).value_or(trace_id{}); }
    }

    [[nodiscard]] double value_at(std::optional<std::size_t> position) const {
        return position ? static_cast<double>(values_[*position]) : 0;
    }

    std::string_view bytes_;
    std::uint64_t budget_;
    std::vector<value_type> types_;
    std::vector<protozero::data_view> samples_;
    std::vector<std::string_view> strings_;
    std::vector<std::int64_t> comments_;
    id_table<mapping_row> mappings_;
    id_table<location_row> locations_;
    id_table<function_row> functions_;
    std::uint64_t main_mapping_{};  // the first in the file is the program
    std::int64_t time_ns_{}, duration_ns_{}, period_{};
    std::optional<value_type> period_type_;
    std::optional<std::size_t> live_bytes_, live_objects_, allocated_bytes_, allocated_objects_;
    std::vector<std::int64_t> values_;  // of the sample at hand
};

}  // namespace

result<imported_profile> read_pprof(std::string_view bytes) {
    const std::uint64_t budget = import_budget(bytes.size());
    const result<std::string> unpacked = unpack_all(bytes, budget);
    if (!unpacked) { return tl::unexpected<error>(unpacked.error()); }
    try {
        return profile_reader(*unpacked, budget).read();
    } catch (const broken& why) { return fail(why.code, why.what); } catch (const protozero::exception& why) {
        return fail(error_code::unreadable, std::string("cut off or not a pprof profile: ") + why.what());
    }
}

}  // namespace memwatch::inline v1::exchange
