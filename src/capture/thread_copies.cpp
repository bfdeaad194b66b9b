// SPDX-License-Identifier: Apache-2.0
#include "capture/thread_copies.hpp"

#include "capture/own_work.hpp"
#include "platform/unwind_rules.hpp"

namespace memwatch {
inline namespace v1 {
namespace detail {

constinit std::atomic<const copy_list*> other_copies{nullptr};
constinit std::atomic<thread_block* (*)() noexcept> first_copys_block{nullptr};

namespace {

thread_block* block_of_this_copy() noexcept { return &this_thread; }

// The calling thread's blocks in other copies: whether one of them is as `is_so` says.
template <class Predicate>
bool any_other_block(Predicate is_so) noexcept {
    // relaxed: a list that is only asked about the calling thread's own blocks.
    const copy_list* const copies = other_copies.load(std::memory_order_relaxed);
    return copies != nullptr && copies->visit([&](const copy_access& copy) {
        const thread_block* const block = copy.block();
        return block != &this_thread && is_so(*block);
    });
}

}  // namespace

const copy_access& this_copy() noexcept {
    static constexpr copy_access access{&block_of_this_copy, &platform::forget_unwind_rules};
    return access;
}

bool is_busy_in_another_copy() noexcept {
    return any_other_block([](const thread_block& block) { return own_work::is_parked(block); });
}

bool is_left_out_by_another_copy() noexcept {
    return any_other_block([](const thread_block& block) { return own_work::is_left_out(block); });
}

bool is_covered_by_another_copy() noexcept {
    return any_other_block([](const thread_block& block) { return block.is_covered != 0; });
}

}  // namespace detail
}  // namespace v1
}  // namespace memwatch
