// SPDX-License-Identifier: Apache-2.0
#pragma once
// The allocator that really owns the heap: glibc, jemalloc, tcmalloc, mimalloc or one we do not know. Found once, as what would
// be called if we were not here, and always whole: a free of one allocator and a malloc of another never meet.

#include <cstddef>

#include "capture/heap_block.hpp"

namespace memwatch::interpose {

struct real_allocator {
    heap_functions heap;
    // Deallocation that is told the size, where the allocator has one that uses it; else `heap.release` in disguise.
    void (*release_sized)(void* block, std::size_t bytes) noexcept;
    const char* name;  // "glibc", "jemalloc", "tcmalloc", "mimalloc", "unknown"
    const char* path;  // of the object that holds it
    // What samples are made with. As `heap`; but where the allocator itself cannot align, this one's allocate_aligned gives
    // none, while that one's calls what the program would have called.
    heap_functions sampled_heap;
    bool can_align;
    bool is_before_us;      // calls of malloc go there, past us
    bool believes_sizes{};  // a wrong size told on deallocation would break its heap
};

// Looks the functions up where the program's malloc is: behind this object in the symbol search order, or, if another malloc
// comes before ours, there: operator new must not bring a second heap into the process. Allocates nothing itself; what the
// dynamic linker allocates meanwhile comes from the bootstrap arena. Call once.
[[nodiscard]] real_allocator find_real_allocator() noexcept;

// The next definition of an operator new or delete behind this object, if it is a program's own: neither the C++ runtime's nor
// the allocator's, nor, for a preloaded object, those of another allocator that is linked but not in charge. Such a one is
// called instead of the allocator. Null: none.
[[nodiscard]] void* find_foreign_operator(const real_allocator& real, const char* mangled_name) noexcept;

}  // namespace memwatch::interpose
