// SPDX-License-Identifier: Apache-2.0
#include "interpose/cold_paths.hpp"

#include <algorithm>
#include <cstring>

#include <memwatch/capture/edge_block.hpp>
#include "interpose/exact_heap.hpp"
#include "interpose/targets.hpp"

namespace memwatch::interpose {
namespace {

// A countdown that ran out stands at a huge value: until take_sample sets it anew, nothing on this thread is sampled.
// False: too early for memwatch (the allocator is being looked for), or full mode, where nothing is drawn.
bool may_sample() noexcept {
    resolve();
    if (is_exact()) {
        detail::this_thread.countdown = 0;  // tracked allocators record every block, too
        return false;
    }
    return is_resolved();
}

void* copy_out(void* block, std::size_t readable, std::size_t bytes) noexcept {
    void* const fresh = targets.allocate(bytes);
    if (fresh != nullptr) { std::memcpy(fresh, block, std::min(readable, bytes)); }
    return fresh;
}

// realloc of a block at an edge that is ours. False: it is there by chance.
bool is_reallocated(void* block, std::size_t bytes, void*& result) noexcept {
    if (bootstrap.contains(block)) {
        result = copy_out(block, bootstrap.readable_bytes(block), bytes);
        return true;
    }
    const std::size_t readable = real.heap.usable_bytes(block);  // 0: the allocator does not tell
    if (!is_exact() || bytes == 0 || readable == 0) { return reallocate_heap_sample(real.sampled_heap, block, bytes, result); }
    // Full mode: the new block is one to record; the old one is still a sample.
    if (!is_heap_sample(block)) { return false; }
    result = copy_out(block, readable, bytes);
    if (result != nullptr) { release_heap_sample(real.sampled_heap, block); }
    return true;
}

}  // namespace

void* sampled_malloc(std::size_t bytes, const void* caller) noexcept {
    if (is_exact()) {  // as in may_sample(): full mode comes by here each time
        detail::this_thread.countdown = 0;
        return targets.allocate(bytes);
    }
    if (may_sample()) {
        if (void* const block = allocate_heap_sample(real.sampled_heap, {bytes}, caller); block != nullptr) { return block; }
    }
    return targets.allocate(bytes);
}

void* sampled_calloc(std::size_t bytes, const void* caller) noexcept {
    if (may_sample()) {
        if (void* const block = allocate_heap_sample(real.sampled_heap, {bytes, 0, true}, caller); block != nullptr) {
            return block;
        }
    }
    return targets.allocate_zeroed(1, bytes);
}

void* sampled_memalign(std::size_t alignment, std::size_t bytes, const void* caller) noexcept {
    if (may_sample()) {
        if (void* const block = allocate_heap_sample(real.sampled_heap, {bytes, alignment}, caller); block != nullptr) {
            return block;
        }
    }
    return targets.allocate_aligned(alignment, bytes);
}

void* sampled_realloc(void* block, std::size_t bytes, const void* caller) noexcept {
    if (block == nullptr) { return sampled_malloc(bytes, caller); }
    const bool is_drawn = may_sample();
    void* result = nullptr;
    if (!detail::is_edge(block) || !is_reallocated(block, bytes, result)) { result = targets.reallocate(block, bytes); }
    return is_drawn ? adopt_heap_sample(real.sampled_heap, result, bytes, caller) : result;
}

void free_at_edge(void* block) noexcept {
    if (!is_freed_at_edge(block)) { targets.release(block); }
}

void* realloc_at_edge(void* block, std::size_t bytes) noexcept {
    if (block == nullptr) { return targets.allocate(bytes); }  // its bytes are charged already
    void* result = nullptr;
    return is_reallocated(block, bytes, result) ? result : targets.reallocate(block, bytes);
}

bool is_freed_at_edge(void* block) noexcept {
    return block == nullptr || bootstrap.contains(block) || (is_resolved() && release_heap_sample(real.sampled_heap, block));
}

void forget_at_edge(void* block) noexcept {
    if (is_resolved()) { forget_heap_sample(block); }
}

}  // namespace memwatch::interpose
