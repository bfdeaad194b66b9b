// SPDX-License-Identifier: Apache-2.0
#pragma once
// The rules of call_frame_info.hpp, remembered by return address, so that a frame of a walk costs a load and an addition.
//
//   the table: 32,768 words of 64 bits, all-zero = empty, touched page by page as return addresses appear
//   +---------------------------------+--------+---------------------+-----+
//   | which address: bits 46..15 and 0 | fp at  | CFA offset, 8 bytes | way |     bits 63..31, 30..23, 22..3, 2..0
//   +---------------------------------+--------+---------------------+-----+
//   at index bits 14..0 of the address, or at its neighbour (index xor 1) when that place was taken
//
// One word is the whole entry: index and tag together are the address, so that a reader sees a right entry or none, without
// lock, generation or retry. Who misses finds the module (glibc's lock-free _dl_find_object), runs its table's program and
// stores.
//
// When modules go, their rules must: forget_unwind_rules() empties the table. Beside that each miss compares the module it fell
// into with what was seen at that place before, and empties the table when another one lies there now.

#include <cstdint>

#include <memwatch/base/export.hpp>
#include "platform/call_frame_info.hpp"

namespace memwatch {
inline namespace v1 {
namespace platform {

// Call after a module was unloaded (dlclose) or when one may have been. Threads: any. [hook; some 20 us when the table is full]
MEMWATCH_API void forget_unwind_rules() noexcept;

// The rule a walk follows from `return_address`: straight from its module, and through the table. For tests. [hook]
[[nodiscard]] unwind_rule look_up_unwind_rule(std::uint64_t return_address) noexcept;
[[nodiscard]] unwind_rule remembered_unwind_rule(std::uint64_t return_address) noexcept;

}  // namespace platform
}  // namespace v1
}  // namespace memwatch
