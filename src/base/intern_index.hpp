// SPDX-License-Identifier: Apache-2.0
#pragma once
// A hash index from contents to small ids, for things that are interned once and never removed: tags, routes, types, stacks,
// sites. Look-ups are lock-free; insertions take one lock. The items themselves belong to the caller, who compares and makes
// them.
//
//   slots  [ 0 | 3 | 0 | 1 | 2 | 0 | 0 | 0 ]      0 = empty; linear probing; an id is stored once its item is complete
//
// Invariant: a slot goes from 0 to an id once, so a reader that finds an id may read its item without a lock.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "base/spin_lock.hpp"

namespace memwatch {
inline namespace v1 {

class intern_index {
public:
    static constexpr std::uint32_t none = 0;

    // Bytes of zeroed memory needed for `capacity` ids: at most half of the slots are ever used.
    [[nodiscard]] static constexpr std::size_t memory_bytes(std::size_t capacity) noexcept {
        return slot_count(capacity) * sizeof(std::atomic<std::uint32_t>);
    }

    intern_index(void* memory, std::size_t capacity) noexcept
        : slots_(static_cast<std::atomic<std::uint32_t>*>(memory)), mask_(slot_count(capacity) - 1) {}

    // The id whose item `is_equal(id)`, or none. `hash` must be the same for equal items.
    template <class IsEqual>
    [[nodiscard]] std::uint32_t find(std::uint64_t hash, IsEqual is_equal) const noexcept {
        for (std::size_t i = hash & mask_;; i = (i + 1) & mask_) {
            // acquire: pairs with the release in intern(): the item behind the id is complete.
            const std::uint32_t id = slots_[i].load(std::memory_order_acquire);
            if (id == none || is_equal(id)) { return id; }
        }
    }

    // find(), else the id that `make()` returns for the new item; make() returns none when its table is full, and so does this.
    // make() runs under the lock and at most `capacity` times in total with success.
    template <class IsEqual, class Make>
    [[nodiscard]] std::uint32_t intern(std::uint64_t hash, IsEqual is_equal, Make make) noexcept {
        if (const std::uint32_t id = find(hash, is_equal); id != none) { return id; }
        const std::lock_guard guard(lock_);
        if (const std::uint32_t id = find(hash, is_equal); id != none) { return id; }
        const std::uint32_t id = make();
        if (id == none) { return none; }
        std::size_t i = hash & mask_;
        // relaxed: slots only change under the lock, which we hold.
        while (slots_[i].load(std::memory_order_relaxed) != none) { i = (i + 1) & mask_; }
        // release: pairs with the acquire in find().
        slots_[i].store(id, std::memory_order_release);
        return id;
    }

    [[nodiscard]] spin_lock& lock() noexcept { return lock_; }  // for fork()

private:
    [[nodiscard]] static constexpr std::size_t slot_count(std::size_t capacity) noexcept {
        std::size_t count = 16;
        while (count < 2 * capacity) { count *= 2; }
        return count;
    }

    std::atomic<std::uint32_t>* slots_;
    std::size_t mask_;
    spin_lock lock_{lock_rank::intern};
};

}  // namespace v1
}  // namespace memwatch
