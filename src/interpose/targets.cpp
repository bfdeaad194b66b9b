// SPDX-License-Identifier: Apache-2.0
#include "interpose/targets.hpp"

#include "interpose/operator_targets.hpp"

#include <cerrno>
#include <cstring>

namespace memwatch::interpose {
namespace {

bool is_resolving = false;
bool has_resolved = false;

// --- unresolved: find the allocator, then do as asked

void* first_allocate(std::size_t bytes) noexcept {
    resolve();
    return has_resolved ? real.heap.allocate(bytes) : bootstrap.allocate(bytes);
}
void first_release(void* block) noexcept {
    resolve();
    if (has_resolved) { real.heap.release(block); }  // else: not from here, and nobody knows from where; leaked on purpose
}
void first_release_sized(void* block, std::size_t) noexcept { first_release(block); }
void* first_allocate_zeroed(std::size_t count, std::size_t bytes) noexcept {
    resolve();
    if (has_resolved) { return real.heap.allocate_zeroed(count, bytes); }
    std::size_t total = 0;
    return __builtin_mul_overflow(count, bytes, &total) ? nullptr : bootstrap.allocate(total);
}
void* first_reallocate(void* block, std::size_t bytes) noexcept {
    resolve();
    if (has_resolved) { return real.heap.reallocate(block, bytes); }
    return block == nullptr ? bootstrap.allocate(bytes) : nullptr;
}
void* first_allocate_aligned(std::size_t alignment, std::size_t bytes) noexcept {
    resolve();
    if (has_resolved) { return real.heap.allocate_aligned(alignment, bytes); }
    return alignment <= 4096 ? bootstrap.allocate(bytes) : nullptr;
}
std::size_t first_usable_bytes(void* block) noexcept {
    resolve();
    return has_resolved ? real.heap.usable_bytes(block) : 0;
}

}  // namespace

constinit heap_targets targets{&first_allocate,   &first_release,          &first_release_sized, &first_allocate_zeroed,
                               &first_reallocate, &first_allocate_aligned, &first_usable_bytes};
constinit real_allocator real{};
constinit bootstrap_arena bootstrap{};

void resolve() noexcept {
    if (has_resolved || is_resolving) { return; }
    is_resolving = true;
    real = find_real_allocator();
    has_resolved = true;
    is_resolving = false;
    find_operators();
    put_in_place(sampled_targets(true));
}

void put_in_place(const heap_targets& wanted) noexcept {
    // relaxed: old and new functions are both right for any block, and everything they use was there before.
    const auto swap = [](auto& target, auto function) { __atomic_store_n(&target, function, __ATOMIC_RELAXED); };
    swap(targets.usable_bytes, wanted.usable_bytes);
    swap(targets.release, wanted.release);
    swap(targets.release_sized, wanted.release_sized);
    swap(targets.reallocate, wanted.reallocate);
    swap(targets.allocate_aligned, wanted.allocate_aligned);
    swap(targets.allocate_zeroed, wanted.allocate_zeroed);
    swap(targets.allocate, wanted.allocate);
    put_operators_in_place(wanted);
}

heap_targets sampled_targets(bool trusts_sizes) noexcept {
    const auto release_unsized = [](void* block, std::size_t) noexcept { real.heap.release(block); };
    return {real.heap.allocate,        real.heap.release,    trusts_sizes ? real.release_sized : release_unsized,
            real.heap.allocate_zeroed, real.heap.reallocate, real.heap.allocate_aligned,
            real.heap.usable_bytes};
}

bool is_resolved() noexcept { return has_resolved; }

}  // namespace memwatch::interpose
