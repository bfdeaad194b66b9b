// SPDX-License-Identifier: Apache-2.0
#pragma once
// A footprint as JSON and back: what /debug/memtrace/footprint answers, what the control socket carries, what `memwatch
// footprint` saves and reads. The members are those of include/memwatch/model/footprint.hpp by their names there, words for
// enums, and
//
//   {"kind": "memwatch.footprint", "version": 1, "sentences": ["..."], "pid": 7, "resident_bytes": ..,
//    "rows": [{"part": "tracked_live", "basis": "estimated", "bytes": .., "error_bytes": .., "note": ""}], "unexplained_bytes":
//    .., "cgroup": {..}, "allocators": [..], "modules": [..], "kernel": {..}}
//
// `sentences` are for readers of the JSON; whoever reads it back makes them anew. Threads: any (pure functions).

#include <string>
#include <string_view>

#include <memwatch/base/export.hpp>
#include <memwatch/base/result.hpp>
#include <memwatch/model/footprint.hpp>

namespace memwatch {
inline namespace v1 {

// Exported: libmemwatch-serve answers with it. Errors: none but no memory. Text that is no UTF-8 is written with U+FFFD for
// each stray byte.
[[nodiscard]] MEMWATCH_API std::string encode_footprint(const footprint& where);

// Bytes of anyone. Errors: unreadable (no JSON, no footprint, a field of another type, an unknown word), unsupported (a newer
// version).
[[nodiscard]] result<footprint> decode_footprint(std::string_view bytes);

}  // namespace v1
}  // namespace memwatch
