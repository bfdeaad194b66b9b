// SPDX-License-Identifier: Apache-2.0
#include "interpose/operator_targets.hpp"

#include <new>

namespace memwatch::interpose {
namespace {

// The program's own operators; null: none. A program replaces new and delete together, or not at all.
struct foreign_operators {
    void* (*allocate)(std::size_t);
    void (*release)(void*) noexcept;
    void* (*allocate_aligned)(std::size_t, std::align_val_t);
    void (*release_aligned)(void*, std::align_val_t) noexcept;
};
foreign_operators foreign{};

void foreign_release_sized(void* block, std::size_t) noexcept { foreign.release(block); }
void* foreign_allocate_aligned(std::size_t alignment, std::size_t bytes) {
    return foreign.allocate_aligned(bytes, std::align_val_t{alignment});
}
// The alignment is not carried this far; replacements that need it are given the least that selects the aligned form.
void foreign_release_aligned(void* block) noexcept { foreign.release_aligned(block, std::align_val_t{2 * sizeof(void*)}); }

// --- before anything is resolved: the first call may be an operator

void* first_allocate(std::size_t bytes) {
    resolve();
    return is_resolved() ? operators.allocate(bytes) : bootstrap.allocate(bytes);
}
void first_release(void* block) noexcept {
    resolve();
    if (is_resolved()) { operators.release(block); }
}
void first_release_sized(void* block, std::size_t) noexcept { first_release(block); }
void* first_allocate_aligned(std::size_t alignment, std::size_t bytes) {
    resolve();
    return is_resolved() ? operators.allocate_aligned(alignment, bytes) : bootstrap.allocate(bytes);
}

}  // namespace

constinit operator_targets operators{
    &first_allocate, &first_release, &first_release_sized, &first_allocate_aligned, &first_release, false, false};

void find_operators() noexcept {
    void* const allocate = find_foreign_operator(real, "_Znwm");
    void* const release = find_foreign_operator(real, "_ZdlPv");
    if (allocate != nullptr && release != nullptr) {
        foreign.allocate = reinterpret_cast<decltype(foreign.allocate)>(allocate);
        foreign.release = reinterpret_cast<decltype(foreign.release)>(release);
        operators.is_foreign = true;
    }
    void* const allocate_aligned = find_foreign_operator(real, "_ZnwmSt11align_val_t");
    void* const release_aligned = find_foreign_operator(real, "_ZdlPvSt11align_val_t");
    if (allocate_aligned != nullptr && release_aligned != nullptr) {
        foreign.allocate_aligned = reinterpret_cast<decltype(foreign.allocate_aligned)>(allocate_aligned);
        foreign.release_aligned = reinterpret_cast<decltype(foreign.release_aligned)>(release_aligned);
        operators.is_aligned_foreign = true;
    }
}

void put_operators_in_place(const heap_targets& wanted) noexcept {
    // relaxed: as in put_in_place().
    const auto swap = [](auto& target, auto function) { __atomic_store_n(&target, function, __ATOMIC_RELAXED); };
    const bool has_plain = foreign.allocate != nullptr;
    const bool has_aligned = foreign.allocate_aligned != nullptr;
    swap(operators.release, has_plain ? foreign.release : wanted.release);
    swap(operators.release_sized, has_plain ? &foreign_release_sized : wanted.release_sized);
    swap(operators.release_aligned, has_aligned ? &foreign_release_aligned : wanted.release);
    swap(operators.allocate_aligned, has_aligned ? &foreign_allocate_aligned : wanted.allocate_aligned);
    swap(operators.allocate, has_plain ? foreign.allocate : wanted.allocate);
}

}  // namespace memwatch::interpose
