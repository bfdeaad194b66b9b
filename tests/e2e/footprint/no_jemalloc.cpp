// SPDX-License-Identifier: Apache-2.0
// In jemalloc's place for a redis-server that was linked to it: nothing but the names it asks for beyond libc's, so that its
// malloc is libc's.
#include <cerrno>
#include <cstddef>

#define MEMWATCH_ENTRY extern "C" [[gnu::visibility("default")]]

MEMWATCH_ENTRY int mallctl(const char*, void*, std::size_t*, void*, std::size_t) { return ENOENT; }
MEMWATCH_ENTRY void malloc_stats_print(void (*)(void*, const char*), void*, const char*) {}
// How large a block of `bytes` would be.
MEMWATCH_ENTRY std::size_t nallocx(std::size_t bytes, int) { return (bytes + 15) / 16 * 16; }
