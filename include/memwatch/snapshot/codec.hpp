// SPDX-License-Identifier: Apache-2.0
#pragma once
// Snapshots as bytes and back; usable without a running session. `memtrace` is the native dump, specified byte by byte in
// src/snapshot/FORMAT.md; `json` and `jsonl` carry the same facts for scripts; `pprof` is profile.proto for `go tool pprof`,
// Pyroscope and Parca (write only), `pprof_allocs` the same with allocations shown first; `folded` is one `root;..;leaf bytes`
// line a site (write only).

#include <string>
#include <string_view>
#include <vector>

#include <memwatch/base/export.hpp>
#include <memwatch/base/result.hpp>
#include <memwatch/model/snapshot.hpp>

namespace memwatch {
inline namespace v1 {

// memtrace, json and jsonl hold everything and can be read again; pprof, pprof_allocs and folded are for other tools.
enum class dump_format { memtrace, json, jsonl, pprof, folded, pprof_allocs };

// "memtrace", "json", "jsonl", "pprof", "pprof_allocs", "folded". Errors: invalid_argument.
[[nodiscard]] MEMWATCH_API result<dump_format> parse_dump_format(std::string_view text);

// Errors: limit (a table above the format's own maximum). Throws nothing but std::bad_alloc.
[[nodiscard]] MEMWATCH_API result<std::string> encode(const snapshot& s, dump_format format);

// A decoded dump. Damage does not hide what is intact: a truncated or corrupted dump yields what stands before (and beside) the
// damage, each loss is a line in `damage`, and the value still passes validate().
struct decoded_snapshot {
    snapshot value;
    std::vector<std::string> damage;  // empty = whole
};

// Recognises memtrace, json and jsonl by their first bytes. Errors: unreadable (not a dump, or damaged before anything useful),
// unsupported (newer major version); `where` is the byte offset.
[[nodiscard]] MEMWATCH_API result<decoded_snapshot> decode(std::string_view bytes);

// decode() of a file; only regular files, at most `max_bytes`. Errors: also io, not_found, limit; `where` is the path.
[[nodiscard]] MEMWATCH_API result<decoded_snapshot> read_dump(const std::string& path, std::uint64_t max_bytes = 4ULL << 30);

// Writes bytes to `path` atomically (temporary file of mode 0600 beside it, sync, rename). Errors: io; the old file stays.
[[nodiscard]] MEMWATCH_API result<void> write_file_atomically(const std::string& path, std::string_view bytes);

}  // namespace v1
}  // namespace memwatch
