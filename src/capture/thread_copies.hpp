// SPDX-License-Identifier: Apache-2.0
#pragma once
// More than one copy of memwatch in a process (src/runtime/copies.hpp): the state is the first copy's, but each copy has a
// thread block of its own in TLS, for its inline paths read that without asking anybody. What of it must agree is kept in one
// place:
//
//   first copy's block    row, trace context        <- home_block(), for all copies
//   each copy's block     countdown, draw, covered  <- each copy samples what passes through its own doors
//
// Countdowns are independent Poisson processes of the same rate, so several are as good as one. The row is leased once for a
// thread and noted in each copy's block that counts. What one copy covers, or does for itself, another's doors leave alone:
// they ask when their countdown has run out, never before.
//
// Alone, which is the rule, `other_copies` is null and all of this is one load on slow paths.

#include <array>
#include <atomic>
#include <cstddef>

#include <memwatch/base/export.hpp>
#include <memwatch/capture/thread_block.hpp>

namespace memwatch {
inline namespace v1 {

// One copy, as the others see it. Both functions lie in a module that stays loaded.
struct copy_access {
    thread_block* (*block)() noexcept;  // the calling thread's
    void (*forget_code)() noexcept;     // what is known of code by its address is void
};

class copy_list {
public:
    static constexpr std::size_t capacity = 16;  // the loader's room for static TLS ends at about as many

    // Threads: any; one call for each copy. False: full.
    bool add(const copy_access& copy) noexcept {
        for (std::atomic<const copy_access*>& place : copies_) {
            const copy_access* nobody = nullptr;
            // release: pairs with the acquire in visit().
            if (place.compare_exchange_strong(nobody, &copy, std::memory_order_release, std::memory_order_relaxed)) {
                return true;
            }
        }
        return false;
    }

    // Calls `function(copy)` for each until it returns true, and says whether it did. [hook]
    template <class Function>
    bool visit(Function function) const noexcept {
        for (const std::atomic<const copy_access*>& place : copies_) {
            // acquire: pairs with the release in add().
            const copy_access* const copy = place.load(std::memory_order_acquire);
            if (copy == nullptr) { return false; }
            if (function(*copy)) { return true; }
        }
        return false;
    }

private:
    std::array<std::atomic<const copy_access*>, capacity> copies_{};  // filled from the front, for good
};

namespace detail {

// The process' copies, this one included; null while it is alone. In each copy.
extern MEMWATCH_API std::atomic<const copy_list*> other_copies;
// The first copy's accessor, in every other one; null in the first.
extern std::atomic<thread_block* (*)() noexcept> first_copys_block;

// This copy, for the list.
[[nodiscard]] const copy_access& this_copy() noexcept;

// What every copy shares of the calling thread: `row` and `context`. [hook]
[[nodiscard]] inline thread_block& home_block() noexcept {
    // relaxed: a function's address, written once before this copy counts or sets anything.
    thread_block* (*const of_first)() noexcept = first_copys_block.load(std::memory_order_relaxed);
    return __builtin_expect(of_first == nullptr, 1) ? this_thread : *of_first();
}

// Whether the calling thread is inside another copy's own work, or another copy's covered_scope. [hook]
[[nodiscard]] MEMWATCH_API bool is_busy_in_another_copy() noexcept;
// The same, or inside an ignore_scope of another copy. [hook]
[[nodiscard]] MEMWATCH_API bool is_left_out_by_another_copy() noexcept;
[[nodiscard]] MEMWATCH_API bool is_covered_by_another_copy() noexcept;

// A door of any copy is fetching memory for a block that it counts itself. [hook]
[[nodiscard]] inline bool is_covered() noexcept {
    if (this_thread.is_covered != 0) { return true; }
    // relaxed: a list that is only asked about the calling thread's own blocks.
    return other_copies.load(std::memory_order_relaxed) != nullptr && is_covered_by_another_copy();
}

// For every copy's block of the calling thread, this copy's included. [hook]
template <class Function>
void for_each_block_of_this_thread(Function function) noexcept {
    // relaxed: as above.
    const copy_list* const copies = other_copies.load(std::memory_order_relaxed);
    if (copies == nullptr) {
        function(this_thread);
        return;
    }
    copies->visit([&](const copy_access& copy) {
        function(*copy.block());
        return false;
    });
}

}  // namespace detail
}  // namespace v1
}  // namespace memwatch
