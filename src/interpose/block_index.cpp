// SPDX-License-Identifier: Apache-2.0
#include "interpose/block_index.hpp"

#include <sys/mman.h>

#include <cerrno>

#include "platform/address_space.hpp"

namespace memwatch::interpose {
namespace {

void* reserve(std::size_t bytes) noexcept {
    const int saved_errno = errno;
    void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    errno = saved_errno;
    if (memory == MAP_FAILED) { return nullptr; }
    platform::note_own_memory(memory, bytes);
    return memory;
}

std::size_t resident_of(void* memory, std::size_t bytes) noexcept {
    constexpr std::size_t page = 4096;
    unsigned char is_resident[1024];
    std::size_t pages = 0;
    for (std::size_t at = 0; at < bytes; at += sizeof is_resident * page) {
        const std::size_t part = bytes - at < sizeof is_resident * page ? bytes - at : sizeof is_resident * page;
        if (mincore(static_cast<char*>(memory) + at, part, is_resident) != 0) { break; }
        for (std::size_t i = 0; i < part / page; ++i) { pages += is_resident[i] & 1U; }
    }
    return pages * page;
}

}  // namespace

bool block_index::open() noexcept {
    if (leaves_ == nullptr) { leaves_ = static_cast<std::atomic<word*>*>(reserve(leaf_count * sizeof leaves_[0])); }
    return leaves_ != nullptr;
}

block_index::word* block_index::make(const void* block) noexcept {
    const std::size_t number = reinterpret_cast<std::uintptr_t>(block) >> leaf_shift;
    if (number >= leaf_count) { return nullptr; }
    auto* const fresh = static_cast<word*>(reserve(words_per_leaf * sizeof(word)));
    if (fresh == nullptr) { return nullptr; }
    word* expected = nullptr;
    // release: pairs with the acquire in find(). acquire on failure: another thread's leaf, which is zeroed as well.
    if (!leaves_[number].compare_exchange_strong(expected, fresh, std::memory_order_release, std::memory_order_acquire)) {
        munmap(fresh, words_per_leaf * sizeof(word));
    }
    return find(block);
}

void block_index::clear() noexcept {
    for (std::size_t i = 0; leaves_ != nullptr && i < leaf_count; ++i) {
        // acquire: pairs with the release in make().
        word* const leaf = leaves_[i].load(std::memory_order_acquire);
        if (leaf != nullptr) { madvise(leaf, words_per_leaf * sizeof(word), MADV_DONTNEED); }
    }
}

std::size_t block_index::resident_bytes() const noexcept {
    std::size_t bytes = 0;
    for (std::size_t i = 0; leaves_ != nullptr && i < leaf_count; ++i) {
        // acquire: pairs with the release in make().
        word* const leaf = leaves_[i].load(std::memory_order_acquire);
        if (leaf != nullptr) { bytes += resident_of(leaf, words_per_leaf * sizeof(word)); }
    }
    return bytes;
}

}  // namespace memwatch::interpose
