// SPDX-License-Identifier: Apache-2.0
#include <memwatch/capture/sampler.hpp>

#include <cmath>

#include "base/random.hpp"
#include "capture/capture_state.hpp"
#include "capture/own_work.hpp"
#include "capture/sampler_choice.hpp"
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

// False: sampling is off, and the thread looks again later.
bool begin_look(thread_block& self, const capture_state& state) noexcept {
    if (self.random_state == 0) {
        self.random_state = platform::random_seed();
        self.interval_bytes = not_drawn;
    }
    // acquire: pairs with the release in session start: the sink and the clock are set.
    if (!state.is_sampling.load(std::memory_order_acquire)) {
        self.interval_bytes = not_drawn;
        self.countdown = off_recheck_bytes;
        return false;
    }
    // Another copy of memwatch allocates for itself, or leaves this out: no sample. What it takes from the draw is drawn for
    // anew.
    if (is_left_out_by_another_copy()) {
        self.interval_bytes = not_drawn;
        self.countdown = 0;
        return false;
    }
    return true;
}

sample_ticket draw(thread_block& self, const capture_state& state, std::size_t bytes) noexcept {
    const std::uint64_t began_ns = platform::monotonic_ns();
    const std::uint64_t interval = state.interval.in_force_at(began_ns);  // any recent one will do: the draw remembers its R
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

// A draw that was made before the sampler changed is kept: this block is its sample. From then on each block is asked for.
sample_ticket ask(thread_block& self, const capture_state& state, const sampler_choice& sampler, std::size_t bytes,
                  tag_id owner) noexcept {
    const std::uint64_t drawn_with = self.interval_bytes;
    self.interval_bytes = not_drawn;
    self.countdown = 0;
    if (drawn_with != not_drawn) { return {true, drawn_with, platform::monotonic_ns()}; }
    std::uint64_t interval = 0;
    {
        const own_work guard;  // what a function of the program allocates against the rules is no sample
        if (!sampler.decide(bytes, owner, self.random_state, state.interval.raised_floor(), interval)) { return {false, 0}; }
    }
    return {true, interval, platform::monotonic_ns()};
}

}  // namespace

sample_ticket take_sample(std::size_t bytes, tag_id owner) noexcept {
    thread_block& self = this_thread;
    const capture_state& state = process_capture();
    if (!begin_look(self, state)) { return {false, 0}; }
    // acquire: pairs with the release in steering's set_switches(): what the choice holds.
    const sampler_choice* const sampler = state.sampler.load(std::memory_order_acquire);
    const sample_ticket ticket = sampler == nullptr ? draw(self, state, bytes) : ask(self, state, *sampler, bytes, owner);
    // relaxed: a setting. What is below it is left out after the draw: for all others the process is the same.
    if (bytes < state.min_size_bytes.load(std::memory_order_relaxed)) { return {false, 0}; }
    return ticket;
}

void skip_sample(std::size_t bytes) noexcept {
    thread_block& self = this_thread;
    const capture_state& state = process_capture();
    if (!begin_look(self, state)) { return; }
    // relaxed: nothing behind it is read.
    if (state.sampler.load(std::memory_order_relaxed) == nullptr) {
        static_cast<void>(draw(self, state, bytes));
        return;
    }
    // A Poisson draw that ended at this block was for the block that the other door has: it is asked for by itself.
    self.interval_bytes = not_drawn;
    self.countdown = 0;
}

}  // namespace detail
}  // namespace v1
}  // namespace memwatch
