// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <string_view>

#include "platform/address_space.hpp"
#include "platform/platform.hpp"

namespace memwatch {
inline namespace v1 {
namespace platform {

void* reserve_memory(std::size_t bytes) noexcept {
    const int saved_errno = errno;
    void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    errno = saved_errno;
    if (memory == MAP_FAILED) { return nullptr; }
    note_own_memory(memory, bytes);
    return memory;
}

std::size_t discard_pages(void* memory, std::size_t bytes) noexcept {
    static const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
    const auto begin = reinterpret_cast<std::uintptr_t>(memory);
    const std::uintptr_t last = (begin + bytes) / page * page;
    std::size_t resident = 0;
    for (std::uintptr_t at = (begin + page - 1) / page * page; at < last;) {
        unsigned char states[512];
        const std::uintptr_t size = std::min(last - at, sizeof states * page);
        auto* const part = reinterpret_cast<void*>(at);
        at += size;
        const bool is_known = mincore(part, size, states) == 0;
        if (madvise(part, size, MADV_DONTNEED) != 0 || !is_known) { continue; }
        for (std::size_t i = 0; i < size / page; ++i) { resident += (states[i] & 1U) != 0 ? page : 0; }
    }
    return resident;
}

void zero_pages(void* memory, std::size_t bytes) noexcept {
    const int saved_errno = errno;
    static const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
    const auto begin = reinterpret_cast<std::uintptr_t>(memory);
    const std::uintptr_t first = (begin + page - 1) / page * page;
    const std::uintptr_t last = (begin + bytes) / page * page;
    // Locked memory keeps its pages (EINVAL): then it is written, as calloc would have done.
    if (last > first && madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED) == 0) {
        std::memset(memory, 0, first - begin);
        std::memset(reinterpret_cast<void*>(last), 0, begin + bytes - last);
    } else {
        std::memset(memory, 0, bytes);
    }
    errno = saved_errno;
}

std::uint64_t resident_bytes() noexcept {
    try {
        std::ifstream statm("/proc/self/statm");
        std::uint64_t total_pages = 0;
        std::uint64_t resident_pages = 0;
        if (!(statm >> total_pages >> resident_pages)) { return 0; }
        return resident_pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    } catch (...) { return 0; }
}

}  // namespace platform
}  // namespace v1
}  // namespace memwatch
