// SPDX-License-Identifier: Apache-2.0
#pragma once
// While one lives, what the calling thread allocates is memwatch's own and never a sample, in any mode. The countdown is the
// guard (thread_block.hpp): a value no draw reaches (36.8 R, R <= 1 TiB: below 2^46) and no amount of allocating wears out.
// Nests. Threads: any. [hook]

#include <cstdint>

#include <memwatch/capture/thread_block.hpp>
#include "capture/thread_copies.hpp"

namespace memwatch {
inline namespace v1 {
namespace detail {

class own_work {
public:
    own_work() noexcept : saved_(park()) {}
    ~own_work() { unpark(saved_); }
    own_work(const own_work&) = delete;
    own_work& operator=(const own_work&) = delete;

    // The calling thread is one of ours, to its end.
    static void keep_for_thread() noexcept { this_thread.countdown = parked; }

    // Whether the calling thread is inside such a scope, of whichever copy of memwatch: for doors that record without asking
    // the countdown.
    [[nodiscard]] static bool is_running() noexcept {
        if (is_parked(this_thread)) { return true; }
        // relaxed: a list that is only asked about the calling thread's own blocks.
        return other_copies.load(std::memory_order_relaxed) != nullptr && is_busy_in_another_copy();
    }
    [[nodiscard]] static bool is_parked(const thread_block& block) noexcept { return block.countdown >= parked / 2; }

    // The same for a scope that no block of code can be, such as the time between fork handlers.
    [[nodiscard]] static std::uint64_t park() noexcept {
        const std::uint64_t before = this_thread.countdown;
        this_thread.countdown = parked;
        return before;
    }
    // What the program wants left out: lower, so that it is not taken for ours. Within our own work it changes nothing.
    [[nodiscard]] static std::uint64_t ignore() noexcept {
        const std::uint64_t before = this_thread.countdown;
        if (before < ignored / 2) { this_thread.countdown = ignored; }
        return before;
    }
    // Whether nothing on this thread is to be recorded now: for doors that record without asking the countdown.
    [[nodiscard]] static bool is_left_out() noexcept {
        if (is_left_out(this_thread)) { return true; }
        // relaxed: as above.
        return other_copies.load(std::memory_order_relaxed) != nullptr && is_left_out_by_another_copy();
    }
    [[nodiscard]] static bool is_left_out(const thread_block& block) noexcept { return block.countdown >= ignored / 2; }

    static void unpark(std::uint64_t before) noexcept { this_thread.countdown = before; }

private:
    static constexpr std::uint64_t parked = std::uint64_t{1} << 62U;
    static constexpr std::uint64_t ignored = std::uint64_t{1} << 60U;

    std::uint64_t saved_;
};

}  // namespace detail
}  // namespace v1
}  // namespace memwatch
