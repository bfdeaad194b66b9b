// SPDX-License-Identifier: Apache-2.0
#pragma once
// A black box as it is found: whatever of it is whole, in the order it was written. The file may be torn where its process
// died, cut short, half overwritten, or somebody's fabrication: each sector is believed for its checksum only, a record for
// having all its parts.
//
// In: a file's bytes. Out: records, and what was not readable. Threads: plain functions.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <memwatch/base/result.hpp>

#include "blackbox/ring_writer.hpp"
#include "blackbox/sector.hpp"

namespace memwatch {
inline namespace v1 {
namespace blackbox {

struct record {
    std::uint64_t sequence{};
    std::uint64_t unix_ns{};
    record_kind kind{};
    lane where{};
    std::string payload;
};

struct box {
    std::optional<identity> whose;  // nothing: both heads are damaged
    std::uint64_t file_bytes{};
    std::uint64_t expected_bytes{};  // as the head says; more than `file_bytes`: it was cut short
    std::vector<record> records;     // by sequence
    std::uint64_t damaged_sectors{};
    std::uint64_t incomplete_records{};  // at most one is being written at an end; others are being overwritten
};

// Reads `size_bytes` from `offset` into `into`, returns how many there were.
using read_function = std::function<std::size_t(std::uint64_t offset, void* into, std::size_t size_bytes)>;

inline constexpr std::uint64_t largest_box = 1ULL << 30U;  // as option blackbox_bytes

// Errors: unreadable (nothing in it is of a black box), unsupported (a newer version), limit.
[[nodiscard]] result<box> read_box(std::uint64_t file_bytes, const read_function& read);
// Errors: also not_found, io; `where` is the path.
[[nodiscard]] result<box> read_box(const std::string& path);

}  // namespace blackbox
}  // namespace v1
}  // namespace memwatch
