// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which page edges hold a block from allocate_sampled: one bit a page, two levels. Exact, so a free is never guessed: the bit
// says how the block was obtained, even when its record has been thinned away.
//
//   address 0x7f31'c2a4'e000 -> page 0x7f31c2a4e -> leaf 0x7f31 (one of 2^16), bit 0xc2a4e (one of 2^20) of its 128 KiB
//
// Leaves cover 4 GiB of address space each and are reserved on first use: a heap has one or two. Nothing is ever unmapped.
// Behind the bits of a leaf, 2 MiB of address space say which tag each page's block was allocated under, so that a free under
// another one is noticed (and does not leave the record behind); touched where blocks are that have a tag.
// Beside the map, freed one-page blocks wait in a bounded cache for the next sample.
//
// There are two: one for blocks that tracked_allocator takes from operator new, one for blocks that malloc hands out when it is
// interposed. A tracked block passes through malloc, so the two must not share a bit; what their pages waste shares a budget.

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/spin_lock.hpp"
#include "capture/edge_budget.hpp"
#include "model/drop_reason.hpp"

namespace memwatch {
inline namespace v1 {

class edge_map {
public:
    edge_map(loss_counters& losses, edge_budget& waste) noexcept : losses_(losses), waste_(waste) {}

    // False: no memory for the leaf; the block must not be used as an edge block. [hook]
    [[nodiscard]] bool set(const void* address) noexcept;
    [[nodiscard]] bool set(const void* address, std::uint16_t owner) noexcept;
    // Clears the bit and says whether it was set. `address` is at an edge (is_edge): offset 0 or, behind glibc's header of a
    // large block, 16. A page with its bit set belongs to that one block, so no other block's address can meet it. [hook]
    [[nodiscard]] bool take(const void* address) noexcept;
    // Also says which owner it was set with.
    [[nodiscard]] bool take(const void* address, std::uint16_t& owner) noexcept;
    [[nodiscard]] bool contains(const void* address) const noexcept;  // [hook]

    // Each stretch of address space, from a multiple of its size on, in which there ever was a block.
    static constexpr std::uint64_t stretch_bytes = std::uint64_t{128} << 20U;
    void visit_stretches(void (*each)(void* context, std::uint64_t begin), void* context) const noexcept;
    // Each page whose bit is set, at some moment of the call.
    void visit(void (*each)(void* context, void* page), void* context) const noexcept;

    // One page from the cache, or null. [hook]
    [[nodiscard]] void* take_cached() noexcept;
    // False: the cache is full (or `is_open` is not), give the page back. [hook]
    [[nodiscard]] bool keep_cached(void* page) noexcept;
    // Stops or starts keeping pages; what is kept is handed out until it is used up.
    void open_cache(bool is_open) noexcept;
    // Gives pages of the map back that hold no bit any more, when there are more than a few: a heap of many arenas is spread
    // over many. Walks the map: not in a hook.
    void release_empty_pages() noexcept;
    // Keeps no more pages than `most` (64 at most) from now on.
    void limit_cache(std::size_t most) noexcept;

    // Owners and cached pages. Touched pages of bits are on the account of what edges waste: a map spread thin makes edges
    // dear.
    [[nodiscard]] std::size_t self_bytes() noexcept;
    [[nodiscard]] spin_lock& lock() noexcept { return cache_lock_; }

private:
    static constexpr std::size_t leaf_count = 1U << 16U;  // 2^48 bytes of user addresses / 4 GiB
    static constexpr std::size_t pages_per_leaf = 1U << 20U;
    static constexpr std::size_t cache_capacity = 64;  // 256 KiB

    using word = std::atomic<std::uint64_t>;
    using owner_word = std::atomic<std::uint16_t>;
    [[nodiscard]] static owner_word& owner_in(word* leaf, std::uint64_t page) noexcept;
    [[nodiscard]] bool is_empty(const word* bits) const noexcept;
    [[nodiscard]] word* leaf(std::uint64_t page) const noexcept;
    [[nodiscard]] word* leaf_or_reserve(std::uint64_t page) noexcept;
    void count_touch(std::uint64_t page) noexcept;

    loss_counters& losses_;
    edge_budget& waste_;
    std::atomic<word*> leaves_[leaf_count]{};           // 512 KiB of address space, touched where used
    std::atomic<std::uint32_t> used_[leaf_count]{};     // which of the 32 stretches of a leaf ever held a sampled block
    std::atomic<std::uint32_t> touched_[leaf_count]{};  // which of the 32 pages of a leaf's bits were ever written; likewise
    std::atomic<std::size_t> touched_pages_{0};         // the sum
    std::atomic<std::size_t> owner_stores_{0};          // 0: no page of owners was ever written; for self_bytes()
    void* cache_[cache_capacity]{};                     // guarded by cache_lock_
    std::size_t cached_{0};                             // guarded by cache_lock_
    std::size_t most_cached_{cache_capacity};           // guarded by cache_lock_
    bool is_cache_open_{true};                          // guarded by cache_lock_
    spin_lock cache_lock_{lock_rank::edge_cache};
};

}  // namespace v1
}  // namespace memwatch
