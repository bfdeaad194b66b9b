// SPDX-License-Identifier: Apache-2.0
#include "ledger/stack_memo.hpp"

#include <algorithm>
#include <mutex>

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::size_t bytes_a_set = 1024;  // four entries of some twenty frames

std::size_t sets_for(std::size_t arena_bytes) noexcept {
    std::size_t sets = 16;
    while (sets * bytes_a_set < arena_bytes) { sets *= 2; }
    return sets;
}

}  // namespace

std::size_t stack_memo::memory_bytes(std::size_t arena_bytes) noexcept {
    return sets_for(arena_bytes) * sizeof(way_set) + arena_bytes;
}

void stack_memo::open(void* memory, std::size_t arena_bytes) noexcept {
    const std::size_t sets = sets_for(arena_bytes);
    sets_ = static_cast<way_set*>(memory);
    mask_ = sets - 1;
    shift_ = 64U - static_cast<unsigned>(__builtin_ctzll(sets));
    arena_ = reinterpret_cast<std::byte*>(sets_ + sets);
    arena_bytes_ = arena_bytes;
}

void stack_memo::clear() noexcept {
    const std::lock_guard guard(lock_);
    for (std::size_t i = 0; sets_ != nullptr && i <= mask_; ++i) {
        // relaxed: nobody else is at work.
        for (std::atomic<std::uint64_t>& way : sets_[i].ways) { way.store(0, std::memory_order_relaxed); }
        sets_[i].asked.store(0, std::memory_order_relaxed);  // relaxed: as above
    }
    used_.store(0, std::memory_order_relaxed);         // relaxed: as above
    is_full_.store(false, std::memory_order_relaxed);  // relaxed: as above
}

// Places by the way in which they are compared, padded to fours by repetition.
struct stack_memo::plan {
    std::uint32_t pairs[walked_stack::most_frames + 4];  // where a frame pointer lies below its return address
    std::uint32_t alone[walked_stack::most_frames + 4];  // return addresses
    std::uint32_t bases[walked_stack::most_frames + 4];  // frame pointers
    std::uint32_t pair_count{0};
    std::uint32_t alone_count{0};
    std::uint32_t base_count{0};
    bool is_pointer_checked{false};

    explicit plan(const walked_stack& stack) noexcept {
        for (std::uint32_t i = 1; i < stack.depth; ++i) {
            const std::uint32_t below = stack.slots[i] - 8;
            if (stack.slots[i] >= 8 && needs_base(stack, below)) {
                pairs[pair_count++] = below;
            } else {
                alone[alone_count++] = stack.slots[i];
            }
        }
        for (std::uint32_t i = 1; stack.bases != nullptr && i < stack.depth; ++i) {
            is_pointer_checked |= stack.bases[i] == in_register;
            if (stack.bases[i] < in_register && !has_pair(stack.bases[i])) { bases[base_count++] = stack.bases[i]; }
        }
        pad(pairs, pair_count);
        pad(alone, alone_count);
        pad(bases, base_count);
    }
    [[nodiscard]] std::size_t bytes() const noexcept {
        return sizeof(remembered) + pair_count / 4 * sizeof(check_pairs) + alone_count / 4 * sizeof(check_four) +
               base_count * sizeof(check_base);
    }

private:
    static bool needs_base(const walked_stack& stack, std::uint32_t place) noexcept {
        const std::uint32_t* const end = stack.bases + (stack.bases == nullptr ? 0 : stack.depth);
        return std::find(stack.bases + (stack.bases == nullptr ? 0 : 1), end, place) != end;
    }
    [[nodiscard]] bool has_pair(std::uint32_t place) const noexcept {
        return std::find(pairs, pairs + pair_count, place) != pairs + pair_count;
    }
    static void pad(std::uint32_t* places, std::uint32_t& count) noexcept {
        for (; count % 4 != 0; ++count) { places[count] = places[0]; }
    }
};

// An entry in the arena, not yet to be found; null when there is no room. Under lock_.
MEMWATCH_READS_STACK inline stack_memo::remembered* stack_memo::make(const place& at, const walked_stack& stack,
                                                                     std::uint32_t site) noexcept {
    const plan planned(stack);
    // relaxed: changes under the lock, which is held.
    const std::size_t used = used_.load(std::memory_order_relaxed);
    if (planned.bytes() > arena_bytes_ - used) { return nullptr; }
    used_.store(used + planned.bytes(), std::memory_order_relaxed);  // relaxed: as above

    const auto* const entry = reinterpret_cast<const char*>(at.entry);
    const auto base = reinterpret_cast<std::uint64_t>(entry);
    auto* const kept = reinterpret_cast<remembered*>(arena_ + used);
    *kept = {*at.entry,
             at.distance,
             at.frame_pointer - base,
             site,
             static_cast<std::uint8_t>(planned.pair_count),
             static_cast<std::uint8_t>(planned.alone_count),
             static_cast<std::uint8_t>(planned.base_count),
             planned.is_pointer_checked};
    auto* const pairs = reinterpret_cast<check_pairs*>(kept + 1);
    for (std::uint32_t i = 0; i < planned.pair_count; ++i) {
        pairs[i / 4].values[i % 4][0] = word_above(entry, planned.pairs[i]) - base;
        pairs[i / 4].values[i % 4][1] = word_above(entry, planned.pairs[i] + 8);
        pairs[i / 4].offsets[i % 4] = planned.pairs[i];
    }
    auto* const fours = reinterpret_cast<check_four*>(pairs + planned.pair_count / 4);
    for (std::uint32_t i = 0; i < planned.alone_count; ++i) {
        fours[i / 4].values[i % 4] = word_above(entry, planned.alone[i]);
        fours[i / 4].offsets[i % 4] = planned.alone[i];
    }
    auto* const bases = reinterpret_cast<check_base*>(fours + planned.alone_count / 4);
    for (std::uint32_t i = 0; i < planned.base_count; ++i) {
        bases[i] = {word_above(entry, planned.bases[i]) - base, planned.bases[i]};
    }
    return kept;
}

MEMWATCH_READS_STACK inline stack_memo::way_set& stack_memo::set_of(const place& at) const noexcept {
    return sets_[hash_of(at, *at.entry) >> shift_];
}

bool stack_memo::admits(const place& at) noexcept {
    if (is_full()) { return false; }
    std::atomic<std::uint32_t>& asked = set_of(at).asked;
    // relaxed, both: a number that may miss some.
    const std::uint32_t before = asked.load(std::memory_order_relaxed);
    asked.store(before + 1, std::memory_order_relaxed);  // relaxed: as above
    return before < free_adds || before % rare_adds == 0;
}

bool stack_memo::add(const place& at, const walked_stack& stack, std::uint32_t site) noexcept {
    if (is_full()) { return false; }
    const std::lock_guard guard(lock_);
    if (find(at) != no_site) { return true; }  // another thread was here first
    const remembered* const kept = make(at, stack, site);
    if (kept == nullptr) {
        is_full_.store(true, std::memory_order_relaxed);  // relaxed: a hint
        return false;
    }
    const std::uint64_t hash = hash_of(at, kept->return_address);
    way_set& set = sets_[hash >> shift_];
    // The oldest makes room: entries move up one way. A reader that misses one for that moment walks its stack.
    for (std::size_t i = ways - 1; i > 0; --i) {
        // relaxed: ways change under the lock, which is held; release: pairs with the acquire in find().
        set.ways[i].store(set.ways[i - 1].load(std::memory_order_relaxed), std::memory_order_release);
    }
    // release: pairs with the acquire in find().
    set.ways[0].store(reinterpret_cast<std::uint64_t>(kept) | hash << 24U >> 48U << 48U, std::memory_order_release);
    return true;
}

}  // namespace v1
}  // namespace memwatch
