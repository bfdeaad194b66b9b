// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where operator new and delete jump when nothing is to be seen: to the allocator, as malloc does, or to the program's own
// replacement in a library behind us, which would have been called if we were not here. As in the C++ runtime, the array,
// nothrow and sized forms come down to the plain ones; a library that replaced only one of those is not honoured.

#include <cstddef>

#include "interpose/targets.hpp"

namespace memwatch::interpose {

struct operator_targets {
    void* (*allocate)(std::size_t bytes);  // null: no memory; a replacement throws instead
    void (*release)(void* block) noexcept;
    void (*release_sized)(void* block, std::size_t bytes) noexcept;
    void* (*allocate_aligned)(std::size_t alignment, std::size_t bytes);
    void (*release_aligned)(void* block) noexcept;
    // The program's own: what it takes from malloc and gives back is seen there, so nothing is sampled here, nor released.
    bool is_foreign;
    bool is_aligned_foreign;
};

[[gnu::visibility("hidden")]] extern operator_targets operators;

// Looks for a replacement, once, after the real allocator was found.
void find_operators() noexcept;

// Follows `targets`, but for what is foreign.
void put_operators_in_place(const heap_targets& wanted) noexcept;

}  // namespace memwatch::interpose
