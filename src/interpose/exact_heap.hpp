// SPDX-License-Identifier: Apache-2.0
#pragma once
// Full mode: every block recorded, none changed. Blocks are the real allocator's own, of the size that was asked for (32 bytes
// at least over allocators with smaller classes); which record is whose says a shadow of the heap (block_index.hpp).
//
//   malloc(40) -> real malloc(40) = p, exact_birth(p) = 17, index of p = 17
//   free(p)    -> index of p = 17, forgotten, exact_death(17, p), real free(p)

#include <cstdint>

namespace memwatch::interpose {

// Swaps the targets. Blocks recorded in full mode are abandoned when it is left (the ledger drops them).
void enter_full_mode() noexcept;
void leave_full_mode() noexcept;

[[nodiscard]] bool is_exact() noexcept;
// Some small blocks may be larger than their owners know: no size that a caller tells may be believed any more.
[[nodiscard]] bool has_been_exact() noexcept;

// What the shadow takes.
[[nodiscard]] std::uint64_t exact_self_bytes() noexcept;

}  // namespace memwatch::interpose
