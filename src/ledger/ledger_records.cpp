// SPDX-License-Identifier: Apache-2.0
#include "ledger/ledger_records.hpp"

#include <algorithm>
#include <mutex>

#include "platform/platform.hpp"

namespace memwatch {
inline namespace v1 {

std::uint32_t ledger_records::capacity_of(std::size_t bytes) noexcept {
    return static_cast<std::uint32_t>(std::min<std::size_t>(bytes / sizeof(group) * group_size, most_records));
}

void ledger_records::open(void* memory, std::uint32_t capacity) noexcept {
    groups_ = static_cast<group*>(memory);
    capacity_ = std::max(capacity, first_index);
}

void ledger_records::clear() noexcept {
    const std::lock_guard guard(lock_);
    // relaxed: nobody else is at work.
    const std::uint32_t used = carved_.load(std::memory_order_relaxed);
    platform::zero_pages(groups_, (used + group_size - 1) / group_size * sizeof(group));
    carved_.store(first_index, std::memory_order_relaxed);  // relaxed: as above
    is_empty_.store(false, std::memory_order_relaxed);      // relaxed: as above
    chains_ = 0;
    for (large_block& each : large_) { each = {}; }
}

ledger_records::chain ledger_records::take() noexcept {
    // relaxed: a hint; who misses a chain that was just given back does not record a block that others of its time missed too.
    if (is_empty_.load(std::memory_order_relaxed)) { return {0, 0}; }
    std::uint32_t first = 0;
    std::uint32_t count = 0;
    {
        const std::lock_guard guard(lock_);
        if (chains_ != 0) {
            const std::uint32_t head = chains_;
            // relaxed, both: written under the lock by give().
            chains_ = slot(head).time.load(std::memory_order_relaxed);
            return {head, context(head).load(std::memory_order_relaxed)};  // relaxed: as above
        }
        first = carved_.load(std::memory_order_relaxed);  // relaxed: changes under the lock only
        count = std::min(chain_length, capacity_ - first);
        // release: pairs with the acquire in carved().
        carved_.store(first + count, std::memory_order_release);
        is_empty_.store(count == 0, std::memory_order_relaxed);  // relaxed: a hint
    }
    return carve(first, count);
}

// Links fresh records outside of the lock: this is where pages are touched for the first time.
ledger_records::chain ledger_records::carve(std::uint32_t first, std::uint32_t count) noexcept {
    if (count == 0) { return {0, 0}; }
    for (std::uint32_t i = 0; i + 1 < count; ++i) {
        // relaxed: the chain is ours; give() publishes it.
        slot(first + i).size.store(first + i + 1, std::memory_order_relaxed);
    }
    return {first, count};
}

void ledger_records::give(const chain& free) noexcept {
    if (free.head == 0 || free.count == 0) { return; }
    const std::lock_guard guard(lock_);
    give_locked(free);
}

void ledger_records::give_locked(const chain& free) noexcept {
    if (free.head == 0 || free.count == 0) { return; }
    // relaxed, both: the lock publishes the chain.
    slot(free.head).time.store(chains_, std::memory_order_relaxed);
    context(free.head).store(free.count, std::memory_order_relaxed);  // relaxed: as above
    chains_ = free.head;
    is_empty_.store(false, std::memory_order_relaxed);  // relaxed: a hint
}

bool ledger_records::set_large_size(std::uint32_t index, std::uint64_t bytes) noexcept {
    const std::lock_guard guard(lock_);
    for (large_block& each : large_) {
        if (each.index != 0) { continue; }
        each = {index, bytes};
        return true;
    }
    return false;
}

std::uint64_t ledger_records::large_size_of(std::uint32_t index) noexcept {
    const std::lock_guard guard(lock_);
    for (const large_block& each : large_) {
        if (each.index == index) { return each.bytes; }
    }
    return large_size;  // freed meanwhile
}

void ledger_records::forget_large_size(std::uint32_t index) noexcept {
    const std::lock_guard guard(lock_);
    for (large_block& each : large_) {
        if (each.index == index) { each = {}; }
    }
}

}  // namespace v1
}  // namespace memwatch
