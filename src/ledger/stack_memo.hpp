// SPDX-License-Identifier: Apache-2.0
#pragma once
// Stacks that were walked before, recognised without walking: where each return address lay, and what it was.
//
//   key    return address into the caller (*entry), distance from `entry` to the end of the thread's stack
//   entry  site 812 | 19 checks | offsets  24   88  136 ...    "entry + 24 holds 0x55..1a40, entry + 88 holds 0x55..2210, ..."
//
// find() reads those places again and compares: independent loads, some 7 ns for twenty frames, no hash over the frames, no
// interning. Why equal values prove the stack: the rules of the code at a return address (.eh_frame) give the place of the next
// return address as a fixed distance from the stack pointer there. The first return address is the key and its stack pointer is
// `entry`; so, one after the other, each place is where the walk would look, and what lies there is compared. A frame whose
// place follows from its frame pointer instead is compared with one check more: the saved frame pointer must lie as far from
// `entry` as it did then (README.md, "Why the memo is exact").
//
// Reads stay within the thread's stack: an entry is only made when all places lie below the stack's end, the distance to it is
// part of the key, and the caller has made sure that `entry` is on that stack.
//
// Threads: find() any, lock-free; add() takes one lock. Entries do not change; clear() needs everybody else to be away.

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/spin_lock.hpp"

namespace memwatch {
inline namespace v1 {

// A walk that may be remembered. Places are bytes above `entry`.
struct walked_stack {
    static constexpr std::uint32_t most_frames = 64;
    const std::uint64_t* frames;  // frames[0] = *entry
    const std::uint32_t* slots;   // where each frame was read; slots[0] = 0
    const std::uint32_t* bases;  // where a frame pointer that was needed had been saved; or no_base, or in_register. Null: none
    std::uint32_t depth;
};

class stack_memo {
public:
    static constexpr std::uint32_t no_site = 0xFFFF'FFFF;
    static constexpr std::uint32_t no_base = 0xFFFF'FFFF;      // found through the stack pointer
    static constexpr std::uint32_t in_register = 0xFFFF'FFFE;  // the frame pointer was still in its register

    // The stack to look at, as capture found it. `distance`: from entry to the end of the thread's stack.
    struct place {
        const std::uint64_t* entry;
        std::uint64_t frame_pointer;
        std::uint64_t distance;
    };

    // Zeroed bytes for `arena_bytes` of entries.
    [[nodiscard]] static std::size_t memory_bytes(std::size_t arena_bytes) noexcept;
    void open(void* memory, std::size_t arena_bytes) noexcept;

    [[nodiscard]] std::uint32_t find(const place& at) const noexcept;
    // Whether to add() the stack at `at`, which find() missed. Where more stacks come by than a set holds, few are let in: the
    // others would only push each other out, and fill the arena.
    [[nodiscard]] bool admits(const place& at) noexcept;
    // False: no room left; clear() makes some.
    bool add(const place& at, const walked_stack& stack, std::uint32_t site) noexcept;
    // Nobody else may be in find() or add().
    void clear() noexcept;

    // relaxed: a hint.
    [[nodiscard]] bool is_full() const noexcept { return is_full_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::size_t used_bytes() const noexcept {
        return used_.load(std::memory_order_relaxed) + (mask_ + 1) * sizeof(way_set);  // relaxed: a figure for reports
    }
    [[nodiscard]] spin_lock& lock() noexcept { return lock_; }  // for fork()

private:
    static constexpr std::size_t ways = 6;
    static constexpr std::uint32_t free_adds = 12;  // from then on one in `rare_adds` is let in
    static constexpr std::uint32_t rare_adds = 64;
    struct alignas(64) way_set {
        std::atomic<std::uint64_t> ways[stack_memo::ways];  // entry's address | 16 bits of the hash << 48; 0 = none
        std::atomic<std::uint32_t> asked;                   // how often admits() was
    };
    // Followed by `pairs` / 4 of check_pairs, `checks` / 4 of check_four, then `bases` of check_base.
    // A return address and the frame pointer that was saved beside it (as its distance from entry), in one comparison.
    struct check_pairs {
        std::uint64_t values[4][2];
        std::uint32_t offsets[4];  // of the frame pointer
    };
    struct check_four {
        std::uint64_t values[4];
        std::uint32_t offsets[4];
    };
    struct check_base {
        std::uint64_t delta;  // what lies there - entry
        std::uint64_t offset;
    };
    struct remembered {
        std::uint64_t return_address;
        std::uint64_t distance;
        std::uint64_t frame_pointer_delta;  // frame pointer - entry, when is_pointer_checked
        std::uint32_t site;
        std::uint8_t pairs;   // a multiple of 4, as the next two
        std::uint8_t checks;  // return addresses alone
        std::uint8_t bases;   // saved frame pointers alone
        bool is_pointer_checked;
    };

    [[nodiscard]] static std::uint64_t hash_of(const place& at, std::uint64_t return_address) noexcept {
        return (return_address ^ at.distance << 32U) * 0x9E37'79B9'7F4A'7C15ULL;
    }
    struct plan;  // how a stack will be compared
    [[nodiscard]] static bool fits(const remembered& known, const place& at) noexcept;
    [[nodiscard]] way_set& set_of(const place& at) const noexcept;
    [[nodiscard]] remembered* make(const place& at, const walked_stack& stack, std::uint32_t site) noexcept;

    way_set* sets_{nullptr};
    std::size_t mask_{0};
    unsigned shift_{0};
    std::byte* arena_{nullptr};
    std::size_t arena_bytes_{0};
    std::atomic<std::size_t> used_{0};  // of the arena; changes under lock_
    std::atomic<bool> is_full_{false};
    spin_lock lock_{lock_rank::ledger_memo};
};

// Reads the words of this thread's own stack, which belong to other functions' frames.
#define MEMWATCH_READS_STACK __attribute__((no_sanitize("address", "thread", "undefined"), always_inline))

// The word at `offset` above `entry`, in a register of its own: left alone, compilers gather four of them into a vector, which
// takes four times the instructions.
MEMWATCH_READS_STACK inline std::uint64_t word_above(const char* entry, std::uint64_t offset) noexcept {
    std::uint64_t word = *reinterpret_cast<const std::uint64_t*>(entry + offset);
    asm("" : "+r"(word));
    return word;
}

using word_pair = std::uint64_t __attribute__((vector_size(16), aligned(8), may_alias));

MEMWATCH_READS_STACK inline word_pair pair_at(const void* place) noexcept { return *static_cast<const word_pair*>(place); }

MEMWATCH_READS_STACK inline bool stack_memo::fits(const remembered& known, const place& at) noexcept {
    const auto* const entry = reinterpret_cast<const char*>(at.entry);
    if (known.return_address != *at.entry || known.distance != at.distance) { return false; }
    const auto base = reinterpret_cast<std::uint64_t>(entry);
    const word_pair from{base, 0};
    const auto* pairs = reinterpret_cast<const check_pairs*>(&known + 1);
    const auto* const pairs_end = pairs + known.pairs / 4;
    for (; pairs != pairs_end; ++pairs) {
        word_pair differ = (pair_at(entry + pairs->offsets[0]) - from) ^ pair_at(pairs->values[0]);
        differ |= (pair_at(entry + pairs->offsets[1]) - from) ^ pair_at(pairs->values[1]);
        differ |= (pair_at(entry + pairs->offsets[2]) - from) ^ pair_at(pairs->values[2]);
        differ |= (pair_at(entry + pairs->offsets[3]) - from) ^ pair_at(pairs->values[3]);
        if ((differ[0] | differ[1]) != 0) { return false; }  // predicted: the loads of the next four do not wait for it
    }
    const auto* four = reinterpret_cast<const check_four*>(pairs_end);
    const auto* const fours_end = four + known.checks / 4;
    std::uint64_t differs = 0;
    std::uint64_t differs_too = 0;
    for (; four != fours_end; ++four) {
        differs |= word_above(entry, four->offsets[0]) ^ four->values[0];
        differs_too |= word_above(entry, four->offsets[1]) ^ four->values[1];
        differs |= word_above(entry, four->offsets[2]) ^ four->values[2];
        differs_too |= word_above(entry, four->offsets[3]) ^ four->values[3];
        if ((differs | differs_too) != 0) { return false; }  // as above
    }
    const auto* saved = reinterpret_cast<const check_base*>(fours_end);
    const auto* const saved_end = saved + known.bases;
    for (; saved != saved_end; saved += 4) {
        differs |= (word_above(entry, saved[0].offset) - base) ^ saved[0].delta;
        differs_too |= (word_above(entry, saved[1].offset) - base) ^ saved[1].delta;
        differs |= (word_above(entry, saved[2].offset) - base) ^ saved[2].delta;
        differs_too |= (word_above(entry, saved[3].offset) - base) ^ saved[3].delta;
    }
    if (known.is_pointer_checked) { differs |= (at.frame_pointer - base) ^ known.frame_pointer_delta; }
    return (differs | differs_too) == 0;
}

MEMWATCH_READS_STACK inline std::uint32_t stack_memo::find(const place& at) const noexcept {
    const std::uint64_t hash = hash_of(at, *at.entry);
    const way_set& set = sets_[hash >> shift_];
    const std::uint64_t tag = hash << 24U >> 48U;
    for (const std::atomic<std::uint64_t>& way : set.ways) {
        // acquire: pairs with the release in add(): the entry is complete.
        const std::uint64_t packed = way.load(std::memory_order_acquire);
        if (packed >> 48U != tag || packed == 0) { continue; }
        const auto* const known = reinterpret_cast<const remembered*>(packed << 16U >> 16U);
        if (fits(*known, at)) { return known->site; }
    }
    return no_site;
}

}  // namespace v1
}  // namespace memwatch
