// SPDX-License-Identifier: Apache-2.0
#pragma once
// Full mode: every block recorded, none changed. Blocks are the real allocator's own, of the size that was asked for (32 bytes
// at least over allocators with smaller classes); which record is whose says a shadow of the heap (block_index.hpp).
//
//   malloc(40) -> real malloc(40) = p, exact_birth(p) = 17, index of p = 17
//   free(p)    -> index of p = 17, forgotten, exact_death(17, p), real free(p)

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace memwatch::interpose {

// Where the program called an entry point, for the stack: where its return address lies, and its frame pointer then.
struct entry_point {
    const void* stack_pointer;
    std::uint64_t frame_pointer;
};
// Of the function it is written in, which must have been reached as the entry point was: called by the program, or by jumps.
[[gnu::always_inline]] inline entry_point this_entry() noexcept {
    auto* const frame = static_cast<std::uint64_t*>(__builtin_frame_address(0));
    return {frame + 1, frame[0]};
}

// malloc and memalign in full mode, for callers that are not jumped through. Null: no memory.
[[nodiscard]] void* exact_allocate_at(std::size_t bytes, const entry_point& entry) noexcept;
[[nodiscard]] void* exact_allocate_aligned_at(std::size_t alignment, std::size_t bytes, const entry_point& entry) noexcept;

// Swaps the targets. Blocks recorded in full mode are abandoned when it is left (the ledger drops them).
void enter_full_mode() noexcept;
void leave_full_mode() noexcept;

extern std::atomic<bool> is_full_now;  // for the next function
// relaxed: the targets decide; this only helps to choose, and is set before the first block that it speaks of.
[[nodiscard]] inline bool is_exact() noexcept { return is_full_now.load(std::memory_order_relaxed); }
// Some small blocks may be larger than their owners know: no size that a caller tells may be believed any more.
[[nodiscard]] bool has_been_exact() noexcept;

// What the shadow takes.
[[nodiscard]] std::uint64_t exact_self_bytes() noexcept;

}  // namespace memwatch::interpose
