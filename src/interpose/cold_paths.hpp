// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the entry points do when their test hit: once in R bytes on allocation, once in 128 pointers by chance on free. `caller`
// is the return address into the program, where stacks begin.

#include <cstddef>

namespace memwatch::interpose {

// The countdown ran out at this request. As malloc, calloc (of `bytes` in all), realloc, memalign.
[[gnu::cold, gnu::noinline]] void* sampled_malloc(std::size_t bytes, const void* caller) noexcept;
[[gnu::cold, gnu::noinline]] void* sampled_calloc(std::size_t bytes, const void* caller) noexcept;
[[gnu::cold, gnu::noinline]] void* sampled_realloc(void* block, std::size_t bytes, const void* caller) noexcept;
[[gnu::cold, gnu::noinline]] void* sampled_memalign(std::size_t alignment, std::size_t bytes, const void* caller) noexcept;

// The block is at a page edge: null, a sample, from the bootstrap arena, or there by chance.
[[gnu::cold, gnu::noinline]] void free_at_edge(void* block) noexcept;
[[gnu::cold, gnu::noinline]] void* realloc_at_edge(void* block, std::size_t bytes) noexcept;
// True: it was one of the first three and is dealt with. False: free it as always.
[[gnu::cold, gnu::noinline]] bool is_freed_at_edge(void* block) noexcept;

// A sample that goes on living untracked.
[[gnu::cold, gnu::noinline]] void forget_at_edge(void* block) noexcept;

}  // namespace memwatch::interpose
