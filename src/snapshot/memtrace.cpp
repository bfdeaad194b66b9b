// SPDX-License-Identifier: Apache-2.0
#include "snapshot/memtrace.hpp"

#include <algorithm>

#include "model/trace_index.hpp"
#include "snapshot/bytes.hpp"
#include "snapshot/chunks.hpp"
#include "snapshot/fields.hpp"
#include "snapshot/live_columns.hpp"
#include "snapshot/repair.hpp"

namespace memwatch::inline v1::codec {
namespace {

constexpr const char* info_type = "INFO";
constexpr const char* traces_type = "TRAC";
constexpr const char* records_type = "LIVE";
constexpr const char* cohorts_type = "COHO";
constexpr std::size_t max_parts = 0x10000;

// The visitor that writes a row's fields behind each other.
class row_encoder {
public:
    explicit row_encoder(byte_writer& out) : out_(out) {}

    void operator()(const char*, const auto& value) { put(value); }
    void operator()(const char*, const std::vector<cohort>&) { out_.varint(0); }  // of a site: they are in COHO
    void in_column(const char*, const auto&) {}
    void column(const auto& items, auto member) {
        out_.varint(items.size());
        for (const auto& each : items) { put(member(each)); }
    }

private:
    void put(const std::string& value) { out_.text(value); }
    void put(std::uint64_t value) { out_.varint(value); }
    void put(std::uint32_t value) { out_.varint(value); }
    void put(bool value) { out_.varint(value ? 1 : 0); }
    template <word Enum>
    void put(const Enum& value) {
        out_.varint(static_cast<std::uint64_t>(value));
    }
    void put(double value) { out_.real(value); }
    void put(trace_id value) {
        out_.varint(value.high);
        out_.varint(value.low);
    }
    template <std::size_t Size>
    void put(const double (&values)[Size]) {
        for (const double each : values) { put(each); }
    }
    template <class Row>
    void put(const std::vector<Row>& rows) {
        out_.varint(rows.size());
        for (const auto& each : rows) { put(each); }
    }
    template <class Row>
    void put(const Row& row) {
        fields(*this, row);
    }

    byte_writer& out_;
};

// The visitor that reads them. A row that ends early keeps defaults: it was written before the field existed.
class row_decoder {
public:
    row_decoder(byte_reader& in, chunk_reader& budget) : in_(in), budget_(budget) {}

    void operator()(const char*, auto& value) {
        if (depth_ == 0 && in_.left() == 0) { return; }
        ++depth_;
        get(value);
        --depth_;
    }
    void in_column(const char*, auto&) {}
    // Values beyond the items are read and dropped.
    void column(auto& items, auto member) {
        if (in_.left() == 0) { return; }
        const auto count = in_.varint();
        for (std::uint64_t i = 0; i < count && !in_.failed(); ++i) {
            std::remove_reference_t<decltype(member(items[0]))> value{};
            get(value);
            if (i < items.size()) { member(items[i]) = value; }
        }
    }

private:
    void get(std::string& value) { value = in_.text(); }
    void get(std::uint64_t& value) { value = in_.varint(); }
    void get(std::uint32_t& value) { value = in_.varint32(); }
    void get(bool& value) { value = in_.varint() != 0; }
    template <word Enum>
    void get(Enum& value) {
        value = word_from<Enum>(in_.varint());
    }
    void get(double& value) { value = in_.real(); }
    void get(trace_id& value) {
        value.high = in_.varint();
        value.low = in_.varint();
    }
    template <std::size_t Size>
    void get(double (&values)[Size]) {
        for (double& each : values) { get(each); }
    }
    // A list element of one byte can take 72 in memory: they are charged like rows.
    template <class Row>
    void get(std::vector<Row>& rows) {
        const auto count = in_.varint();
        for (std::uint64_t i = 0; i < count && !in_.failed(); ++i) {
            if (!budget_.charge(sizeof(Row))) { return in_.refuse(); }
            get(rows.emplace_back());
        }
    }
    template <class Row>
    void get(Row& row) {
        fields(*this, row);
    }

    byte_reader& in_;
    chunk_reader& budget_;
    int depth_{};
};

// A table: the number of rows, then each row behind its length, so that a later version can add fields at its end.
template <class Row>
std::string encode_table(const std::vector<Row>& rows) {
    byte_writer out;
    byte_writer scratch;
    out.varint(rows.size());
    for (const auto& row : rows) {
        scratch.bytes().clear();
        row_encoder encoder{scratch};
        fields(encoder, row);
        out.text(scratch.bytes());
    }
    return std::move(out.bytes());
}

// Sites that have none take no row.
std::string encode_cohorts(const std::vector<site>& sites) {
    byte_writer out;
    byte_writer scratch;
    row_encoder encoder{scratch};
    out.varint(static_cast<std::uint64_t>(
        std::count_if(sites.begin(), sites.end(), [](const site& each) { return !each.cohorts.empty(); })));
    for (std::size_t i = 0; i < sites.size(); ++i) {
        if (sites[i].cohorts.empty()) { continue; }
        scratch.bytes().clear();
        scratch.varint(i);
        scratch.varint(sites[i].cohorts.size());
        for (const cohort& each : sites[i].cohorts) { fields(encoder, each); }
        out.text(scratch.bytes());
    }
    return std::move(out.bytes());
}

void add_live(chunk_writer& out, const std::vector<live_record>& live, std::optional<packing> as) {
    const std::span<const live_record> lists[] = {live};
    auto index = index_traces(lists);
    // The absent trace needs no entry: it is 0, and the others count from 1 without it.
    std::vector<std::uint32_t> number(index.ids.size());
    std::vector<trace_id> ids;
    for (std::size_t i = 0; i < index.ids.size(); ++i) {
        if (!index.ids[i].is_valid()) { continue; }
        ids.push_back(index.ids[i]);
        number[i] = static_cast<std::uint32_t>(ids.size());
    }
    for (auto& each : index.of_record) { each = number[each]; }
    const auto in_parts = [](std::size_t count, auto&& action) {
        for (std::size_t from = 0; from < count; from += records_a_part) {
            action(static_cast<std::uint16_t>(from / records_a_part), from, std::min(records_a_part, count - from));
        }
    };
    in_parts(ids.size(), [&](std::uint16_t part, std::size_t from, std::size_t count) {
        out.add(traces_type, part, encode_traces(std::span{ids}.subspan(from, count)), std::nullopt);
    });
    std::uint64_t next_new = 0;
    in_parts(live.size(), [&](std::uint16_t part, std::size_t from, std::size_t count) {
        const auto records = lists[0].subspan(from, count);
        out.add(records_type, part, encode_records(records, std::span{index.of_record}.subspan(from, count), next_new), as);
    });
}

// What decoding charges for a row: the reader's arithmetic, so that nothing is written that cannot be read back.
std::uint64_t charged_bytes(const auto& row) { return sizeof(row); }
std::uint64_t charged_bytes(const frame& row) { return sizeof(row) + row.lines.size() * sizeof(row.lines[0]); }
std::uint64_t charged_bytes(const stack& row) { return sizeof(row) + row.frames.size() * sizeof(row.frames[0]); }
std::uint64_t charged_bytes(const site& row) {
    return sizeof(row) + (row.cohorts.empty() ? 0 : sizeof(site_cohorts) + row.cohorts.size() * sizeof(row.cohorts[0]));
}
std::uint64_t charged_bytes(const verdict& row) { return sizeof(row) + row.features.size() * sizeof(row.features[0]); }

std::uint64_t charged_bytes_of_all(const snapshot& s) {
    std::uint64_t bytes = s.live.size() * sizeof(live_record);
    const auto add = [&](table_name, const auto& rows) {
        for (const auto& row : rows) { bytes += charged_bytes(row); }
    };
    tables(add, s);
    return bytes;
}

class dump_decoder {
public:
    explicit dump_decoder(chunk_reader& in, decoded_snapshot& out) : in_(in), out_(out) {}

    // True when anything useful was there.
    bool run() {
        chunk each;
        bool found = false;
        while (in_.next(each)) { found |= take(each); }
        if (lost_traces_ > 0) { note(std::to_string(lost_traces_) + " live records: their trace is lost"); }
        return found;
    }

private:
    void note(std::string what) { out_.damage.push_back(std::move(what)); }

    bool take(const chunk& each) {
        if (each.type == info_type) { return take_info(each); }
        if (each.type == traces_type) { return take_traces(each); }
        if (each.type == records_type) { return take_records(each); }
        if (each.type == cohorts_type) { return take_cohorts(each); }
        bool is_known = false;
        const auto visit = [&](table_name table, auto& rows) {
            if (!is_known && each.type == table.code) {
                is_known = true;
                take_table(table, each, rows);
            }
        };
        tables(visit, out_.value);
        return is_known;  // other types are a newer minor version's: skipped
    }

    bool take_info(const chunk& each) {
        byte_reader in{each.payload};
        byte_reader row{in.text()};
        row_decoder decoder{row, in_};
        snapshot_info info;
        fields(decoder, info);
        if (in.failed() || row.failed()) { return note("chunk INFO does not decode"), false; }
        out_.value.info = std::move(info);
        return true;
    }

    bool take_traces(const chunk& each) {
        std::vector<trace_id> ids;
        if (!decode_traces(each.payload, ids)) {
            return note("chunk TRAC part " + std::to_string(each.part) + " does not decode"), false;
        }
        traces_.set_part(each.part, std::move(ids));
        return true;
    }

    bool take_records(const chunk& each) {
        byte_reader in{each.payload};
        if (!in_.charge(std::min<std::uint64_t>(in.varint(), records_a_part) * sizeof(live_record))) { return false; }
        if (!decode_records(each.payload, traces_, out_.value.live, lost_traces_)) {
            return note("chunk LIVE part " + std::to_string(each.part) + " does not decode"), false;
        }
        return true;
    }

    // Behind SITE, as far as it decodes. What is of a site that is lost is lost with it.
    bool take_cohorts(const chunk& each) {
        std::vector<site_cohorts> rows;
        take_table(table_name{"cohorts", "COHO"}, each, rows);
        for (site_cohorts& row : rows) {
            if (row.site < out_.value.sites.size()) { out_.value.sites[row.site].cohorts = std::move(row.cohorts); }
        }
        return !rows.empty();
    }

    // Rows up to the first that does not decode.
    template <class Row>
    void take_table(table_name table, const chunk& each, std::vector<Row>& rows) {
        if (!rows.empty()) { return note(std::string{"chunk "} + table.code + " appears twice; the first one counts"); }
        byte_reader in{each.payload};
        const auto count = in.varint();
        for (std::uint64_t i = 0; i < count; ++i) {
            byte_reader row{in.text()};
            if (in.failed() || !in_.charge(sizeof(Row))) { break; }
            row_decoder decoder{row, in_};
            Row value{};
            fields(decoder, value);
            if (row.failed()) { break; }
            rows.push_back(std::move(value));
        }
        if (in.failed() || rows.size() != count) {
            note(std::string{"chunk "} + table.code + " decodes only up to row " + std::to_string(rows.size()));
        }
    }

    chunk_reader& in_;
    decoded_snapshot& out_;
    trace_dictionary traces_;
    std::size_t lost_traces_{};
};

}  // namespace

namespace {

tl::unexpected<error> nothing_intact(const byte_source& bytes) {
    return fail(error_code::unreadable, "a memwatch dump without one intact chunk", "byte " + std::to_string(bytes.size()));
}

// `fits`: a reader will unpack it; see unpack_budget().
result<std::string> encode_with(const snapshot& s, std::optional<packing> records, bool& fits) {
    chunk_writer out;
    out.add(info_type, 0, encode_table(std::vector{s.info}).substr(1), packing::text);
    const auto add = [&](table_name table, const auto& rows) {
        if (!rows.empty()) { out.add(table.code, 0, encode_table(rows), packing::text); }
    };
    tables(add, s);
    if (std::any_of(s.sites.begin(), s.sites.end(), [](const site& each) { return !each.cohorts.empty(); })) {
        out.add(cohorts_type, 0, encode_cohorts(s.sites), packing::text);
    }
    add_live(out, s.live, records);
    if (!out.finish()) { return fail(error_code::limit, "a table is larger than a chunk may be (1 GiB)", {}); }
    const auto raw_bytes = out.raw_bytes();
    auto bytes = out.take();
    const auto budget = unpack_budget(bytes.size());
    fits = charged_bytes_of_all(s) + raw_bytes <= budget && spelled_out_bytes(s) <= budget;
    return bytes;
}

}  // namespace

result<std::string> encode_memtrace(const snapshot& s) {
    if (s.live.size() > max_parts * records_a_part) {
        return fail(error_code::limit, "too many live records for one dump", "live");
    }
    bool fits = false;
    auto bytes = encode_with(s, packing::columns, fits);
    if (!bytes || fits) { return bytes; }
    // Millions of blocks that are all alike pack so well that a reader would take the dump for a bomb: then unpacked.
    bytes = encode_with(s, std::nullopt, fits);
    if (!bytes || fits) { return bytes; }
    return fail(error_code::limit, "the snapshot packs so well that a reader would take it for a bomb", {});
}

result<decoded_snapshot> decode_memtrace(byte_source& bytes) {
    decoded_snapshot out;
    auto in = chunk_reader::open(bytes, out.damage);
    if (!in) { return tl::unexpected<error>(in.error()); }
    if (!dump_decoder{*in, out}.run()) { return nothing_intact(bytes); }
    return out;
}

result<dump_tables> decode_memtrace_tables(byte_source& bytes, wanted_tables wanted) {
    decoded_snapshot out;
    auto in = chunk_reader::open(bytes, out.damage);
    if (!in) { return tl::unexpected<error>(in.error()); }
    std::vector<std::string> unwanted{records_type, traces_type};
    const auto add = [&](table_name table, const auto& rows) {
        if (static_cast<const void*>(&rows) != &out.value.modules) { unwanted.emplace_back(table.code); }
    };
    if (wanted != wanted_tables::all) { unwanted.emplace_back(cohorts_type); }
    if (wanted == wanted_tables::origin) { tables(add, out.value); }
    in->skip(std::move(unwanted));
    if (!dump_decoder{*in, out}.run() && in->skipped_chunks() == 0) { return nothing_intact(bytes); }
    return dump_tables{std::move(out.value), std::move(out.damage), in->skipped_chunks(), in->skipped_bytes()};
}

bool looks_like_memtrace(std::string_view bytes) { return bytes.substr(0, dump_magic.size()) == dump_magic; }

}  // namespace memwatch::inline v1::codec
