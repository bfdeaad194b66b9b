// SPDX-License-Identifier: Apache-2.0
#pragma once
// A record: a sampled event on its way from capture/ to live/. A plain value that borrows (stack, type) from the caller's
// frame: live/ copies what it keeps.

#include <cstdint>
#include <string_view>

#include <memwatch/model/trace_id.hpp>

namespace memwatch {
inline namespace v1 {

// What identifies a live block: its address and the tag it is counted under. Doors may be stacked (a pool inside an arena
// inside a tracked allocator), so one address can be live once a tag. User addresses fit 48 bits, the tag takes the rest.
using block_key = std::uint64_t;

[[nodiscard]] inline block_key make_block_key(const void* address, std::uint16_t tag) noexcept {
    constexpr std::uint64_t address_mask = (1ULL << 48U) - 1;
    return (reinterpret_cast<std::uint64_t>(address) & address_mask) | (static_cast<std::uint64_t>(tag) << 48U);
}

[[nodiscard]] inline std::uint64_t address_of(block_key key) noexcept { return key & ((1ULL << 48U) - 1); }

struct record {
    block_key key{};
    std::uint64_t size_bytes{};
    std::uint64_t interval_bytes{};  // R the sample was drawn with; 0 = every block
    std::uint64_t time_ns{};         // clock's own zero
    trace_id trace;
    const std::uint64_t* frames{};  // return addresses, leaf first
    std::uint32_t depth{};
    bool is_truncated{};
    std::uint16_t route{};
    std::uint16_t thread{};  // index in live/'s thread table; 0 = other
    std::uint16_t tag{};
    std::string_view type;
};

// A record taken out of the live table for the time of a realloc. Opaque outside of live/.
struct held_block {
    alignas(8) unsigned char bytes[64];
};

}  // namespace v1
}  // namespace memwatch
