// SPDX-License-Identifier: Apache-2.0
#pragma once
// A lock-free list of slot numbers, last in first out. The links live in the owner's slots and the head is one word, so taking
// and giving back are one compare-and-exchange each, and one more bit in the same word says that somebody watches the list:
//
//   63            32  31      30           0        slot 7 { link: 3 }   slot 2 { link: 0 }
//   |  version 41  | watched |  slot + 1: 8 |  -->  slots 7, 2             0 = the end
//
// A push onto a watched list is refused in the very step that would have linked it: the owner then takes its own lock, pushes
// under it and wakes whoever waits. Because "empty" and "watched" are one word, nobody can start to wait and miss a push, and
// whoever pushed without the lock never touches the list again: its owner may be gone by then.
//
// The version counts pops: a popper that stands still could only be fooled by exactly a multiple of 2^32 pops of others,
// minutes of nothing else. Threads: any. Never allocates. Model: tests/unit/base/slot_list_test.cpp goes through all
// interleavings.

#include <atomic>
#include <cstdint>

namespace memwatch {
inline namespace v1 {

class slot_list {
public:
    using link = std::atomic<std::uint32_t>;  // the next slot + 1; 0 = the end
    static constexpr std::uint32_t max_slots = 1U << 30U;

    // Takes the slot that came last; `link_of(i)` is the link of slot i, which stays readable forever. False: empty.
    template <class LinkOf>
    [[nodiscard]] bool try_pop(std::uint32_t& slot, LinkOf link_of) noexcept {
        // acquire: pairs with the pushes: what the last owner of the slot did to it is over.
        std::uint64_t seen = head_.load(std::memory_order_acquire);
        while (first_of(seen) != 0) {
            if (exchange_popped(seen, link_of)) {
                slot = first_of(seen) - 1;
                return true;
            }
        }
        return false;
    }

    // As try_pop(), but an empty list is watched from the same instant on. The caller holds the owner's lock.
    template <class LinkOf>
    [[nodiscard]] bool pop_or_watch(std::uint32_t& slot, LinkOf link_of) noexcept {
        // acquire: pairs with the pushes, as above.
        std::uint64_t seen = head_.load(std::memory_order_acquire);
        for (;;) {
            if (first_of(seen) != 0) {
                if (!exchange_popped(seen, link_of)) { continue; }
                slot = first_of(seen) - 1;
                return true;
            }
            // acq_rel, acquire: pairs with the pushes, as in exchange_popped().
            if (head_.compare_exchange_weak(seen, seen | watched_bit, std::memory_order_acq_rel, std::memory_order_acquire)) {
                return false;
            }
        }
    }

    // False: the list is watched and nothing happened. Push with the owner's lock held.
    [[nodiscard]] bool try_push(std::uint32_t slot, link& link_of_slot) noexcept {
        // relaxed: only linked in by the exchange, which looks again.
        std::uint64_t seen = head_.load(std::memory_order_relaxed);
        do {
            if ((seen & watched_bit) != 0) { return false; }
        } while (!exchange_pushed(seen, slot, link_of_slot));
        return true;
    }

    void push(std::uint32_t slot, link& link_of_slot) noexcept {
        // relaxed: as above.
        std::uint64_t seen = head_.load(std::memory_order_relaxed);
        while (!exchange_pushed(seen, slot, link_of_slot)) {}
    }

    // With the owner's lock held. acq_rel: pairs with the pushes: who watches sees all that was pushed without the lock.
    void watch() noexcept { head_.fetch_or(watched_bit, std::memory_order_acq_rel); }
    void unwatch() noexcept { head_.fetch_and(~watched_bit, std::memory_order_acq_rel); }  // acq_rel: pairs as above

    // How many are in the list. Nobody pops meanwhile, and pushing is held off by watch() and the owner's lock.
    template <class LinkOf>
    [[nodiscard]] std::size_t length(LinkOf link_of) const noexcept {
        std::size_t count = 0;
        // acquire: pairs with the pushes, as in try_pop(). relaxed: the links were published by the head.
        std::uint32_t next = first_of(head_.load(std::memory_order_acquire));
        for (; next != 0; ++count) { next = link_of(next - 1).load(std::memory_order_relaxed); }
        return count;
    }

private:
    static constexpr std::uint64_t watched_bit = 1ULL << 31U;
    static constexpr std::uint64_t first_mask = watched_bit - 1;
    static constexpr std::uint64_t one_version = 1ULL << 32U;

    [[nodiscard]] static std::uint32_t first_of(std::uint64_t head) noexcept {
        return static_cast<std::uint32_t>(head & first_mask);
    }

    template <class LinkOf>
    [[nodiscard]] bool exchange_popped(std::uint64_t& seen, LinkOf link_of) noexcept {
        // relaxed: a link that somebody rewrote since belongs to a head that has another version by now.
        const std::uint64_t next = link_of(first_of(seen) - 1).load(std::memory_order_relaxed);
        const std::uint64_t popped = ((seen & ~first_mask) + one_version) | next;
        // acq_rel: pairs with the pushes; acquire: the same for the next attempt.
        return head_.compare_exchange_weak(seen, popped, std::memory_order_acq_rel, std::memory_order_acquire);
    }

    [[nodiscard]] bool exchange_pushed(std::uint64_t& seen, std::uint32_t slot, link& link_of_slot) noexcept {
        link_of_slot.store(first_of(seen), std::memory_order_relaxed);  // relaxed: published by the exchange
        // acq_rel: pairs with the pops and with watch(): what the slot's last owner did to it is over. relaxed: looks again.
        return head_.compare_exchange_weak(seen, (seen & ~first_mask) | (slot + 1), std::memory_order_acq_rel,
                                           std::memory_order_relaxed);
    }

    std::atomic<std::uint64_t> head_{0};
};

}  // namespace v1
}  // namespace memwatch
