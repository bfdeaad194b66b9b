// SPDX-License-Identifier: Apache-2.0
#include "snapshot/live_columns.hpp"

#include "snapshot/bytes.hpp"

namespace memwatch::inline v1::codec {
namespace {

constexpr std::size_t trace_bytes = 16;

void put_big_endian(byte_writer& out, std::uint64_t value) {
    for (int shift = 56; shift >= 0; shift -= 8) { out.byte(static_cast<std::uint8_t>(value >> shift)); }
}

std::uint64_t get_big_endian(byte_reader& in) {
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) { value = value << 8 | in.byte(); }
    return value;
}

// Runs of equal intervals: the rate changes rarely.
void put_intervals(byte_writer& out, std::span<const live_record> part) {
    for (std::size_t from = 0; from < part.size();) {
        std::size_t to = from;
        while (to < part.size() && part[to].interval_bytes == part[from].interval_bytes) { ++to; }
        out.varint(to - from);
        out.varint(part[from].interval_bytes);
        from = to;
    }
}

bool get_intervals(byte_reader& in, std::span<live_record> part) {
    for (std::size_t from = 0; from < part.size();) {
        const auto run = in.varint();
        const auto interval = in.varint();
        if (in.failed() || run == 0 || run > part.size() - from) { return false; }
        for (const auto end = from + run; from < end; ++from) { part[from].interval_bytes = interval; }
    }
    return true;
}

// 0 = none, else how far back the trace is from the newest one, + 1: requests in flight are close to each other.
void put_traces(byte_writer& out, std::span<const std::uint32_t> traces, std::uint64_t& next_new) {
    out.varint(next_new);
    for (const auto trace : traces) {
        if (trace == 0) {
            out.varint(0);
            continue;
        }
        const std::uint64_t index = trace - 1;
        out.varint(next_new - index + 1);
        if (index == next_new) { ++next_new; }
    }
}

bool get_traces(byte_reader& in, const trace_dictionary& dictionary, std::span<live_record> part, std::size_t& lost_traces) {
    auto next_new = in.varint();
    for (auto& record : part) {
        const auto back = in.varint();
        if (back == 0) { continue; }
        if (back - 1 > next_new) { return false; }
        if (const auto* id = dictionary.find(next_new - (back - 1))) {
            record.trace = *id;
        } else {
            ++lost_traces;
        }
        if (back == 1) { ++next_new; }
    }
    return !in.failed();
}

bool get_part(byte_reader& in, const trace_dictionary& dictionary, std::span<live_record> part, std::size_t& lost_traces) {
    std::uint64_t previous = 0;
    for (auto& record : part) { record.sequence = previous += in.varint(); }
    for (auto& record : part) { record.size_bytes = in.varint(); }
    previous = 0;
    for (auto& record : part) { record.birth_ns = previous += unzigzag(in.varint()); }
    if (!get_intervals(in, part) || !get_traces(in, dictionary, part, lost_traces)) { return false; }
    for (auto& record : part) { record.site = in.varint32(); }
    for (auto& record : part) { record.route = in.varint32(); }
    for (auto& record : part) { record.thread = in.varint32(); }
    return !in.failed();
}

}  // namespace

std::string encode_traces(std::span<const trace_id> part) {
    byte_writer out;
    out.varint(part.size());
    for (const auto id : part) {
        put_big_endian(out, id.high);
        put_big_endian(out, id.low);
    }
    return std::move(out.bytes());
}

bool decode_traces(std::string_view payload, std::vector<trace_id>& out) {
    byte_reader in{payload};
    const auto count = in.varint();
    if (count > records_a_part || in.left() < count * trace_bytes) { return false; }
    for (std::uint64_t i = 0; i < count; ++i) {
        const auto high = get_big_endian(in);
        out.push_back({high, get_big_endian(in)});
    }
    return true;
}

std::string encode_records(std::span<const live_record> part, std::span<const std::uint32_t> traces, std::uint64_t& next_new) {
    byte_writer out;
    out.bytes().reserve(part.size() * 16);
    out.varint(part.size());
    std::uint64_t previous = 0;
    for (const auto& record : part) { out.varint(record.sequence - std::exchange(previous, record.sequence)); }
    for (const auto& record : part) { out.varint(record.size_bytes); }
    previous = 0;
    for (const auto& record : part) { out.varint(zigzag(record.birth_ns - std::exchange(previous, record.birth_ns))); }
    put_intervals(out, part);
    put_traces(out, traces, next_new);
    for (const auto& record : part) { out.varint(record.site); }
    for (const auto& record : part) { out.varint(record.route); }
    for (const auto& record : part) { out.varint(record.thread); }
    return std::move(out.bytes());
}

bool decode_records(std::string_view payload, const trace_dictionary& dictionary, std::vector<live_record>& out,
                    std::size_t& lost_traces) {
    byte_reader in{payload};
    const auto count = in.varint();
    if (in.failed() || count > records_a_part || count > payload.size()) { return false; }
    const auto from = out.size();
    out.resize(from + count);
    std::size_t lost = 0;
    if (!get_part(in, dictionary, std::span{out}.subspan(from), lost)) {
        out.resize(from);
        return false;
    }
    lost_traces += lost;
    return true;
}

}  // namespace memwatch::inline v1::codec
