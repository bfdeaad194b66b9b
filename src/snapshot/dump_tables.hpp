// SPDX-License-Identifier: Apache-2.0
#pragma once
// A dump without its records of blocks: what the summary of a large dump and the merging of many need. The directory at the end
// says where the tables are; the records between them are neither read nor checked, and nothing is said of their state. Where
// the directory is damaged, the chunks are walked one header after the other, as a full reading does.
//
// In: memtrace (lazily), json and jsonl (read whole, then the records are dropped). Threads: any, nothing shared.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <memwatch/snapshot/codec.hpp>

namespace memwatch::inline v1 {

struct dump_tables {
    snapshot value;                   // valid; no live records
    std::vector<std::string> damage;  // as decoded_snapshot's, of what was read
    std::uint64_t unread_chunks{};    // of records and their trace ids
    std::uint64_t unread_bytes{};     // that these take in the file
};

// Errors: as decode().
[[nodiscard]] result<dump_tables> decode_tables(std::string_view bytes);
// Errors: as read_dump().
[[nodiscard]] result<dump_tables> read_tables(const std::string& path, std::uint64_t max_bytes = 64ULL << 30);

// The same without the sites' cohorts. Errors: as read_dump().
[[nodiscard]] result<dump_tables> read_sums(const std::string& path, std::uint64_t max_bytes = 64ULL << 30);

// Only who took the dump and which modules it names: the chunks INFO and MODS of a native one. Errors: as read_dump().
[[nodiscard]] result<dump_tables> read_origin(const std::string& path, std::uint64_t max_bytes = 64ULL << 30);

// Whether these are the first bytes of a native dump, of `path`; false when it cannot be read. And its size, 0 then.
struct dump_kind {
    bool is_memtrace{};
    std::uint64_t size_bytes{};
};
[[nodiscard]] dump_kind kind_of_dump(const std::string& path);

}  // namespace memwatch::inline v1
