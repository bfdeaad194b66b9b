// SPDX-License-Identifier: Apache-2.0
#pragma once
// The records of full mode: 20 bytes a live block, in one reservation that is touched as it fills. A record is found by its
// index, which the block carries; nothing is looked up by address and nothing ever moves.
//
//   group = 5 cache lines = 16 records          slot, 16 B                                      context, 4 B
//   +------+------+-- ... --+------+            +----------------------+--------+--------+      +---------------------------+
//   | slot | slot |         | slot |  4 lines   | address/8 : 45 | site:19 | size  | time |      | thread:12 | time:4 |
//   trace:16 |
//   +------+------+-- ... --+------+            +----------------------+--------+--------+      +---------------------------+
//   | ctx | ctx | ...       | ctx  |  1 line       0 = free               bytes   ms since the origin, its bits 32..35 in the
//   context
//
// Publication: size, time and context are written first, the word with the address last (release); death clears the word. A
// free slot's `size` is the index of the next free record. Free records travel in chains of 256: a lane takes one and gives
// one, so that a thread that only frees feeds one that only allocates, at one lock in 256 operations.
//
// Corruption: a program that frees a block twice at the same instant on two threads may enter an index into two chains. take()
// believes a link only of a slot that is free, so this costs records (at most a chain), never a wild access.

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/spin_lock.hpp"

namespace memwatch {
inline namespace v1 {

struct ledger_slot {
    std::atomic<std::uint64_t> word;  // 0 = free
    std::atomic<std::uint32_t> size;  // bytes, or ledger_records::large_size; of a free slot: the next free record
    std::atomic<std::uint32_t> time;  // low 32 bits; of a chain's head in the pool: the next chain
};

class ledger_records {
public:
    static constexpr std::uint32_t group_size = 16;
    static constexpr std::uint32_t first_index = group_size;  // group 0 is not used: index 0 means "no record"
    static constexpr std::uint32_t chain_length = 256;
    static constexpr std::uint32_t most_records = 1U << 27U;  // the snapshot's sequence number holds 27 bits of it
    static constexpr std::uint32_t large_size = 0xFFFF'FFFF;  // the size is in a list of its own
    static constexpr unsigned site_bits = 19;
    static constexpr std::uint32_t most_sites = 1U << site_bits;

    struct group {
        ledger_slot slots[group_size];
        std::atomic<std::uint32_t> contexts[group_size];
    };
    static_assert(sizeof(group) == 320, "20 bytes a block");

    // A chain of free records: `head` and the `count` - 1 that it links to.
    struct chain {
        std::uint32_t head;
        std::uint32_t count;
    };

    // How many records, first_index included, `bytes` of memory hold.
    [[nodiscard]] static std::uint32_t capacity_of(std::size_t bytes) noexcept;

    // `memory` is zeroed and holds `capacity` records. Once.
    void open(void* memory, std::uint32_t capacity) noexcept;
    // Forgets every record and gives the memory back. Nobody else may be at work.
    void clear() noexcept;

    // Any number is legal.
    [[nodiscard]] bool contains(std::uint32_t index) const noexcept { return index - first_index < capacity_ - first_index; }
    [[nodiscard]] ledger_slot& slot(std::uint32_t index) const noexcept {
        return groups_[index / group_size].slots[index % group_size];
    }
    [[nodiscard]] std::atomic<std::uint32_t>& context(std::uint32_t index) const noexcept {
        return groups_[index / group_size].contexts[index % group_size];
    }
    // Records ever used are first_index .. carved() - 1. acquire: pairs with the release in take().
    [[nodiscard]] std::uint32_t carved() const noexcept { return carved_.load(std::memory_order_acquire); }
    [[nodiscard]] std::size_t used_bytes() const noexcept { return carved() / group_size * sizeof(group); }

    // Some free records; {0, 0}: the budget is used up. [hook]
    [[nodiscard]] chain take() noexcept;
    void give(const chain& free) noexcept;
    void give_locked(const chain& free) noexcept;  // caller holds lock()

    // Sizes of 4 GiB and more. False: the list is full. [hook]
    bool set_large_size(std::uint32_t index, std::uint64_t bytes) noexcept;
    [[nodiscard]] std::uint64_t large_size_of(std::uint32_t index) noexcept;
    void forget_large_size(std::uint32_t index) noexcept;

    [[nodiscard]] spin_lock& lock() noexcept { return lock_; }  // for fork()

    // --- the word
    [[nodiscard]] static bool is_recordable(const void* block) noexcept {
        return block != nullptr && (reinterpret_cast<std::uint64_t>(block) & 7U) == 0 &&
               reinterpret_cast<std::uint64_t>(block) >> 48U == 0;
    }
    [[nodiscard]] static std::uint64_t make_word(const void* block, std::uint32_t site) noexcept {
        return reinterpret_cast<std::uint64_t>(block) / 8 << site_bits | site;
    }
    [[nodiscard]] static bool names(std::uint64_t word, const void* block) noexcept {
        return word >> site_bits == reinterpret_cast<std::uint64_t>(block) / 8 && word != 0;
    }
    [[nodiscard]] static std::uint32_t site_of(std::uint64_t word) noexcept {
        return static_cast<std::uint32_t>(word) & (most_sites - 1);
    }

private:
    struct large_block {
        std::uint32_t index;  // 0 = unused
        std::uint64_t bytes;
    };
    static constexpr std::size_t most_large_blocks = 256;  // 1 TiB of them

    [[nodiscard]] chain carve(std::uint32_t first, std::uint32_t count) noexcept;

    group* groups_{nullptr};
    std::uint32_t capacity_{first_index};
    std::atomic<std::uint32_t> carved_{first_index};
    std::atomic<bool> is_empty_{false};  // a hint: the last take() found nothing
    std::uint32_t chains_{0};            // head of the first chain given back. Guarded by lock_
    spin_lock lock_{lock_rank::ledger_pool};
    large_block large_[most_large_blocks]{};  // guarded by lock_
};

}  // namespace v1
}  // namespace memwatch
