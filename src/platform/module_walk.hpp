// SPDX-License-Identifier: Apache-2.0
#pragma once
// The dynamic loader's list of modules, without leaving its lock to a forked child (README.md: Modules and fork). Every
// dl_iterate_phdr of memwatch's is made here. Exported: interpose/ walks, too.

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <memwatch/base/export.hpp>

struct dl_phdr_info;

namespace memwatch {
inline namespace v1 {
namespace platform {

// One in a process, shared by the copies that joined. Between a thread that walks and one that forks.
struct walk_gate {
    static constexpr std::uint32_t closed = 1U << 31U;  // somebody forks; below it: how many walk

    std::atomic<std::uint32_t> walks{0};
    std::atomic<std::uint64_t> proven_in{0};      // the process in which a walk came to its end; 0 = none yet
    std::atomic<std::uint64_t> probed_in{0};      // the process in which a thread was sent to try
    std::atomic<std::uint32_t> worker_thread{0};  // the last thread that memwatch started: see walk_modules()
};

using module_visitor = int (*)(dl_phdr_info* module, std::size_t size, void* context);

// dl_iterate_phdr(visit, context). False: not walked, because this is memwatch's own thread in a forked child where nobody
// knows yet whether the loader's lock is free; ask again later. `visit` may walk again, and nothing that waits. Threads: any,
// outside of hooks. Locks: none of ours but the gate, the loader's.
MEMWATCH_API bool walk_modules(module_visitor visit, void* context) noexcept;

// Calls `use`, which may load modules: fork() waits for it as for a walk.
MEMWATCH_API void use_loader(void (*use)(void* context), void* context) noexcept;

// Whether walk_modules() would walk, here and now.
MEMWATCH_API bool can_walk_modules() noexcept;

// For runtime/ alone. The gate of this copy, and another copy's in its place from now on.
[[nodiscard]] walk_gate& this_walk_gate() noexcept;
void share_walk_gate(walk_gate& other) noexcept;
// Around fork(). Closing waits for those that walk, for a second at most: a host may be stuck inside the loader.
void close_walks_for_fork() noexcept;
void open_walks_after_fork() noexcept;
void enter_child_walks() noexcept;  // in the child, in place of opening: those that walked are gone

// For own_thread. What static thread-local storage takes of each stack; measured once, at the first call.
std::size_t thread_local_bytes() noexcept;
// A new thread is memwatch's own.
void note_own_thread() noexcept;

}  // namespace platform
}  // namespace v1
}  // namespace memwatch
