// SPDX-License-Identifier: Apache-2.0
#include "interpose/exact_heap.hpp"

#include <atomic>
#include <cstdint>
#include <cstring>

#include <memwatch/capture/thread_block.hpp>
#include "capture/exact_sink.hpp"
#include "capture/own_work.hpp"
#include "interpose/block_index.hpp"
#include "interpose/targets.hpp"

namespace memwatch::interpose {

constinit std::atomic<bool> is_full_now{false};

namespace {

constinit std::atomic<bool> was_ever_full{false};
constinit block_index index_of;
constinit std::size_t least_bytes = 0;  // asked of the real allocator, so that no two blocks share a word of the index

bool records_this_thread() noexcept { return !detail::own_work::is_left_out() && !detail::is_covered(); }

std::size_t padded(std::size_t bytes) noexcept { return bytes < least_bytes ? least_bytes : bytes; }

// Forgets the block first: the allocator may give its address to somebody else.
inline void die(const void* block) noexcept {
    if (const std::uint32_t index = index_of.take(block); index != 0) { exact_death(index, block); }
}

void* born(void* block, std::size_t bytes, const entry_point& entry) noexcept {
    if (__builtin_expect(block == nullptr, 0)) { return nullptr; }
    die(block);  // still recorded: freed by code that does not call us
    const std::uint32_t index = exact_birth(block, bytes, entry.stack_pointer, entry.frame_pointer);
    if (index != 0 && !index_of.set(block, index)) { exact_death(index, block); }
    return block;
}

void* exact_allocate(std::size_t bytes) noexcept { return exact_allocate_at(bytes, this_entry()); }

void* exact_allocate_zeroed(std::size_t count, std::size_t bytes) noexcept {
    std::size_t total = 0;
    if (!records_this_thread() || __builtin_mul_overflow(count, bytes, &total)) {
        return real.heap.allocate_zeroed(count, bytes);
    }
    return born(real.heap.allocate_zeroed(1, padded(total)), total, this_entry());
}

void* exact_allocate_aligned(std::size_t alignment, std::size_t bytes) noexcept {
    return exact_allocate_aligned_at(alignment, bytes, this_entry());
}

// Also on a thread that does memwatch's own work: nothing freed may stay.
void exact_release(void* block) noexcept {
    // What the allocator keeps before it, and looks at next: fetched while we wait for our own word.
    __builtin_prefetch(static_cast<const char*>(block) - 16);
    die(block);
    real.heap.release(block);
}
void exact_release_sized(void* block, std::size_t) noexcept { exact_release(block); }

// The address may be another thread's before realloc returns, so its index leaves first; the record waits for the outcome.
void* exact_reallocate(void* block, std::size_t bytes) noexcept {
    const entry_point entry = this_entry();
    const bool is_recording = records_this_thread();
    const std::uint32_t index = index_of.take(block);
    void* const result = real.heap.reallocate(block, is_recording && bytes != 0 ? padded(bytes) : bytes);
    if (result == nullptr && bytes != 0) {
        if (index != 0) { index_of.set(block, index); }
        return nullptr;
    }
    if (index != 0) { exact_death(index, block); }
    // A block that realloc(p, 0) left behind is an ordinary one: it is smaller than what the index tells apart.
    return is_recording && bytes != 0 ? born(result, bytes, entry) : result;
}

}  // namespace

void* exact_allocate_at(std::size_t bytes, const entry_point& entry) noexcept {
    if (__builtin_expect(!records_this_thread(), 0)) { return real.heap.allocate(bytes); }
    return born(real.heap.allocate(padded(bytes)), bytes, entry);
}

void* exact_allocate_aligned_at(std::size_t alignment, std::size_t bytes, const entry_point& entry) noexcept {
    if (!records_this_thread()) { return real.heap.allocate_aligned(alignment, bytes); }
    return born(real.heap.allocate_aligned(alignment, padded(bytes)), bytes, entry);
}

// relaxed: as is_exact().
bool has_been_exact() noexcept { return was_ever_full.load(std::memory_order_relaxed); }
std::uint64_t exact_self_bytes() noexcept { return index_of.resident_bytes(); }

void enter_full_mode() noexcept {
    resolve();
    if (is_exact() || !index_of.open()) { return; }
    least_bytes = std::strcmp(real.name, "glibc") == 0 ? 0 : block_index::least_distance;
    was_ever_full.store(true, std::memory_order_relaxed);  // relaxed: as is_exact()
    is_full_now.store(true, std::memory_order_relaxed);    // relaxed: as above
    put_in_place({&exact_allocate, &exact_release, &exact_release_sized, &exact_allocate_zeroed, &exact_reallocate,
                  &exact_allocate_aligned, real.heap.usable_bytes});
}

void leave_full_mode() noexcept {
    if (!is_exact()) { return; }
    put_in_place(sampled_targets(least_bytes == 0));
    is_full_now.store(false, std::memory_order_relaxed);  // relaxed: as is_exact()
    index_of.clear();  // a thread still inside may leave a word behind; its record is gone, and it says nothing
}

}  // namespace memwatch::interpose
