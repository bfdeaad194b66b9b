// SPDX-License-Identifier: Apache-2.0
#include "interpose/exact_heap.hpp"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include <memwatch/capture/thread_block.hpp>
#include "capture/exact_sink.hpp"
#include "capture/own_work.hpp"
#include "interpose/targets.hpp"

namespace memwatch::interpose {
namespace {

std::atomic<bool> is_full{false};
std::atomic<bool> was_ever_full{false};

// In the block's last 8 usable bytes. `check` makes a stale or foreign word here cost a comparison and not a look at a record;
// what decides is the record itself.
struct tail {
    std::uint32_t index;  // 0: not recorded
    std::uint32_t check;
};
constexpr std::size_t tail_bytes = sizeof(tail);

std::uint32_t nonce = 0;  // of this stretch of full mode

std::uint32_t check_of(const void* block) noexcept {
    const std::uint64_t mixed = (reinterpret_cast<std::uint64_t>(block) >> 4U) * 0x9E37'79B9'7F4A'7C15ULL;
    return static_cast<std::uint32_t>(mixed >> 32U) ^ nonce;
}

void* tail_of(void* block, std::size_t usable) noexcept { return static_cast<char*>(block) + usable - tail_bytes; }

std::uint32_t read_tail(void* block) noexcept {
    const std::size_t usable = real.heap.usable_bytes(block);
    if (__builtin_expect(usable < tail_bytes, 0)) { return 0; }
    tail found;
    std::memcpy(&found, tail_of(block, usable), sizeof found);
    return found.check == check_of(block) ? found.index : 0;
}

void write_tail(void* block, std::uint32_t index) noexcept {
    const tail fresh{index, index == 0 ? 0 : check_of(block)};
    std::memcpy(tail_of(block, real.heap.usable_bytes(block)), &fresh, sizeof fresh);
}

// Where the program called us, for the stack.
struct entry_point {
    const void* stack_pointer;  // points at the return address
    std::uint64_t frame_pointer;
};
#define MEMWATCH_ENTRY_POINT()                                          \
    entry_point {                                                       \
        static_cast<char*>(__builtin_frame_address(0)) + sizeof(void*), \
            *static_cast<std::uint64_t*>(__builtin_frame_address(0))    \
    }

bool records_this_thread() noexcept { return !detail::own_work::is_running() && detail::this_thread.is_covered == 0; }

void* born(void* block, std::size_t bytes, const entry_point& entry) noexcept {
    if (__builtin_expect(block != nullptr, 1)) {
        write_tail(block, exact_birth(block, bytes, entry.stack_pointer, entry.frame_pointer));
    }
    return block;
}

// Sizes that no allocator grants stay so: adding the tail must not wrap.
constexpr std::size_t with_tail(std::size_t bytes) noexcept {
    return bytes > SIZE_MAX - tail_bytes ? bytes : bytes + tail_bytes;
}

void* exact_allocate(std::size_t bytes) noexcept {
    if (__builtin_expect(!records_this_thread(), 0)) { return real.heap.allocate(bytes); }
    return born(real.heap.allocate(with_tail(bytes)), bytes, MEMWATCH_ENTRY_POINT());
}

void* exact_allocate_zeroed(std::size_t count, std::size_t bytes) noexcept {
    std::size_t total = 0;
    if (!records_this_thread() || __builtin_mul_overflow(count, bytes, &total)) {
        return real.heap.allocate_zeroed(count, bytes);
    }
    return born(real.heap.allocate_zeroed(1, with_tail(total)), total, MEMWATCH_ENTRY_POINT());
}

void* exact_allocate_aligned(std::size_t alignment, std::size_t bytes) noexcept {
    if (!records_this_thread()) { return real.heap.allocate_aligned(alignment, bytes); }
    return born(real.heap.allocate_aligned(alignment, with_tail(bytes)), bytes, MEMWATCH_ENTRY_POINT());
}

// Forgets the block if it is recorded. A free on a parked thread counts, too: nothing freed may stay.
void die(void* block) noexcept {
    const std::uint32_t index = read_tail(block);
    if (index != 0 && exact_death(index, block)) { write_tail(block, 0); }
}

void exact_release(void* block) noexcept {
    if (block == nullptr) { return; }
    die(block);
    real.heap.release(block);
}
void exact_release_sized(void* block, std::size_t) noexcept { exact_release(block); }

// The record goes only when realloc has succeeded: it is found by its index, so it does not matter that another thread may have
// been given the address by then.
void* exact_reallocate(void* block, std::size_t bytes) noexcept {
    const entry_point entry = MEMWATCH_ENTRY_POINT();
    const bool is_recording = records_this_thread();
    const std::uint32_t index = block == nullptr ? 0 : read_tail(block);
    if (index != 0) { write_tail(block, 0); }
    void* const result =
        real.heap.reallocate(block, is_recording && (bytes != 0 || block == nullptr) ? with_tail(bytes) : bytes);
    if (result == nullptr && bytes != 0) {
        if (index != 0) { write_tail(block, index); }
        return nullptr;
    }
    if (index != 0) { exact_death(index, block); }
    return is_recording ? born(result, bytes, entry) : result;
}

// The tail is ours: a program that asks how much it may use must not be given it.
std::size_t exact_usable_bytes(void* block) noexcept {
    const std::size_t usable = real.heap.usable_bytes(block);
    return block != nullptr && read_tail(block) != 0 ? usable - tail_bytes : usable;
}

}  // namespace

// relaxed, all: the targets decide; these only help to choose, and are set before the first block they speak of.
bool is_exact() noexcept { return is_full.load(std::memory_order_relaxed); }
bool has_been_exact() noexcept { return was_ever_full.load(std::memory_order_relaxed); }  // relaxed: as above

void enter_full_mode() noexcept {
    resolve();
    nonce = exact_handle_check();
    was_ever_full.store(true, std::memory_order_relaxed);  // relaxed: as above
    is_full.store(true, std::memory_order_relaxed);        // relaxed: as above
    put_in_place({&exact_allocate, &exact_release, &exact_release_sized, &exact_allocate_zeroed, &exact_reallocate,
                  &exact_allocate_aligned, &exact_usable_bytes});
}

void leave_full_mode() noexcept {
    if (!is_exact()) { return; }
    put_in_place(sampled_targets(!has_been_exact()));
    is_full.store(false, std::memory_order_relaxed);  // relaxed: as above
}

}  // namespace memwatch::interpose
