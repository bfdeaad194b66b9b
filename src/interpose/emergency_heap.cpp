// SPDX-License-Identifier: Apache-2.0
#include "interpose/emergency_heap.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "interpose/targets.hpp"

namespace memwatch::interpose {
namespace {

constexpr std::size_t chunk_bytes = 4U << 20U;
constexpr std::size_t header_bytes = 16;  // holds the block's size

std::uintptr_t next = 0;
std::uintptr_t end = 0;
std::uintptr_t lowest = ~std::uintptr_t{0};  // of all chunks; the kernel may put other mappings between them
std::uintptr_t highest = 0;

bool refill(std::size_t bytes) noexcept {
    const std::size_t size = std::max(chunk_bytes, (bytes + 4095) / 4096 * 4096);
    void* const chunk = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (chunk == MAP_FAILED) { return false; }
    next = reinterpret_cast<std::uintptr_t>(chunk);
    end = next + size;
    lowest = std::min(lowest, next);
    highest = std::max(highest, end);
    return true;
}

bool is_ours(const void* block) noexcept {
    const auto at = reinterpret_cast<std::uintptr_t>(block);
    return at >= lowest && at < highest;
}

void* allocate_aligned(std::size_t alignment, std::size_t bytes) noexcept {
    const std::size_t align = std::max<std::size_t>(alignment, header_bytes);
    std::size_t needed = 0;
    if (__builtin_add_overflow(bytes, align + header_bytes, &needed) || needed > PTRDIFF_MAX ||
        (needed > end - next && !refill(needed))) {
        errno = ENOMEM;
        return nullptr;
    }
    const std::uintptr_t block = (next + header_bytes + align - 1) / align * align;
    std::memcpy(reinterpret_cast<void*>(block - header_bytes), &bytes, sizeof bytes);
    next = block + (bytes + header_bytes - 1) / header_bytes * header_bytes;
    return reinterpret_cast<void*>(block);
}
void* allocate(std::size_t bytes) noexcept { return allocate_aligned(header_bytes, bytes); }
void* allocate_zeroed(std::size_t count, std::size_t bytes) noexcept {  // mappings are zeroed, and nothing is used twice
    std::size_t total = 0;
    return __builtin_mul_overflow(count, bytes, &total) ? nullptr : allocate(total);
}
// What the real allocator says of its own block is a read of the block's header, whatever state its lists are in.
std::size_t usable_bytes(void* block) noexcept {
    if (block == nullptr) { return 0; }
    if (!is_ours(block)) { return real.heap.usable_bytes(block); }
    std::size_t bytes = 0;
    std::memcpy(&bytes, static_cast<char*>(block) - header_bytes, sizeof bytes);
    return bytes;
}
void* reallocate(void* block, std::size_t bytes) noexcept {
    void* const fresh = allocate(bytes);
    if (fresh != nullptr && block != nullptr) { std::memcpy(fresh, block, std::min(bytes, usable_bytes(block))); }
    return fresh;
}
void release(void*) noexcept {}
void release_sized(void*, std::size_t) noexcept {}

}  // namespace

void enter_emergency_heap() noexcept {
    put_in_place({&allocate, &release, &release_sized, &allocate_zeroed, &reallocate, &allocate_aligned, &usable_bytes});
}

}  // namespace memwatch::interpose
