// SPDX-License-Identifier: Apache-2.0
#include <memwatch/capture/sampler.hpp>

#include <cmath>

#include "base/random.hpp"
#include "capture/capture_state.hpp"
#include "platform/platform.hpp"

namespace memwatch {
inline namespace v1 {
namespace detail {

constinit __thread thread_block this_thread{};

namespace {

// While sampling is off a thread looks again after this many bytes: so a restart is noticed, at 10 ns a MiB.
constexpr std::uint64_t off_recheck_bytes = 1U << 20U;
// interval_bytes of a thread whose countdown is such a look-again and not a draw.
constexpr std::uint64_t not_drawn = (1ULL << 48U) - 1;

// Exponential with mean `interval_bytes`, floored. At most 36.8 R (53 random bits), so it fits for R up to 1 TiB.
std::uint64_t draw_interval(std::uint64_t interval_bytes, std::uint64_t& random_state) noexcept {
    if (interval_bytes == 0) { return 0; }
    return static_cast<std::uint64_t>(-std::log(next_unit(random_state)) * static_cast<double>(interval_bytes));
}

}  // namespace

sample_ticket take_sample(std::size_t bytes) noexcept {
    thread_block& self = this_thread;
    const capture_state& state = process_capture();
    if (self.random_state == 0) {
        self.random_state = platform::random_seed();
        self.interval_bytes = not_drawn;
    }
    // acquire: pairs with the release in session start: the sink and the clock are set.
    if (!state.is_sampling.load(std::memory_order_acquire)) {
        self.interval_bytes = not_drawn;
        self.countdown = off_recheck_bytes;
        return {false, 0};
    }
    // Another copy of memwatch allocates for itself: no sample. What it takes from the draw is drawn for anew.
    if (is_busy_in_another_copy()) {
        self.interval_bytes = not_drawn;
        self.countdown = 0;
        return {false, 0};
    }
    const std::uint64_t began_ns = platform::monotonic_ns();
    const std::uint64_t interval = state.interval.in_force();  // any recent one will do: the draw remembers the R it used
    bool is_taken = true;
    std::uint64_t drawn_with = self.interval_bytes;
    if (drawn_with == not_drawn) {  // this block is the first of its process: it has yet to be drawn for
        const std::uint64_t first = draw_interval(interval, self.random_state);
        is_taken = first < bytes;
        drawn_with = interval;
        if (!is_taken) { self.countdown = first - bytes; }
    }
    self.interval_bytes = interval & not_drawn;
    // The process has no memory: after a sample the next interval starts with the next block.
    if (is_taken) { self.countdown = draw_interval(interval, self.random_state); }
    return {is_taken, drawn_with, began_ns};
}

}  // namespace detail
}  // namespace v1
}  // namespace memwatch
