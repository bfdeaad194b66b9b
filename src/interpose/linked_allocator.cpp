// SPDX-License-Identifier: Apache-2.0
// For libmemwatch-new: the allocator is whatever the program's malloc is. Only operator new and delete are ours.
#include <malloc.h>

#include <cstdlib>

#include "interpose/real_allocator.hpp"

namespace memwatch::interpose {

real_allocator find_real_allocator() noexcept {
    const auto release_ignoring_size = [](void* block, std::size_t) noexcept { free(block); };
    const heap_functions heap{&malloc, &calloc, &realloc, &memalign, &free, &malloc_usable_size};
    return {heap, release_ignoring_size, "malloc", "", heap, true, true};
}

// Who links this library wants its operators and no others.
void* find_foreign_operator(const real_allocator&, const char*) noexcept { return nullptr; }

}  // namespace memwatch::interpose
