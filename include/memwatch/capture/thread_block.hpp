// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the hot path needs of its thread: one cache line of initial-exec TLS, trivially destructible, valid before main and
// after exit. All-zero is a legal state and means "this thread has not been seen yet".
//
//   thread_block (TLS, 64 B)                 thread_row (leased, 1 page and up, lazily touched)
//   +-----------------------+                +------------------------------------------------+
//   | countdown    812,331  |                | header: owner, thread index, end of stack      |
//   | row          --------------------------> cells[0] untagged                              |
//   | interval   1,048,576  |                | cells[1] order-cache: 4096 B / 2 allocated ... |
//   | random state          |                | ...                                            |
//   | trace context (32 B)  |                +------------------------------------------------+
//   +-----------------------+
//
// The countdown is four things at once: the sampler, the not-yet-initialised check (0 borrows on the first byte), the off
// switch and the re-entry guard (both: a large value that does not borrow). Rows are leased per thread from a bounded set; a
// thread without one counts in a shared row with atomic read-modify-writes (src/capture/README.md).

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <memwatch/base/export.hpp>
#include <memwatch/capture/trace_context.hpp>

namespace memwatch {
inline namespace v1 {

// Tags a process can have; the names beyond are counted as "other".
inline constexpr std::size_t max_tags = 1024;

// Exact counters of one tag in one row. Written by the row's thread only (or by read-modify-write in the shared row), read by
// freeze(): frees first, then allocations, so that nothing is ever seen freed before it was allocated.
struct tag_cell {
    std::atomic<std::uint64_t> allocated_bytes;
    std::atomic<std::uint64_t> allocations;
    std::atomic<std::uint64_t> freed_bytes;
    std::atomic<std::uint64_t> frees;
};

// A thread's own counters, leased from a bounded set.
struct thread_row {
    std::atomic<std::uint32_t> owner;  // thread id of the lessee; 0 = free
    std::uint32_t thread_index;        // in the live room's thread table; 0 = not registered. Owner thread only
    std::uint64_t stack_begin;         // lowest address of the thread's stack. Owner thread only
    std::uint64_t stack_end;           // one past the highest; 0 = unknown. Owner thread only
    void* exact_lane;                  // the thread's lane in the ledger of full mode; null = none yet. Owner thread only
    // Traces that ended on the row's threads (trace_scope). Written by the owner only, or by read-modify-write in the shared
    // row.
    std::atomic<std::uint64_t> completed_traces;
    std::uint64_t reserved[3];  // the cells start on a line of their own
    tag_cell cells[max_tags];
};

// One cache line a thread; the drawing above.
struct alignas(64) thread_block {
    std::uint64_t countdown;            // bytes until the next sample
    thread_row* row;                    // this thread's own counters; null = none leased
    std::uint64_t interval_bytes : 48;  // R that `countdown` was drawn with
    std::uint64_t is_carried : 8;       // 1 while an adapter's work runs: scopes may outlive this thread's part of it
    std::uint64_t is_covered : 8;       // 1 while a tracked allocator fetches memory: an interposed malloc leaves it alone
    std::uint64_t random_state;         // xorshift64*; 0 = not seeded
    trace_context context;
};
static_assert(sizeof(thread_block) == 64);

namespace detail {

// Initial-exec: one load of an offset, no call; costs 64 bytes of the static TLS surplus when the library is dlopened.
// __thread rather than thread_local: no wrapper function stands between us and the variable.
extern MEMWATCH_API __attribute__((tls_model("initial-exec"))) __thread thread_block this_thread;

// The calling thread's block, for code that is inlined into the user's functions. A coroutine goes on elsewhere, and clang may
// keep the address of a thread-local in its frame (llvm-project#47179; seen with clang 16 at -O2, as lost counts): there the
// address is computed by code that it cannot look into, one instruction more. gcc splits coroutines before it
// optimises them; with its sanitizers on, UBSan takes the address it knows for null.
// Checked by tests/concurrency/coroutine_hops.cpp with each compiler.
[[gnu::always_inline]] inline thread_block& block_of_this_thread() noexcept {
#if defined(__x86_64__) && (defined(__clang__) || defined(__SANITIZE_ADDRESS__))
    thread_block* block;
    __asm__ volatile(
        "movq _ZN8memwatch2v16detail11this_threadE@gottpoff(%%rip), %0\n\t"
        "addq %%fs:0, %0"
        : "=r"(block));
    return *block;
#else
    return this_thread;
#endif
}

// While a door fetches memory for a block that it counts itself. Where malloc is interposed the same bytes pass by a second
// time; they would be in the totals twice. One store to begin and one to end.
class covered_scope {
public:
    covered_scope() noexcept { block_of_this_thread().is_covered = 1; }
    ~covered_scope() { block_of_this_thread().is_covered = 0; }
    covered_scope(const covered_scope&) = delete;
    covered_scope& operator=(const covered_scope&) = delete;
};

}  // namespace detail
}  // namespace v1
}  // namespace memwatch
