// SPDX-License-Identifier: Apache-2.0
#pragma once
// What an attached library puts in the place of what: the entry points of this room, by name.

#include <cstdint>
#include <span>

namespace memwatch::interpose {

struct patched_function {
    const char* name;
    std::uintptr_t ours;
    std::uintptr_t original;  // 0: there is none, or it is not to be replaced
    // Deallocation that is told a size. Over an allocator that believes it, blocks that were enlarged while we were here must
    // come past us for as long as they live.
    bool is_sized;
};

// Ordered by name. Originals are looked up on the first call, before anything is patched. One thread at a time.
[[nodiscard]] std::span<const patched_function> patched_functions() noexcept;

}  // namespace memwatch::interpose
