// SPDX-License-Identifier: Apache-2.0
#include "sites/stack_table.hpp"

#include <cstring>

#include "base/hash.hpp"

namespace memwatch {
inline namespace v1 {

stack_table::stack_table(void* memory, std::size_t capacity, std::size_t frame_bytes, loss_counters& losses) noexcept
    : entries_(static_cast<entry*>(memory)),
      capacity_(static_cast<std::uint32_t>(capacity)),
      index_(entries_ + capacity + 1, capacity),
      frames_(reinterpret_cast<std::byte*>(entries_ + capacity + 1) + intern_index::memory_bytes(capacity), frame_bytes),
      losses_(losses) {}

std::uint32_t stack_table::intern(const std::uint64_t* frames, std::uint32_t depth, bool is_truncated) noexcept {
    if (depth == 0) { return 0; }
    const std::uint64_t hash = hash_words(frames, depth);
    const auto check = static_cast<std::uint32_t>(hash >> 32U);
    const auto is_equal = [&](std::uint32_t id) {
        const entry& known = entries_[id];
        return known.check == check && known.depth == depth && known.is_truncated == is_truncated &&
               std::memcmp(known.frames, frames, depth * sizeof *frames) == 0;
    };
    const auto make = [&]() -> std::uint32_t {
        // relaxed: changes only under the index's lock, which is held here; readers reach the entry through the index.
        const std::uint32_t id = last_id_.load(std::memory_order_relaxed) + 1;
        void* const copy = id > capacity_ ? nullptr : frames_.allocate(depth * sizeof *frames);
        if (copy == nullptr) { return intern_index::none; }
        std::memcpy(copy, frames, depth * sizeof *frames);
        entries_[id] = {static_cast<const std::uint64_t*>(copy), check, static_cast<std::uint16_t>(depth), is_truncated};
        last_id_.store(id, std::memory_order_relaxed);  // relaxed: as above
        return id;
    };
    // relaxed: a hint; who misses it takes the lock once more.
    const bool is_full = is_full_.load(std::memory_order_relaxed);
    const std::uint32_t id = is_full ? index_.find(hash, is_equal) : index_.intern(hash, is_equal, make);
    if (id == intern_index::none) {
        is_full_.store(true, std::memory_order_relaxed);  // relaxed: as above
        losses_.count(drop_reason::stack_table_full);
    }
    return id;
}

std::size_t stack_table::self_bytes() const noexcept {
    // relaxed: a figure for reports.
    return frames_.used_bytes() + last_id_.load(std::memory_order_relaxed) * (sizeof(entry) + 2 * sizeof(std::uint32_t));
}

}  // namespace v1
}  // namespace memwatch
