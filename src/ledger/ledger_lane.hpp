// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a thread writes in full mode without asking anybody: a lane. Its free records, the trace it works for, and a cell of
// counters for each site. One writer (its thread), plain loads and stores; the control lane reads.
//
//   lane 3  | busy | free: 41 -> 17 -> 90 ... (<= 256) | spare chain of 256 | traces | cells --> [site 0][site 1][site 2] ...
//
// A death that finds its record far away (last_born is near) is announced to the cache and waits in `pending`: when eight more
// have come it is completed, and the record is there. Whoever looks at counts or records completes what waits behind the gate.
//
// Counters go up only. They stay when the thread ends, and whoever gets the lane next counts on.

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <memwatch/model/snapshot.hpp>
#include "ledger/trace_contexts.hpp"
#include "model/record.hpp"

namespace memwatch {
inline namespace v1 {

// Counters of one site in one lane.
struct ledger_cell {
    std::atomic<std::uint64_t> allocated_bytes;
    std::atomic<std::uint64_t> allocations;
    std::atomic<std::uint64_t> freed_bytes;
    std::atomic<std::uint64_t> lifetime_ms;      // sum
    std::atomic<std::uint64_t> elsewhere_bytes;  // of the freed, by another thread than allocated them
    std::atomic<std::uint64_t> elsewhere_frees;
    std::atomic<std::uint64_t> frees[lifetime_bucket_count];  // by lifetime; all of them together are the frees
};
static_assert(sizeof(ledger_cell) == 144);

// A counter with one writer: a plain load and store, never a locked instruction.
inline void count_owned(std::atomic<std::uint64_t>& counter, std::uint64_t amount, std::memory_order order) noexcept {
    // relaxed: only this thread writes it, so it reads back its own last store.
    counter.store(counter.load(std::memory_order_relaxed) + amount, order);
}

struct alignas(64) ledger_lane {
    struct known_trace {
        trace_label label;
        std::uint16_t number;  // 0 = none
    };
    static constexpr std::size_t known_traces = 8;
    struct pending_death {
        std::uint64_t block;
        std::uint64_t due;  // when it died, ms << 27 | index of the record; 0 = none
    };
    static constexpr std::size_t most_pending = 8;

    std::atomic<std::uint32_t> busy;  // 1: its thread is between enter() and leave()
    std::uint32_t free_head;          // owner, or the control lane behind the gate; as all below unless said otherwise
    std::uint32_t free_count;
    std::uint32_t spare_head;    // a full chain; 0 = none
    std::uint32_t thread;        // index in the thread table
    std::uint32_t last_born;     // the record of its youngest block; 0 = none
    std::uint32_t next_pending;  // modulo most_pending: the oldest
    bool is_leased;              // guarded by the ledger's lane lock
    std::uint64_t stack_begin;   // of its thread
    std::uint64_t stack_bytes;   // 0 = unknown: stacks are walked, not remembered
    ledger_cell* cells;
    pending_death pending[most_pending];
    known_trace traces[known_traces];
};

}  // namespace v1
}  // namespace memwatch
