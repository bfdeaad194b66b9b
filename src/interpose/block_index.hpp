// SPDX-License-Identifier: Apache-2.0
#pragma once
// Full mode: from a block's address to its record's index, in two loads. Not a hash table: a shadow of the heap, one 32-bit
// word for each 32 bytes of address space in which a block may start, so there is nothing to probe, to lock or to grow.
//
//   0x7f31'c2a4'e6b0 -> leaf of its 64 MiB (one of 2^21, made on first use) -> word (address / 32) mod 2^21 = 4711
//
// Two blocks never share a word: glibc's lie 32 bytes apart, and of allocators with smaller classes full mode asks for 32 bytes
// at least. Each word belongs to whoever owns the block, so plain loads and stores do; who frees a block got its address, and
// with it the word, from who allocated it. Memory: an eighth of the heap's touched pages (4 bytes for a 32-byte block, 0 for
// untouched ranges), counted as memwatch's own.

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace memwatch::interpose {

class block_index {
public:
    static constexpr std::size_t least_distance = 32;

    // False: no memory for the directory. Before anything else; again after clear().
    [[nodiscard]] bool open() noexcept;

    // 0 = none. [hook]
    [[nodiscard]] std::uint32_t at(const void* block) const noexcept {
        const word* const w = find(block);
        return w == nullptr ? 0 : w->load(std::memory_order_relaxed);  // relaxed: handed over together with the block
    }
    // The index, which is forgotten. [hook]
    std::uint32_t take(const void* block) noexcept {
        word* const w = find(block);
        // relaxed, both: as in at().
        const std::uint32_t index = w == nullptr ? 0 : w->load(std::memory_order_relaxed);
        if (index != 0) { w->store(0, std::memory_order_relaxed); }  // relaxed: as above
        return index;
    }
    // 0 forgets. False: no memory, or an address beyond 2^47; nothing is remembered. [hook]
    bool set(const void* block, std::uint32_t index) noexcept {
        word* w = find(block);
        if (__builtin_expect(w == nullptr, 0)) { w = index == 0 ? nullptr : make(block); }
        if (w == nullptr) { return false; }
        w->store(index, std::memory_order_relaxed);  // relaxed: as above
        return true;
    }

    // Gives the words' memory back; all read as 0 from then on.
    void clear() noexcept;
    [[nodiscard]] std::size_t resident_bytes() const noexcept;

private:
    using word = std::atomic<std::uint32_t>;
    static constexpr unsigned leaf_shift = 26;  // 64 MiB of heap
    static constexpr std::size_t leaf_count = std::size_t{1} << (47U - leaf_shift);
    static constexpr std::size_t words_per_leaf = (std::size_t{1} << leaf_shift) / least_distance;

    [[nodiscard]] word* find(const void* block) const noexcept {
        const auto address = reinterpret_cast<std::uintptr_t>(block);
        const std::size_t number = address >> leaf_shift;
        if (__builtin_expect(number >= leaf_count, 0)) { return nullptr; }
        // acquire: pairs with the release in make(): the leaf is zeroed.
        word* const leaf = leaves_[number].load(std::memory_order_acquire);
        return leaf == nullptr ? nullptr : leaf + address / least_distance % words_per_leaf;
    }
    [[gnu::cold, gnu::noinline]] word* make(const void* block) noexcept;

    std::atomic<word*>* leaves_{};
};

}  // namespace memwatch::interpose
