// SPDX-License-Identifier: Apache-2.0
#pragma once
// Interned stacks: each distinct list of return addresses is kept once, in an arena, and named by a small id. Insert-only;
// id 0 is the empty stack, which also stands for stacks that found no room.

#include <cstddef>
#include <cstdint>

#include "base/arena.hpp"
#include "base/intern_index.hpp"
#include "model/drop_reason.hpp"

namespace memwatch {
inline namespace v1 {

struct interned_stack {
    const std::uint64_t* frames;  // leaf first
    std::uint32_t depth;
    bool is_truncated;
};

class stack_table {
public:
    [[nodiscard]] static std::size_t memory_bytes(std::size_t capacity, std::size_t frame_bytes) noexcept {
        return (capacity + 1) * sizeof(entry) + intern_index::memory_bytes(capacity) + frame_bytes;
    }

    // `memory`: memory_bytes() zeroed bytes.
    stack_table(void* memory, std::size_t capacity, std::size_t frame_bytes, loss_counters& losses) noexcept;

    [[nodiscard]] std::uint32_t intern(const std::uint64_t* frames, std::uint32_t depth, bool is_truncated) noexcept;
    [[nodiscard]] interned_stack at(std::uint32_t id) const noexcept {
        return {entries_[id].frames, entries_[id].depth, entries_[id].is_truncated};
    }
    [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_; }  // highest id
    [[nodiscard]] std::size_t self_bytes() const noexcept;
    [[nodiscard]] spin_lock& lock() noexcept { return index_.lock(); }

private:
    struct entry {
        const std::uint64_t* frames;
        std::uint32_t check;  // of the hash, so that other stacks' frames need not be looked at
        std::uint16_t depth;
        bool is_truncated;
    };
    static_assert(sizeof(entry) == 16);

    entry* entries_;
    std::uint32_t capacity_;
    std::atomic<std::uint32_t> last_id_{0};
    std::atomic<bool> is_full_{false};  // a hint: no lock is taken for nothing
    intern_index index_;
    arena frames_;
    loss_counters& losses_;
};

}  // namespace v1
}  // namespace memwatch
