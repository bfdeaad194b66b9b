// SPDX-License-Identifier: Apache-2.0
#pragma once
// The native dump: the tables of a snapshot as chunks. Specified byte by byte in FORMAT.md.

#include <string>
#include <string_view>

#include <memwatch/snapshot/codec.hpp>

namespace memwatch::inline v1::codec {

// Errors: limit. Memory: the dump and one table. Cost: 1 M live records in about 0.35 s.
[[nodiscard]] result<std::string> encode_memtrace(const snapshot& s);

// The value is not repaired yet. Errors: unreadable, unsupported.
[[nodiscard]] result<decoded_snapshot> decode_memtrace(std::string_view bytes);

[[nodiscard]] bool looks_like_memtrace(std::string_view bytes);

}  // namespace memwatch::inline v1::codec
