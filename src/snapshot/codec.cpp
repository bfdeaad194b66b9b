// SPDX-License-Identifier: Apache-2.0
#include <memwatch/snapshot/codec.hpp>

#include "snapshot/chunks.hpp"
#include "snapshot/folded.hpp"
#include "snapshot/json.hpp"
#include "snapshot/memtrace.hpp"
#include "snapshot/pprof.hpp"
#include "snapshot/repair.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

struct format_name {
    dump_format value;
    const char* text;
};

constexpr format_name format_names[] = {{dump_format::memtrace, "memtrace"},
                                        {dump_format::json, "json"},
                                        {dump_format::jsonl, "jsonl"},
                                        {dump_format::pprof, "pprof"},
                                        {dump_format::pprof_allocs, "pprof_allocs"},
                                        {dump_format::folded, "folded"}};

constexpr std::string_view gzip_magic = "\x1F\x8B";

result<decoded_snapshot> decode_text(std::string_view bytes) {
    if (bytes.empty()) { return fail(error_code::unreadable, "the dump is empty", "byte 0"); }
    if (codec::looks_like_json_lines(bytes)) { return codec::decode_json_lines(bytes); }
    if (codec::looks_like_json(bytes)) { return codec::decode_json(bytes); }
    if (bytes.substr(0, gzip_magic.size()) == gzip_magic) {
        return fail(error_code::unsupported, "gzip, and not a memwatch dump (memtrace, json or jsonl)", "byte 0");
    }
    return fail(error_code::unreadable, "not a memwatch dump (memtrace, json or jsonl)", "byte 0");
}

// The last steps of every reading: what came from outside becomes a valid value, or an error.
template <class Decoded>
result<Decoded> made_valid(result<Decoded> decoded, std::uint64_t size_bytes) {
    if (!decoded) { return decoded; }
    codec::repair(decoded->value, decoded->damage);
    if (auto checked = validate(decoded->value); !checked) { return tl::unexpected<error>(checked.error()); }
    if (codec::spelled_out_bytes(decoded->value) > codec::unpack_budget(size_bytes)) {
        return fail(error_code::limit, "its stacks stand for more calls than a dump of its size has", "stacks");
    }
    return decoded;
}

result<dump_tables> without_records(result<decoded_snapshot> decoded) {
    if (!decoded) { return tl::unexpected<error>(decoded.error()); }
    decoded->value.live = {};
    return dump_tables{std::move(decoded->value), std::move(decoded->damage)};
}

}  // namespace

result<dump_format> parse_dump_format(std::string_view text) {
    for (const auto& each : format_names) {
        if (text == each.text) { return each.value; }
    }
    return fail(error_code::invalid_argument, "not a dump format: use memtrace, json, jsonl, pprof, pprof_allocs or folded",
                std::string{text.substr(0, 64)});
}

result<std::string> encode(const snapshot& s, dump_format format) {
    if (auto checked = validate(s); !checked) {
        return fail(error_code::invalid_argument, checked.error().what, checked.error().where);
    }
    switch (format) {
        case dump_format::memtrace:
            return codec::encode_memtrace(s);
        case dump_format::json:
            return codec::encode_json(s);
        case dump_format::jsonl:
            return codec::encode_json_lines(s);
        case dump_format::pprof:
            return codec::encode_pprof(s, codec::pprof_view::in_use);
        case dump_format::pprof_allocs:
            return codec::encode_pprof(s, codec::pprof_view::allocations);
        case dump_format::folded:
            return codec::encode_folded(s);
    }
    return fail(error_code::unsupported, "not a format this build writes");
}

result<decoded_snapshot> decode(std::string_view bytes) {
    codec::memory_bytes source{bytes};
    return codec::decode_from(source);
}

result<dump_tables> decode_tables(std::string_view bytes) {
    codec::memory_bytes source{bytes};
    return codec::decode_tables_from(source);
}

namespace codec {
namespace {

result<dump_tables> decode_wanted(byte_source& bytes, wanted_tables wanted) {
    const bool is_memtrace = looks_like_memtrace(bytes.read(0, dump_magic_bytes));
    return made_valid(
        is_memtrace ? decode_memtrace_tables(bytes, wanted) : without_records(decode_text(bytes.read(0, bytes.size()))),
        bytes.size());
}

}  // namespace

result<decoded_snapshot> decode_from(byte_source& bytes) {
    const bool is_memtrace = looks_like_memtrace(bytes.read(0, dump_magic_bytes));
    return made_valid(is_memtrace ? decode_memtrace(bytes) : decode_text(bytes.read(0, bytes.size())), bytes.size());
}

result<dump_tables> decode_tables_from(byte_source& bytes) { return decode_wanted(bytes, wanted_tables::all); }

result<dump_tables> decode_sums_from(byte_source& bytes) { return decode_wanted(bytes, wanted_tables::sums); }

result<dump_tables> decode_origin_from(byte_source& bytes) { return decode_wanted(bytes, wanted_tables::origin); }

}  // namespace codec

}  // namespace v1
}  // namespace memwatch
