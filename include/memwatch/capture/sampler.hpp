// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which allocations become records. Bytes arrive at a Poisson process of rate 1/R: the countdown is drawn from an exponential
// distribution with mean R, each allocation subtracts its size, and the one that would take it below zero is the sample.
// So P(a block of S bytes is sampled) = 1 - exp(-S/R), independent of everything before (the process has no memory), and one
// allocation is at most one sample. Draws are floored to whole bytes, which keeps that probability exact for whole sizes:
// P(floor(X) < S) = P(X < S). Weights: model/weight.hpp. Checked by tests/unit/capture/sampler_test.cpp, 4 sigma.
//
// While sites are escalated (src/capture/escalation.hpp) each allocation borrows, too, as long as the thread looks at its
// blocks; what is left of the draw waits, so samples are the ones they would have been.
//
// Other samplers (src/capture/README.md): the countdown stands at 0, so that every allocation borrows and is asked for, here in
// the slow path. A decision with probability p is recorded with the R' that has 1 - exp(-S/R') = p, rounded to whole bytes
// *before* it is drawn for: weights are exact, and what rounding moves is the rate (S = 1, p = 1/2: R' = 1, p' = 0.63).
//
// Fast: countdown_borrows(), inline, one subtraction and one branch. Slow: take_sample(), once in R bytes.

#include <cstddef>
#include <cstdint>

#include <memwatch/base/export.hpp>
#include <memwatch/capture/thread_block.hpp>

namespace memwatch {
inline namespace v1 {
namespace detail {

// Subtracts `bytes` from the thread's countdown. True: it ran out (or the thread is new, or sampling is off): call take_sample.
inline bool countdown_borrows(std::size_t bytes) noexcept {
    thread_block& self = block_of_this_thread();
    return __builtin_sub_overflow(self.countdown, static_cast<std::uint64_t>(bytes), &self.countdown);
}

// What take_sample decided. `interval_bytes` is the R the draw was made with, which the record's weight needs; `began_ns` is
// when (CLOCK_MONOTONIC), so that what the sample costs can be measured to the end of its recording.
struct sample_ticket {
    bool is_taken;
    std::uint64_t interval_bytes;
    std::uint64_t began_ns = 0;
    std::uint8_t escalated = 0;  // who asked for this block: a slot of src/capture/escalation.hpp, plus 1; 0 = it was drawn
};

// After countdown_borrows(bytes) said true: seeds a new thread, refills the countdown, and says whether this block is a sample.
// Threads: any. Allocates, locks: never.
// `owner`: the tag that the block will have.
[[gnu::cold]] MEMWATCH_API sample_ticket take_sample(std::size_t bytes, tag_id owner = 0) noexcept;

// After countdown_borrows(bytes) said true at a block that is no sample whatever is drawn: another door's, for one. Refills the
// countdown, as take_sample() would.
[[gnu::cold]] MEMWATCH_API void skip_sample(std::size_t bytes) noexcept;

}  // namespace detail
}  // namespace v1
}  // namespace memwatch
