// SPDX-License-Identifier: Apache-2.0
#pragma once
// Bump allocation from a fixed region that is never given back: interned things live here. Lock-free, no destructors, bounded
// by construction; when it is full, allocate() says so and the caller drops and counts.

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace memwatch {
inline namespace v1 {

class arena {
public:
    // `memory` must be zeroed, suitably aligned for anything (16), and outlive the arena. Null memory is an always-full arena.
    arena(void* memory, std::size_t size_bytes) noexcept
        : begin_(static_cast<std::byte*>(memory)), size_bytes_(memory == nullptr ? 0 : size_bytes) {}

    // 8-byte aligned, zeroed; null when full.
    [[nodiscard]] void* allocate(std::size_t bytes) noexcept {
        const std::size_t rounded = (bytes + 7) & ~std::size_t{7};
        // relaxed: hands out disjoint ranges; the contents are published by whoever publishes the pointer.
        std::size_t offset = used_bytes_.load(std::memory_order_relaxed);
        do {
            if (rounded > size_bytes_ - offset) { return nullptr; }
        } while (!used_bytes_.compare_exchange_weak(offset, offset + rounded, std::memory_order_relaxed));  // relaxed: as above
        return begin_ + offset;
    }

    // relaxed: a figure for reports.
    [[nodiscard]] std::size_t used_bytes() const noexcept { return used_bytes_.load(std::memory_order_relaxed); }

private:
    std::byte* begin_;
    std::size_t size_bytes_;
    std::atomic<std::size_t> used_bytes_{0};  // <= size_bytes_
};

}  // namespace v1
}  // namespace memwatch
