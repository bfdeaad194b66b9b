// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <string_view>

#include "platform/platform.hpp"

namespace memwatch {
inline namespace v1 {
namespace platform {

void* reserve_memory(std::size_t bytes) noexcept {
    const int saved_errno = errno;
    void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    errno = saved_errno;
    return memory == MAP_FAILED ? nullptr : memory;
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

namespace {

// The limit in `path`/`file`; 0 for "max", for v1's "no limit" (a number near 2^63) and for no such file.
std::uint64_t limit_in(const std::string& path, const char* file) {
    std::ifstream stream(path + "/" + file);
    std::string text;
    if (!(stream >> text)) { return 0; }
    std::uint64_t value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    constexpr std::uint64_t unlimited = 1ULL << 60U;
    return parsed.ec == std::errc{} && value < unlimited ? value : 0;
}

std::uint64_t tighter(std::uint64_t a, std::uint64_t b) { return a == 0 ? b : b == 0 ? a : std::min(a, b); }

// Least limit of `group` and its ancestors below `mount`.
std::uint64_t limit_up_from(const std::string& mount, std::string group, const char* file) {
    std::uint64_t limit = limit_in(mount, file);
    while (group.size() > 1) {
        limit = tighter(limit, limit_in(mount + group, file));
        group.erase(group.rfind('/'));
    }
    return limit;
}

}  // namespace

std::uint64_t cgroup_memory_limit(const std::string& root, const std::string& self) {
    std::ifstream groups(self);
    std::uint64_t limit = 0;
    for (std::string line; std::getline(groups, line);) {  // "0::/a/b" (v2) or "7:memory:/a/b" (v1)
        const std::size_t first = line.find(':');
        const std::size_t second = line.find(':', first + 1);
        if (first == std::string::npos || second == std::string::npos) { continue; }
        const std::string_view controllers = std::string_view(line).substr(first + 1, second - first - 1);
        const std::string group = line.substr(second + 1);
        if (group.empty() || group.front() != '/') { continue; }
        if (controllers.empty()) { limit = tighter(limit, limit_up_from(root, group, "memory.max")); }
        if (controllers == "memory") {
            limit = tighter(limit, limit_up_from(root + "/memory", group, "memory.limit_in_bytes"));
        }
    }
    return limit;
}

}  // namespace platform
}  // namespace v1
}  // namespace memwatch
