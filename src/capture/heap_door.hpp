// SPDX-License-Identifier: Apache-2.0
#pragma once
// A heap door is whoever catches the program's malloc and operator new: the preload object, the replaced operator new, an
// attached library. Doors tell their names here and are told the preset, so that they can swap what a call jumps to.
//
// In: doors, by register_heap_door(), for the life of the process; presets, from runtime/. Out: calls of on_preset.
// Threads: any. on_preset runs on the thread that changes the preset (start, stop, the worker), one call at a time, outside of
// any hook and of memwatch's own locks, and after the sampler's switches are set; it is told where things stand when it
// registers.

#include <cstdint>

#include <memwatch/base/export.hpp>
#include <memwatch/options.hpp>

namespace memwatch {
inline namespace v1 {

struct heap_door {
    const char* name;       // "preload", "new", "attached"
    const char* allocator;  // what stands behind it: "glibc 2.36", "jemalloc 5.3.0"
    void (*on_preset)(preset_option now) noexcept;
    // Undoes the door where that is possible (attached: the patched tables); null: it is not. True: done.
    bool (*detach)() noexcept;
    // Memory the door holds itself, bytes; null: none to speak of.
    std::uint64_t (*self_bytes)() noexcept = nullptr;
};

inline constexpr int max_heap_doors = 4;

// `door` must live as long as the process. False: there are max_heap_doors already.
MEMWATCH_API bool register_heap_door(const heap_door& door) noexcept;

}  // namespace v1
}  // namespace memwatch
