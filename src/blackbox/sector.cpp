// SPDX-License-Identifier: Apache-2.0
#include "blackbox/sector.hpp"

#include <algorithm>
#include <cstring>

#include "base/siphash.hpp"

namespace memwatch {
inline namespace v1 {
namespace blackbox {
namespace {

// "memwatch", "blackbox": not a secret. It keeps bytes of other files from looking like ours.
constexpr siphash_key key{0x6863746177'6d656dULL, 0x786f626b'63616c62ULL};
constexpr std::size_t checked_from = 8;

bool is_kind(std::uint64_t kind) noexcept {
    return kind >= static_cast<std::uint64_t>(record_kind::pulse) && kind <= static_cast<std::uint64_t>(record_kind::event);
}

}  // namespace

void put_number(unsigned char* into, std::uint64_t value, std::size_t bytes) noexcept {
    for (std::size_t i = 0; i < bytes; ++i) { into[i] = static_cast<unsigned char>(value >> (8 * i)); }
}

std::uint64_t get_number(const unsigned char* from, std::size_t bytes) noexcept {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) { value |= std::uint64_t{from[i]} << (8 * i); }
    return value;
}

std::uint64_t checksum(const unsigned char* bytes, std::size_t count) noexcept {
    return siphash(key, {reinterpret_cast<const char*>(bytes), count}).first;
}

void encode(const sector& from, unsigned char (&into)[sector_bytes]) noexcept {
    const std::size_t used = std::min(from.payload.size(), sector_payload_bytes);
    std::memset(into, 0, sector_bytes);
    put_number(into + 8, from.sequence, 8);
    put_number(into + 16, from.unix_ns, 8);
    put_number(into + 24, static_cast<std::uint16_t>(from.kind), 2);
    put_number(into + 26, from.lane, 2);
    put_number(into + 28, from.part, 2);
    put_number(into + 30, from.parts, 2);
    put_number(into + 32, used, 2);
    if (used != 0) { std::memcpy(into + sector_head_bytes, from.payload.data(), used); }
    put_number(into, checksum(into + checked_from, sector_bytes - checked_from), 8);
}

std::optional<sector> decode(const unsigned char (&bytes)[sector_bytes]) noexcept {
    if (get_number(bytes, 8) != checksum(bytes + checked_from, sector_bytes - checked_from)) { return std::nullopt; }
    const std::uint64_t kind = get_number(bytes + 24, 2);
    const std::uint64_t used = get_number(bytes + 32, 2);
    sector found;
    found.sequence = get_number(bytes + 8, 8);
    found.unix_ns = get_number(bytes + 16, 8);
    found.lane = static_cast<std::uint16_t>(get_number(bytes + 26, 2));
    found.part = static_cast<std::uint16_t>(get_number(bytes + 28, 2));
    found.parts = static_cast<std::uint16_t>(get_number(bytes + 30, 2));
    if (found.sequence == 0 || !is_kind(kind) || used > sector_payload_bytes || found.part >= found.parts) {
        return std::nullopt;
    }
    found.kind = static_cast<record_kind>(kind);
    found.payload = {reinterpret_cast<const char*>(bytes) + sector_head_bytes, static_cast<std::size_t>(used)};
    return found;
}

}  // namespace blackbox
}  // namespace v1
}  // namespace memwatch
