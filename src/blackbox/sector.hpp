// SPDX-License-Identifier: Apache-2.0
#pragma once
// The unit of a black box: 512 bytes that say themselves what they are and whether they are whole. A record is one sector or
// several; whatever was being written when the process died spoils that record and nothing else. FORMAT.md draws it.
//
// In: parts of records. Out: bytes, and back. Threads: plain functions. Allocates: never.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace memwatch {
inline namespace v1 {
namespace blackbox {

// A disk's sector, and an eighth of a page: the page cache writes it whole.
inline constexpr std::size_t sector_bytes = 512;
inline constexpr std::size_t sector_head_bytes = 40;
inline constexpr std::size_t sector_payload_bytes = sector_bytes - sector_head_bytes;
inline constexpr std::size_t most_parts = 0xFFFF;

enum class record_kind : std::uint16_t {
    pulse = 1,      // figures of one moment (pulse.hpp): one sector
    situation = 2,  // a dump of what matters most: sites, verdicts, requests
    event = 3,      // something happened (event.hpp): one sector
};

// One part of a record.
struct sector {
    std::uint64_t sequence{};  // of the record; counts up over the whole file, from 1
    std::uint64_t unix_ns{};   // when the record was made
    record_kind kind{};
    std::uint16_t lane{};   // where the writer keeps it (ring_writer.hpp); readers need not care
    std::uint16_t part{};   // 0 .. parts - 1
    std::uint16_t parts{};  // of the record
    std::string_view payload;
};

void encode(const sector& from, unsigned char (&into)[sector_bytes]) noexcept;

// Nothing: it is not one, or damaged. The payload points into `bytes`.
[[nodiscard]] std::optional<sector> decode(const unsigned char (&bytes)[sector_bytes]) noexcept;

// Little-endian numbers and 64 bits of SipHash under a fixed key: what sectors and the file's head are checked by.
void put_number(unsigned char* into, std::uint64_t value, std::size_t bytes) noexcept;
[[nodiscard]] std::uint64_t get_number(const unsigned char* from, std::size_t bytes) noexcept;
[[nodiscard]] std::uint64_t checksum(const unsigned char* bytes, std::size_t count) noexcept;

}  // namespace blackbox
}  // namespace v1
}  // namespace memwatch
