// SPDX-License-Identifier: Apache-2.0
#pragma once
// Full mode: every block recorded, found again through a handle in its own tail.
//
//   malloc(40) -> real malloc(48):   [ 40 bytes asked for | ... | handle: record index, check ]
//                                                               ^ last 8 usable bytes, wherever malloc_usable_size puts them
//
// The pointer is the real allocator's own; a foreign free breaks nothing (the record stays until the address comes back). No
// address is looked up in a table: free reads the allocator's size word, which it reads anyway, and the tail.

namespace memwatch::interpose {

// Swaps the targets. Blocks recorded in full mode are abandoned when it is left (the ledger drops them; handles go stale).
void enter_full_mode() noexcept;
void leave_full_mode() noexcept;

[[nodiscard]] bool is_exact() noexcept;
// Some blocks may be larger than their owners know: no size that a caller tells may be believed any more.
[[nodiscard]] bool has_been_exact() noexcept;

}  // namespace memwatch::interpose
