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

// The ignore_scopes of a thread, in this copy of memwatch: how many are open, how many ever began, and the countdown to go on
// with when the last one ends.
struct ignoring_state {
    std::uint32_t depth;
    std::uint32_t times;
    std::uint64_t countdown;
};
extern __attribute__((tls_model("initial-exec"))) __thread ignoring_state ignoring;

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
    // What the program wants left out: lower, so that it is not taken for ours. Within our own work it changes nothing. Scopes
    // are counted, so that they may end in any order: the last one's end puts the countdown back.
    static void begin_ignoring() noexcept {
        ++ignoring.times;
        if (++ignoring.depth > 1 || is_parked(this_thread)) { return; }
        ignoring.countdown = this_thread.countdown;
        this_thread.countdown = ignored;
    }
    static void end_ignoring() noexcept {
        if (ignoring.depth == 0 || --ignoring.depth > 0) { return; }  // 0: it began on another thread
        if (is_left_out(this_thread) && !is_parked(this_thread)) { this_thread.countdown = ignoring.countdown; }
    }
    // How many such scopes the calling thread has begun, ever.
    [[nodiscard]] static std::uint32_t times_ignored() noexcept { return ignoring.times; }

    // The calling thread's next allocation is looked at, with a draw of its own. What is being left out stays so; the draw
    // waits for the end of that. Not while our own work is under way: its end puts the old countdown back.
    static void draw_anew() noexcept {
        for_each_block_of_this_thread([](thread_block& block) {
            block.random_state = 0;
            if (!is_left_out(block)) { block.countdown = 0; }
        });
        ignoring.countdown = 0;
    }
    // Whether nothing on this thread is to be recorded now: for doors that record without asking the countdown.
    [[nodiscard]] static bool is_left_out() noexcept {
        if (is_left_out(this_thread)) { return true; }
        // relaxed: as above.
        return other_copies.load(std::memory_order_relaxed) != nullptr && is_left_out_by_another_copy();
    }
    [[nodiscard]] static bool is_left_out(const thread_block& block) noexcept { return is_left_out(block.countdown); }
    [[nodiscard]] static bool is_left_out(std::uint64_t countdown) noexcept { return countdown >= ignored / 2; }

    static void unpark(std::uint64_t before) noexcept { this_thread.countdown = before; }

private:
    static constexpr std::uint64_t parked = std::uint64_t{1} << 62U;
    static constexpr std::uint64_t ignored = std::uint64_t{1} << 60U;

    std::uint64_t saved_;
};

}  // namespace detail
}  // namespace v1
}  // namespace memwatch
