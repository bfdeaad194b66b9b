// SPDX-License-Identifier: Apache-2.0
#pragma once
// Full mode, as a door sees it: each block is announced when it was obtained and again before it is given back. The door keeps
// the record's index for the block (interpose: in a shadow of the heap). Defined by runtime/, which hands both on to the ledger
// of live/; exported, because the door that replaces malloc is a library of its own.
//
//   p = real malloc(n)                                           free(p): p is known as 17, and forgotten
//   17 = exact_birth(p, n, entry, frame pointer)                 exact_death(17, p)        then real free(p)
//   p is known as 17                                             realloc: real realloc, exact_death(17, old), exact_birth(new)
//
// Threads: any. Allocates: never. errno: kept. Locks: none on the usual path; short spin locks, never held while unwinding.
// While the process forks, leaves full mode or forgets unloaded code, both wait (yielding) for some microseconds.

#include <cstddef>
#include <cstdint>

#include <memwatch/base/export.hpp>
#include <memwatch/capture/thread_block.hpp>

namespace memwatch {
inline namespace v1 {

// `entry`: the stack pointer as it was when the outermost allocation function was entered (*entry = return address into the
// program); `frame_pointer`: that register at the same moment. Returns the record's index (> 0), or 0: the block is not
// recorded (the session is not in full mode, or its budget is used up) and is an ordinary one.
[[nodiscard]] MEMWATCH_API std::uint32_t exact_birth(const void* block, std::size_t bytes, const void* entry,
                                                     std::uint64_t frame_pointer) noexcept;

// The block goes away: call before the memory does, or after realloc moved it. Any index may be passed: unless it holds the
// live record of `block`, nothing happens. Once for each birth: what is counted may follow later, though before anybody looks.
MEMWATCH_API void exact_death(std::uint32_t index, const void* block) noexcept;

namespace detail {

// The thread that leased `row` ends: its lane goes to others. [hook] Defined by runtime/.
void leave_exact_lane(thread_row& row) noexcept;

}  // namespace detail
}  // namespace v1
}  // namespace memwatch
