// SPDX-License-Identifier: Apache-2.0
#pragma once
// A tag names who owns memory: "order-cache", "sessions". Allocations under a tag are counted exactly, each of them, whether or
// not anything is sampled; the tag is written down when memory is allocated and is never inferred when it is freed.
//
// A tag is an interned handle with process lifetime: equal names are the same tag, copying is free, and making one costs a
// hash look-up. Counting is two additions in the thread's own row, 2 ns or less (tests/bench/hot_path_bench.cpp).
// Exactness: when no thread is allocating, to the byte. While threads run: each counter is a value it really had, and freed is
// never ahead of allocated.

#include <cstddef>
#include <string_view>

#include <memwatch/base/export.hpp>
#include <memwatch/capture/thread_block.hpp>
#include <memwatch/model/snapshot.hpp>

namespace memwatch {
inline namespace v1 {

class tag {
public:
    constexpr tag() noexcept = default;  // the untagged tag
    // Names longer than 120 bytes are cut. When all 1,024 tags are taken, the result is the tag "other" and the loss is
    // counted.
    MEMWATCH_API explicit tag(std::string_view name) noexcept;
    // Likewise, and says how much growth under it matters beside other growth, 0 to 1 (0.5 unless stated): a term of the
    // ranking of diffs (diff/ranking.hpp). Stated differently in two places, the larger one holds; option tag_weights overrides
    // both. A weight that is not from 0 to 1 is refused with a warning in the log.
    MEMWATCH_API tag(std::string_view name, double weight) noexcept;

    [[nodiscard]] constexpr tag_id id() const noexcept { return id_; }
    [[nodiscard]] MEMWATCH_API std::string_view name() const noexcept;

    // Sums the rows of all threads. Threads: any. Complexity: number of threads that ever ran at once.
    [[nodiscard]] MEMWATCH_API tag_totals totals() const;

    friend constexpr bool operator==(tag a, tag b) noexcept { return a.id_ == b.id_; }
    friend constexpr bool operator!=(tag a, tag b) noexcept { return a.id_ != b.id_; }

private:
    tag_id id_{};
};

namespace detail {

[[gnu::cold]] MEMWATCH_API void count_allocation_slow(tag_id owner, std::size_t bytes) noexcept;
[[gnu::cold]] MEMWATCH_API void count_free_slow(tag_id owner, std::size_t bytes) noexcept;

// A counter with one writer: a plain load and store, never a locked instruction.
inline void add_owned(std::atomic<std::uint64_t>& counter, std::uint64_t amount, std::memory_order order) noexcept {
    // relaxed: only this thread writes it, so it reads back its own last store.
    counter.store(counter.load(std::memory_order_relaxed) + amount, order);
}

inline void count_allocation(tag_id owner, std::size_t bytes) noexcept {
    thread_row* const row = block_of_this_thread().row;
    if (__builtin_expect(row == nullptr, 0)) { return count_allocation_slow(owner, bytes); }
    // relaxed: published to freeze() by whatever handed the block to the thread that frees it (see count_free).
    add_owned(row->cells[owner].allocated_bytes, bytes, std::memory_order_relaxed);
    add_owned(row->cells[owner].allocations, 1, std::memory_order_relaxed);
}

// Call before the memory is given back.
inline void count_free(tag_id owner, std::size_t bytes) noexcept {
    thread_row* const row = block_of_this_thread().row;
    if (__builtin_expect(row == nullptr, 0)) { return count_free_slow(owner, bytes); }
    // release: pairs with the acquire loads in tag_table::totals(), which read frees before allocations: who sees this free
    // also sees the allocation that happened before it, on whichever thread.
    add_owned(row->cells[owner].freed_bytes, bytes, std::memory_order_release);
    add_owned(row->cells[owner].frees, 1, std::memory_order_release);
}

}  // namespace detail
}  // namespace v1
}  // namespace memwatch
