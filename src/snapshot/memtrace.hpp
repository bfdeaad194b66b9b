// SPDX-License-Identifier: Apache-2.0
#pragma once
// The native dump: the tables of a snapshot as chunks. Specified byte by byte in FORMAT.md.

#include <string>
#include <string_view>

#include <memwatch/snapshot/codec.hpp>

#include "snapshot/byte_source.hpp"
#include "snapshot/dump_tables.hpp"

namespace memwatch::inline v1::codec {

// Errors: limit. Memory: the dump and one table. Cost: 1 M live records in about 0.35 s.
[[nodiscard]] result<std::string> encode_memtrace(const snapshot& s);

// The value is not repaired yet. Errors: unreadable, unsupported.
[[nodiscard]] result<decoded_snapshot> decode_memtrace(byte_source& bytes);
// All but the records of live blocks, whose chunks are not read; these without the sites' cohorts; or only info and modules.
enum class wanted_tables { all, sums, origin };
[[nodiscard]] result<dump_tables> decode_memtrace_tables(byte_source& bytes, wanted_tables wanted);

// By the first `dump_magic_bytes`.
inline constexpr std::size_t dump_magic_bytes = 8;
[[nodiscard]] bool looks_like_memtrace(std::string_view bytes);

}  // namespace memwatch::inline v1::codec
