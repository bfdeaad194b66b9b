// SPDX-License-Identifier: Apache-2.0
#pragma once
// How a thread looks at each of its blocks for a while without losing its draw, and what that may cost it.
//
//   draw:       next sample in 812,331 bytes                      waits here while the thread is attentive
//   countdown:  0 -> every allocation borrows, is asked about, and shortens the draw by its size
//
//   attentive  256 blocks, or 20 us of records      cost: 30 ns a block asked about, records as measured
//   resting    until that cost is the allowed share of the time since it last rested; countdown = a chunk of the draw,
//              so that allocations are as fast as ever; once a chunk (some 256 blocks) the clock is read
//
//   100,000 blocks a second: 0.3 % of the thread's time, it never rests; 5 million: attentive a thirtieth of the time at 5
//   permille
//
// A thread begins when its draw next ends (R bytes in the mean): one that allocates from a suspect site soon does.
// Threads: the calling one's own state. Allocates, locks: never.

#include <cstddef>
#include <cstdint>

#include "capture/sample_request.hpp"

namespace memwatch {
inline namespace v1 {

struct capture_state;

namespace detail {

struct attention {
    std::uint64_t draw_bytes;     // until the next sample, when the countdown was set
    std::uint64_t set_bytes;      // what it was set to: 0 while attentive, else a chunk of the draw
    std::uint64_t rest_until_ns;  // CLOCK_MONOTONIC; 0 = attentive
    std::uint64_t paid_until_ns;  // time before this has paid for what was spent
    std::uint64_t asked_bytes;    // since it began to be attentive, as the next three
    std::uint32_t asked;
    std::uint32_t spent_ns;
    bool is_open;  // the above holds; else the countdown is the whole draw
};
extern __attribute__((tls_model("initial-exec"))) __thread attention attention_of_this_thread;

// What a block that is asked about costs, measured (docs/measurements.md, "Escalation"); what the free of a recorded block
// adds.
inline constexpr std::uint64_t ask_ns = 30;
inline constexpr std::uint64_t free_ns = 500;

// The draw at this moment, `bytes` of which the block that borrowed would take.
[[nodiscard]] std::uint64_t left_of_draw(const thread_block& self, std::size_t bytes) noexcept;
// Whether the thread looks at this block; begins and ends rests.
[[nodiscard]] bool is_attentive(std::uint32_t permille) noexcept;
// After the block: `left` of the draw is still to come.
void go_on(thread_block& self, const sample_request& request, std::uint64_t left, bool was_attentive,
           std::uint32_t permille) noexcept;
// The draw is a countdown again.
inline void close_attention(thread_block& self, std::uint64_t left) noexcept {
    attention_of_this_thread.is_open = false;
    self.countdown = left;
}

// A record, or a walk that led to none, took so long.
inline void pay_attention(std::uint64_t ns) noexcept { attention_of_this_thread.spent_ns += static_cast<std::uint32_t>(ns); }

}  // namespace detail
}  // namespace v1
}  // namespace memwatch
