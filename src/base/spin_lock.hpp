// SPDX-License-Identifier: Apache-2.0
#pragma once
// A lock for sections of a few hundred instructions that never allocate, block or unwind. Every lock has a rank; a thread may
// only take a lock of higher rank than those it holds (checked in debug builds), so lock cycles cannot be written. fork()
// takes all of them in rank order (runtime/process_state.cpp), so a child never inherits one that a lost thread held.
//
// Spins briefly, then yields: a holder that was preempted must get to run.

#include <atomic>
#include <cstdint>

namespace memwatch {
inline namespace v1 {

// Lowest first. A new lock takes its place here.
enum class lock_rank : std::uint8_t {
    session = 1,        // runtime: start and stop (a std::mutex, listed for the order)
    pools,              // alloc: list of pools
    pool_growth,        // alloc: one pool's chunks
    rows,               // capture: leasing of thread rows
    threads,            // live: thread table
    ledger_lanes,       // live: who has which lane of the ledger
    ledger_shared,      // live: the ledger's shared lane
    ledger_memo,        // live: additions to the stack memo
    ledger_pool,        // live: free records, trace contexts and sizes beyond 4 GiB of the ledger
    live_shard,         // live: one shard of the live table
    lifetime_examples,  // live: which request's block died last
    site_stripe,        // live: counters of some sites
    intern,             // base: an intern index (tags, routes, types, stacks, sites)
    edge_cache,         // capture: recycled edge blocks
};

class spin_lock {
public:
    explicit constexpr spin_lock(lock_rank rank) noexcept : rank_(rank) {}
    spin_lock(const spin_lock&) = delete;
    spin_lock& operator=(const spin_lock&) = delete;

    void lock() noexcept {
        // acquire: pairs with the release in unlock().
        if (__builtin_expect(is_locked_.exchange(true, std::memory_order_acquire), 0)) { lock_slow(); }
        note_locked();
    }

    void unlock() noexcept {
        note_unlocked();
        // release: pairs with the acquire in lock().
        is_locked_.store(false, std::memory_order_release);
    }

private:
    [[gnu::cold]] void lock_slow() noexcept;
#ifdef NDEBUG
    void note_locked() noexcept {}
    void note_unlocked() noexcept {}
#else
    void note_locked() noexcept;  // asserts the rank order
    void note_unlocked() noexcept;
#endif

    std::atomic<bool> is_locked_{false};
    lock_rank rank_;
};

}  // namespace v1
}  // namespace memwatch
