// SPDX-License-Identifier: Apache-2.0
// operator new and delete, all forms. Over jemalloc, tcmalloc and mimalloc these never reach malloc, and over glibc they would
// put frames of libstdc++ between malloc and the program: so they go straight to the allocator, as malloc does, and no block is
// seen twice.
//
// The standard's contract: the throwing forms never return null; the new handler is called until it finds memory or gives up.
#include <new>

#include <memwatch/capture/edge_block.hpp>
#include <memwatch/capture/sampler.hpp>
#include "interpose/charge.hpp"
#include "interpose/cold_paths.hpp"
#include "interpose/exact_heap.hpp"
#include "interpose/operator_targets.hpp"

using namespace memwatch::interpose;  // NOLINT(google-build-using-namespace)
using memwatch::detail::is_edge;

#define MEMWATCH_OPERATOR [[gnu::visibility("default")]]

namespace {

// malloc(0) may be null, operator new(0) may not.
constexpr std::size_t at_least_one(std::size_t bytes) noexcept { return bytes == 0 ? 1 : bytes; }

// Full mode draws nothing: the countdown stands at 0, so that every allocation comes by here, tracked allocators' too.
bool is_recording_all(bool is_foreign) noexcept {
    if (!is_exact() || is_foreign) { return false; }
    memwatch::detail::this_thread.countdown = 0;
    return true;
}

void* sampled_block(std::size_t bytes, const void* caller) {
    if (!operators.is_foreign) { return sampled_malloc(bytes, caller); }
    memwatch::detail::skip_sample(bytes);
    return operators.allocate(bytes);
}

void* sampled_aligned_block(std::size_t bytes, std::size_t alignment, const void* caller) {
    if (!operators.is_aligned_foreign) { return sampled_memalign(alignment, bytes, caller); }
    memwatch::detail::skip_sample(bytes);
    return operators.allocate_aligned(alignment, bytes);
}

// No memory: asks the program's handler to find some. `again` is the allocation.
template <class Allocate>
void* insist(Allocate again) {
    for (;;) {
        const std::new_handler handler = std::get_new_handler();
        if (handler == nullptr) { throw std::bad_alloc(); }
        handler();
        if (void* const block = again(); block != nullptr) { return block; }
    }
}

[[gnu::cold, gnu::noinline]] void* new_slowly(std::size_t bytes) {
    return insist([=] { return operators.allocate(at_least_one(bytes)); });
}
[[gnu::cold, gnu::noinline]] void* new_slowly(std::size_t bytes, std::size_t alignment) {
    return insist([=] { return operators.allocate_aligned(alignment, at_least_one(bytes)); });
}
// Full mode: reached by jumps, so that the stack begins in the program.
[[gnu::noinline]] void* recorded_new(std::size_t bytes) {
    void* const block = exact_allocate_at(at_least_one(bytes), this_entry());
    return block != nullptr ? block : new_slowly(bytes);
}
[[gnu::noinline]] void* recorded_new(std::size_t bytes, std::size_t alignment) {
    void* const block = exact_allocate_aligned_at(alignment, at_least_one(bytes), this_entry());
    return block != nullptr ? block : new_slowly(bytes, alignment);
}

[[gnu::noinline]] void* sampled_new(std::size_t bytes, const void* caller) {
    if (is_recording_all(operators.is_foreign)) { return recorded_new(bytes); }
    void* const block = sampled_block(at_least_one(bytes), caller);
    return block != nullptr ? block : new_slowly(bytes);
}
[[gnu::noinline]] void* sampled_new(std::size_t bytes, std::size_t alignment, const void* caller) {
    if (is_recording_all(operators.is_aligned_foreign)) { return recorded_new(bytes, alignment); }
    void* const block = sampled_aligned_block(at_least_one(bytes), alignment, caller);
    return block != nullptr ? block : new_slowly(bytes, alignment);
}

// The whole of operator new. Every allocator hands out a block for 0 bytes, so that case needs no test of its own; if one did
// not, new_slowly would ask for 1.
[[gnu::always_inline]] inline void* new_block(std::size_t bytes) {
    if (__builtin_expect(charge(bytes), 0)) { return sampled_new(bytes, __builtin_return_address(0)); }
    void* const block = operators.allocate(bytes);
    return __builtin_expect(block != nullptr, 1) ? block : new_slowly(bytes);
}
[[gnu::always_inline]] inline void* new_block(std::size_t bytes, std::align_val_t alignment) {
    const auto align = static_cast<std::size_t>(alignment);
    if (__builtin_expect(charge(bytes), 0)) { return sampled_new(bytes, align, __builtin_return_address(0)); }
    void* const block = operators.allocate_aligned(align, bytes);
    return __builtin_expect(block != nullptr, 1) ? block : new_slowly(bytes, align);
}

[[gnu::cold, gnu::noinline]] void delete_at_edge(void* block) noexcept {
    if (operators.is_foreign || !is_freed_at_edge(block)) { operators.release(block); }
}
[[gnu::cold, gnu::noinline]] void delete_aligned_at_edge(void* block) noexcept {
    if (operators.is_aligned_foreign || !is_freed_at_edge(block)) { operators.release_aligned(block); }
}
[[gnu::always_inline]] inline void delete_block(void* block) noexcept {
    if (__builtin_expect(is_edge(block), 0)) { return delete_at_edge(block); }
    operators.release(block);
}
// What lies at an edge by chance loses its size: slower for one block in 128, never wrong.
[[gnu::always_inline]] inline void delete_block(void* block, std::size_t bytes) noexcept {
    if (__builtin_expect(is_edge(block), 0)) { return delete_at_edge(block); }
    operators.release_sized(block, bytes);
}
[[gnu::always_inline]] inline void delete_aligned_block(void* block) noexcept {
    if (__builtin_expect(is_edge(block), 0)) { return delete_aligned_at_edge(block); }
    operators.release_aligned(block);
}

template <class... Alignment>
void* new_or_null(std::size_t bytes, Alignment... alignment) noexcept {
    try {
        return new_block(bytes, alignment...);
    } catch (...) { return nullptr; }
}

}  // namespace

MEMWATCH_OPERATOR void* operator new(std::size_t bytes) { return new_block(bytes); }
MEMWATCH_OPERATOR void* operator new[](std::size_t bytes) { return new_block(bytes); }
MEMWATCH_OPERATOR void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return new_or_null(bytes); }
MEMWATCH_OPERATOR void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return new_or_null(bytes); }
MEMWATCH_OPERATOR void* operator new(std::size_t bytes, std::align_val_t alignment) { return new_block(bytes, alignment); }
MEMWATCH_OPERATOR void* operator new[](std::size_t bytes, std::align_val_t alignment) { return new_block(bytes, alignment); }
MEMWATCH_OPERATOR void* operator new(std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return new_or_null(bytes, alignment);
}
MEMWATCH_OPERATOR void* operator new[](std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return new_or_null(bytes, alignment);
}

MEMWATCH_OPERATOR void operator delete(void* block) noexcept { delete_block(block); }
MEMWATCH_OPERATOR void operator delete[](void* block) noexcept { delete_block(block); }
MEMWATCH_OPERATOR void operator delete(void* block, const std::nothrow_t&) noexcept { delete_block(block); }
MEMWATCH_OPERATOR void operator delete[](void* block, const std::nothrow_t&) noexcept { delete_block(block); }
MEMWATCH_OPERATOR void operator delete(void* block, std::size_t bytes) noexcept { delete_block(block, bytes); }
MEMWATCH_OPERATOR void operator delete[](void* block, std::size_t bytes) noexcept { delete_block(block, bytes); }
MEMWATCH_OPERATOR void operator delete(void* block, std::align_val_t) noexcept { delete_aligned_block(block); }
MEMWATCH_OPERATOR void operator delete[](void* block, std::align_val_t) noexcept { delete_aligned_block(block); }
MEMWATCH_OPERATOR void operator delete(void* block, std::size_t, std::align_val_t) noexcept { delete_aligned_block(block); }
MEMWATCH_OPERATOR void operator delete[](void* block, std::size_t, std::align_val_t) noexcept { delete_aligned_block(block); }
MEMWATCH_OPERATOR void operator delete(void* block, std::align_val_t, const std::nothrow_t&) noexcept {
    delete_aligned_block(block);
}
MEMWATCH_OPERATOR void operator delete[](void* block, std::align_val_t, const std::nothrow_t&) noexcept {
    delete_aligned_block(block);
}
