// SPDX-License-Identifier: Apache-2.0
#include "live/live_table.hpp"

#include <algorithm>

namespace memwatch {
inline namespace v1 {

live_table::live_table(void* memory, std::size_t entries_per_shard) noexcept
    : entries_(static_cast<live_entry*>(memory)), mask_(entries_per_shard - 1) {}

// Where `key` is, or the empty entry where it would go. There is always an empty one: a shard is never more than 7/8 full.
std::size_t live_table::find_locked(const live_entry* entries, std::uint64_t hash, block_key key) const noexcept {
    std::size_t at = hash & mask_;
    while (entries[at].key != 0 && entries[at].key != key) { at = (at + 1) & mask_; }
    return at;
}

// Knuth, TAOCP 3, 6.4, algorithm R: moves back every later entry of the run that may stand in the hole.
void live_table::erase_locked(live_entry* entries, std::size_t hole) noexcept {
    for (std::size_t at = (hole + 1) & mask_; entries[at].key != 0; at = (at + 1) & mask_) {
        const std::size_t home = mix_bits(entries[at].key) & mask_;
        const bool may_move = ((at - home) & mask_) >= ((at - hole) & mask_);
        if (may_move) {
            entries[hole] = entries[at];
            hole = at;
        }
    }
    entries[hole].key = 0;
}

std::uint64_t live_table::interval_floor() const noexcept {
    // relaxed: settings; a recent value will do.
    std::uint64_t floor = base_interval_.load(std::memory_order_relaxed);
    for (const shard& s : shards_) {
        floor = std::max(floor, s.interval_bytes.load(std::memory_order_relaxed));
    }  // relaxed: as above
    return floor;
}

void live_table::lock_for_fork() noexcept {
    for (shard& s : shards_) { s.lock.lock(); }
}

void live_table::unlock_after_fork() noexcept {
    for (shard& s : shards_) { s.lock.unlock(); }
}

}  // namespace v1
}  // namespace memwatch
