// SPDX-License-Identifier: Apache-2.0
#pragma once
// Memory for the moment in which we look for the real allocator and the dynamic linker allocates. Blocks start at page edges,
// so the test that finds samples on free finds these too; they are never given back. In practice glibc asks for none.

#include <cstddef>
#include <cstdint>

namespace memwatch::interpose {

class bootstrap_arena {
public:
    // Zeroed; null when the 64 KiB are used up. One thread: before main, or inside dlopen.
    [[nodiscard]] void* allocate(std::size_t bytes) noexcept {
        const std::size_t pages = bytes / page_bytes + 1;
        if (pages > page_count - used_) { return nullptr; }
        void* const block = memory_ + used_ * page_bytes;
        used_ += pages;
        return block;
    }
    [[nodiscard]] bool contains(const void* block) const noexcept {
        const auto at = reinterpret_cast<std::uintptr_t>(block);
        const auto begin = reinterpret_cast<std::uintptr_t>(memory_);
        return at >= begin && at < begin + sizeof memory_;
    }
    // How much may be read of a block: up to the arena's end, since sizes are not kept.
    [[nodiscard]] std::size_t readable_bytes(const void* block) const noexcept {
        return reinterpret_cast<std::uintptr_t>(memory_) + sizeof memory_ - reinterpret_cast<std::uintptr_t>(block);
    }

private:
    static constexpr std::size_t page_bytes = 4096;
    static constexpr std::size_t page_count = 16;
    alignas(page_bytes) unsigned char memory_[page_count * page_bytes];
    std::size_t used_;
};

}  // namespace memwatch::interpose
