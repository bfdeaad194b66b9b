// SPDX-License-Identifier: Apache-2.0
#include "live/stack_memo.hpp"

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

// An entry in the arena, not yet to be found; null when there is no room. Under lock_.
MEMWATCH_READS_STACK inline stack_memo::remembered* stack_memo::make(const place& at, const walked_stack& stack,
                                                                     std::uint32_t site) noexcept {
    const auto base = reinterpret_cast<std::uint64_t>(at.entry);
    remembered made{*at.entry, at.distance, at.frame_pointer - base, site, 0, 0, false};
    made.checks = static_cast<std::uint16_t>((stack.depth - 1 + 3) / 4 * 4);
    for (std::uint32_t i = 1; stack.bases != nullptr && i < stack.depth; ++i) {
        made.is_pointer_checked |= stack.bases[i] == in_register;
        if (stack.bases[i] < in_register) { ++made.bases; }
    }
    made.bases = static_cast<std::uint8_t>((made.bases + 3) / 4 * 4);
    const std::size_t bytes = sizeof made + made.checks / 4 * sizeof(check_four) + made.bases * sizeof(check_base);
    // relaxed: changes under the lock, which is held.
    const std::size_t used = used_.load(std::memory_order_relaxed);
    if (bytes > arena_bytes_ - used) { return nullptr; }
    used_.store(used + bytes, std::memory_order_relaxed);  // relaxed: as above

    auto* const kept = reinterpret_cast<remembered*>(arena_ + used);
    *kept = made;
    auto* const fours = reinterpret_cast<check_four*>(kept + 1);
    for (std::uint32_t i = 0; i < made.checks; ++i) {
        const bool is_filler = i + 1 >= stack.depth;  // checks come in fours; what is compared then holds anyway
        fours[i / 4].values[i % 4] = stack.frames[is_filler ? 0 : i + 1];
        fours[i / 4].offsets[i % 4] = is_filler ? 0 : stack.slots[i + 1];
    }
    auto* const bases = reinterpret_cast<check_base*>(fours + made.checks / 4);
    std::uint32_t next = 0;
    for (std::uint32_t i = 1; stack.bases != nullptr && i < stack.depth; ++i) {
        if (stack.bases[i] >= in_register) { continue; }
        bases[next++] = {*reinterpret_cast<const std::uint64_t*>(base + stack.bases[i]) - base, stack.bases[i]};
    }
    for (; next < made.bases; ++next) { bases[next] = bases[0]; }
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
