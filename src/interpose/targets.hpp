// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where the fast paths jump once their test said "nothing to see": to the real allocator, or, in full mode, to the functions
// that record every block. Switching modes swaps these pointers and nothing else.
//
//   unresolved   resolver stubs, from the first instruction of the process on
//   sampled      the real allocator's own functions: memwatch is one subtraction and one test away
//   full         exact_heap.cpp
//
// Plain words, swapped with single stores: a reader sees the old function or the new one, and both are right for any block. Not
// std::atomic, because gcc 12 would load it into a register before it jumps, one instruction more on each call.

#include <cstddef>

#include "interpose/bootstrap_arena.hpp"
#include "interpose/real_allocator.hpp"

namespace memwatch::interpose {

struct heap_targets {
    void* (*allocate)(std::size_t bytes) noexcept;
    void (*release)(void* block) noexcept;
    void (*release_sized)(void* block, std::size_t bytes) noexcept;
    void* (*allocate_zeroed)(std::size_t count, std::size_t bytes) noexcept;
    void* (*reallocate)(void* block, std::size_t bytes) noexcept;
    void* (*allocate_aligned)(std::size_t alignment, std::size_t bytes) noexcept;
    std::size_t (*usable_bytes)(void* block) noexcept;
};

[[gnu::visibility("hidden")]] extern heap_targets targets;
[[gnu::visibility("hidden")]] extern real_allocator real;  // valid after resolve()
[[gnu::visibility("hidden")]] extern bootstrap_arena bootstrap;

// Finds the real allocator and puts it in place, once. Any number of calls, also from within itself.
void resolve() noexcept;

// Swaps all targets.
void put_in_place(const heap_targets& wanted) noexcept;

// The real allocator's functions as targets. After full mode was ever on, blocks may be larger than their owners know, so that
// sized deallocation must not be believed: `trusts_sizes` false.
[[nodiscard]] heap_targets sampled_targets(bool trusts_sizes) noexcept;

[[nodiscard]] bool is_resolved() noexcept;

}  // namespace memwatch::interpose
