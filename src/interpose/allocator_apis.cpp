// SPDX-License-Identifier: Apache-2.0
// jemalloc's and tcmalloc's deallocation under their own names. A sampled block, or one recorded in full mode, has another size
// class than its size says: who frees it by size must come past us. Everything else goes where it would have gone: to the next
// definition of the same name, or, in a process without one (a caller that tests a weak sdallocx finds ours), to free.
#include <cstddef>

#include <memwatch/capture/edge_block.hpp>
#include "interpose/cold_paths.hpp"
#include "interpose/exact_heap.hpp"
#include "interpose/symbol_search.hpp"
#include "interpose/targets.hpp"

using namespace memwatch::interpose;  // NOLINT(google-build-using-namespace)
using memwatch::detail::is_edge;

#define MEMWATCH_ENTRY extern "C" [[gnu::visibility("default")]]

namespace {

// True: the block was a sample, and is gone.
bool is_sample_gone(void* block) noexcept { return __builtin_expect(is_edge(block), 0) && is_freed_at_edge(block); }

// A size may only be believed while no block is larger than its owner knows.
void release_told_size(void* block, std::size_t bytes, void (*next)(void*, std::size_t)) noexcept {
    if (is_sample_gone(block)) { return; }
    if (next == nullptr || has_been_exact()) { return targets.release(block); }
    next(block, bytes);
}

}  // namespace

MEMWATCH_ENTRY void sdallocx(void* block, std::size_t bytes, int flags) noexcept {
    static const auto next = find_function<void (*)(void*, std::size_t, int)>("sdallocx");
    if (is_sample_gone(block)) { return; }
    if (next == nullptr || has_been_exact()) { return targets.release(block); }
    next(block, bytes, flags);
}

MEMWATCH_ENTRY void dallocx(void* block, int flags) noexcept {
    static const auto next = find_function<void (*)(void*, int)>("dallocx");
    if (is_sample_gone(block)) { return; }
    if (next == nullptr || is_exact()) { return targets.release(block); }
    next(block, flags);
}

// What comes back is no longer tracked: blocks of this interface are not sampled.
MEMWATCH_ENTRY void* rallocx(void* block, std::size_t bytes, int flags) noexcept {
    static const auto next = find_function<void* (*)(void*, std::size_t, int)>("rallocx");
    if (next == nullptr) { return targets.reallocate(block, bytes); }
    if (is_edge(block)) { forget_at_edge(block); }
    return next(block, bytes, flags);
}

MEMWATCH_ENTRY void tc_free_sized(void* block, std::size_t bytes) noexcept {
    static const auto next = find_function<void (*)(void*, std::size_t)>("tc_free_sized");
    release_told_size(block, bytes, next);
}
MEMWATCH_ENTRY void tc_delete_sized(void* block, std::size_t bytes) noexcept {
    static const auto next = find_function<void (*)(void*, std::size_t)>("tc_delete_sized");
    release_told_size(block, bytes, next);
}
MEMWATCH_ENTRY void tc_deletearray_sized(void* block, std::size_t bytes) noexcept {
    static const auto next = find_function<void (*)(void*, std::size_t)>("tc_deletearray_sized");
    release_told_size(block, bytes, next);
}
