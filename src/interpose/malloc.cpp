// SPDX-License-Identifier: Apache-2.0
// The C entry points. Each is a test and a jump: what is not sampled costs seven instructions a malloc and free, and touches no
// memory but one word of TLS (tests/contract/fast_path.py holds the count).
//
//   malloc:  sub n, %fs:countdown      free:  test $0xfe0, p
//            jb  sampled_malloc               je   free_at_edge
//            jmp *targets.allocate            jmp  *targets.release
//
// Cold paths are out of line, and reached by jumps, so that their return address is the caller's.
#include <dlfcn.h>
#include <malloc.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <memwatch/capture/edge_block.hpp>
#include "interpose/charge.hpp"
#include "interpose/cold_paths.hpp"
#include "interpose/targets.hpp"

// NOLINTBEGIN(readability-identifier-naming): these names are the C library's.
using namespace memwatch::interpose;  // NOLINT(google-build-using-namespace)
using memwatch::detail::is_edge;

#define MEMWATCH_ENTRY extern "C" [[gnu::visibility("default")]]

namespace {

std::size_t page_bytes() noexcept {
    static const auto bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    return bytes;
}

// 0 when `bytes` is too large to be rounded.
std::size_t round_to_pages(std::size_t bytes) noexcept { return (bytes + page_bytes() - 1) / page_bytes() * page_bytes(); }

}  // namespace

MEMWATCH_ENTRY void* malloc(std::size_t bytes) noexcept {
    if (__builtin_expect(charge(bytes), 0)) { return sampled_malloc(bytes, __builtin_return_address(0)); }
    return targets.allocate(bytes);
}

MEMWATCH_ENTRY void free(void* block) noexcept {
    if (__builtin_expect(is_edge(block), 0)) { return free_at_edge(block); }
    targets.release(block);
}

MEMWATCH_ENTRY void* calloc(std::size_t count, std::size_t bytes) noexcept {
    std::size_t total = 0;
    if (__builtin_expect(!__builtin_mul_overflow(count, bytes, &total) && charge(total), 0)) {
        return sampled_calloc(total, __builtin_return_address(0));
    }
    return targets.allocate_zeroed(count, bytes);
}

MEMWATCH_ENTRY void* realloc(void* block, std::size_t bytes) noexcept {
    if (__builtin_expect(charge(bytes), 0)) { return sampled_realloc(block, bytes, __builtin_return_address(0)); }
    if (__builtin_expect(is_edge(block), 0)) { return realloc_at_edge(block, bytes); }  // also null
    return targets.reallocate(block, bytes);
}

MEMWATCH_ENTRY void* reallocarray(void* block, std::size_t count, std::size_t bytes) noexcept {
    std::size_t total = 0;
    if (__builtin_mul_overflow(count, bytes, &total)) {
        errno = ENOMEM;
        return nullptr;
    }
    return realloc(block, total);
}

MEMWATCH_ENTRY void* memalign(std::size_t alignment, std::size_t bytes) noexcept {
    if (__builtin_expect(charge(bytes), 0)) { return sampled_memalign(alignment, bytes, __builtin_return_address(0)); }
    return targets.allocate_aligned(alignment, bytes);
}

MEMWATCH_ENTRY void* aligned_alloc(std::size_t alignment, std::size_t bytes) noexcept {
    if (__builtin_expect(charge(bytes), 0)) { return sampled_memalign(alignment, bytes, __builtin_return_address(0)); }
    return targets.allocate_aligned(alignment, bytes);
}

// POSIX: the result is an error number, and errno stays as it was.
MEMWATCH_ENTRY int posix_memalign(void** into, std::size_t alignment, std::size_t bytes) noexcept {
    if (alignment % sizeof(void*) != 0 || alignment == 0 || (alignment & (alignment - 1)) != 0) { return EINVAL; }
    const int saved_errno = errno;
    void* const block = __builtin_expect(charge(bytes), 0) ? sampled_memalign(alignment, bytes, __builtin_return_address(0))
                                                           : targets.allocate_aligned(alignment, bytes);
    errno = saved_errno;
    if (block == nullptr) { return ENOMEM; }
    *into = block;
    return 0;
}

MEMWATCH_ENTRY void* valloc(std::size_t bytes) noexcept { return memalign(page_bytes(), bytes); }

MEMWATCH_ENTRY void* pvalloc(std::size_t bytes) noexcept {
    const std::size_t rounded = bytes == 0 ? page_bytes() : round_to_pages(bytes);
    if (rounded < bytes) {
        errno = ENOMEM;
        return nullptr;
    }
    return memalign(page_bytes(), rounded);
}

MEMWATCH_ENTRY std::size_t malloc_usable_size(void* block) noexcept {
    if (__builtin_expect(is_edge(block), 0) && bootstrap.contains(block)) { return 0; }
    return targets.usable_bytes(block);
}

MEMWATCH_ENTRY void cfree(void* block) noexcept { free(block); }

// C23.
MEMWATCH_ENTRY void free_sized(void* block, std::size_t bytes) noexcept {
    if (__builtin_expect(is_edge(block), 0)) { return free_at_edge(block); }
    targets.release_sized(block, bytes);
}
MEMWATCH_ENTRY void free_aligned_sized(void* block, std::size_t, std::size_t) noexcept { free(block); }

// NOLINTEND(readability-identifier-naming)
