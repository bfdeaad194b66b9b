// SPDX-License-Identifier: Apache-2.0
#pragma once
// A sampled block of an interposed malloc. As edge_block.hpp, but in an open world: blocks come from an allocator that is not
// ours, are freed without a size, grow in place, and may be freed by code that never calls us.
//
//   malloc(24), countdown ran out -> memalign(4096, 4088) of the real allocator, bit set, recorded
//   free(0x..e000)                -> at an edge, bit set: forgotten, and given back or kept for the next sample
//
// The pointer is the real allocator's own, so whoever frees it behind our back breaks nothing: the record stays until the
// address is handed out again. interpose/ calls these once its fast paths have seen a countdown run out or an edge.
// Threads: any. Allocates: only through `heap_functions`. Errno: kept, unless an allocation failed.

#include <cstddef>

#include <memwatch/base/export.hpp>

namespace memwatch {
inline namespace v1 {

// The real allocator, all functions of the same one.
struct heap_functions {
    void* (*allocate)(std::size_t bytes) noexcept;                                 // malloc
    void* (*allocate_zeroed)(std::size_t count, std::size_t bytes) noexcept;       // calloc
    void* (*reallocate)(void* block, std::size_t bytes) noexcept;                  // realloc
    void* (*allocate_aligned)(std::size_t alignment, std::size_t bytes) noexcept;  // memalign
    void (*release)(void* block) noexcept;                                         // free
    std::size_t (*usable_bytes)(void* block) noexcept;                             // malloc_usable_size
};

struct heap_request {
    std::size_t bytes;
    std::size_t alignment{};  // 0: malloc's own
    bool is_zeroed{};
};

// The countdown ran out at this request. Null: it is no sample (or no memory for one); the caller allocates as always.
// `caller`: return address into the code that asked; stacks begin there. [hook]
[[gnu::cold]] MEMWATCH_API void* allocate_heap_sample(const heap_functions& heap, const heap_request& request,
                                                      const void* caller) noexcept;

// For a block at an edge that goes away. True: it was a sample, and is released. False: not ours. [hook]
[[gnu::cold]] MEMWATCH_API bool release_heap_sample(const heap_functions& heap, void* block) noexcept;

// As release, but the block lives on, untracked. False: not ours. [hook]
[[gnu::cold]] MEMWATCH_API bool forget_heap_sample(void* block) noexcept;

// Whether a block at an edge is a sample. [hook]
[[nodiscard]] MEMWATCH_API bool is_heap_sample(const void* block) noexcept;

// Gives up what is known of all samples: they live on as ordinary blocks, whose frees nobody tells us any more. With
// `keeps_marks` they are still found at their edges, for allocators that must not be told a wrong size.
MEMWATCH_API void abandon_heap_samples(bool keeps_marks) noexcept;

// realloc of a block at an edge. False: not a sample, nothing happened. True: done, `result` is what realloc returns; on
// failure the block and its record are as before. The result is not a sample: whether it becomes one is for the caller to
// decide, since realloc counts as free(old) and malloc(new). [hook]
[[gnu::cold]] MEMWATCH_API bool reallocate_heap_sample(const heap_functions& heap, void* block, std::size_t bytes,
                                                       void*& result) noexcept;

// A block that realloc just returned and whose bytes the countdown could not cover: makes it a sample if it is one, which may
// move it to an edge. The block to use from now on; null only if `block` is. [hook]
[[gnu::cold]] MEMWATCH_API void* adopt_heap_sample(const heap_functions& heap, void* block, std::size_t bytes,
                                                   const void* caller) noexcept;

}  // namespace v1
}  // namespace memwatch
