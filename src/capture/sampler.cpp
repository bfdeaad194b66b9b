// SPDX-License-Identifier: Apache-2.0
#include <memwatch/capture/sampler.hpp>

#include <cmath>

#include "base/random.hpp"
#include "capture/attention.hpp"
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

// Whatever the countdown stood for is over.
void forget_draw(thread_block& self) noexcept {
    self.interval_bytes = not_drawn;
    close_attention(self, 0);
}

// False: sampling is off, and the thread looks again later.
bool begin_look(thread_block& self, const capture_state& state) noexcept {
    if (self.random_state == 0) {
        self.random_state = platform::random_seed();
        forget_draw(self);
    }
    // acquire: pairs with the release in session start: the sink and the clock are set.
    if (!state.is_sampling.load(std::memory_order_acquire)) {
        forget_draw(self);
        self.countdown = off_recheck_bytes;
        return false;
    }
    // Another copy of memwatch allocates for itself, or leaves this out: no sample. What it takes from the draw is drawn for
    // anew.
    if (is_left_out_by_another_copy()) {
        forget_draw(self);
        return false;
    }
    return true;
}

// What becomes of a block when `left` of the draw was still to come, and what is left after it.
struct drawn_block {
    sample_ticket ticket;
    std::uint64_t left;
};

drawn_block draw(thread_block& self, const capture_state& state, std::size_t bytes, std::uint64_t left) noexcept {
    const std::uint64_t drawn_with = self.interval_bytes;
    if (left >= bytes && drawn_with != not_drawn) { return {{false, drawn_with}, left - bytes}; }
    const std::uint64_t began_ns = platform::monotonic_ns();
    const std::uint64_t interval = state.interval.in_force_at(began_ns);  // any recent one will do: the draw remembers its R
    self.interval_bytes = interval & not_drawn;
    // The process has no memory: after a sample the next interval starts with the next block.
    const std::uint64_t fresh = draw_interval(interval, self.random_state);
    if (drawn_with != not_drawn) { return {{true, drawn_with, began_ns}, fresh}; }
    // This block is the first of its process: it has yet to be drawn for.
    if (fresh >= bytes) { return {{false, interval, began_ns}, fresh - bytes}; }
    return {{true, interval, began_ns}, draw_interval(interval, self.random_state)};
}

// If it belongs to an escalated site, the block is recorded, whatever was drawn.
void look_closely(capture_state& state, const sample_request& request, sample_ticket& ticket) noexcept {
    if (!state.escalation.may_hold(request)) { return; }
    const std::uint64_t began_ns = platform::monotonic_ns();
    std::uint64_t stack = 0;
    {
        const own_work guard;
        stack = key_of_this_stack(request.caller);
    }
    const std::uint8_t slot = state.escalation.find(request, stack);
    if (slot != 0) {
        ticket = {true, 0, began_ns, slot};  // paid for when it is recorded
    } else {
        pay_attention(platform::monotonic_ns() - began_ns);
    }
}

// As draw(), on a thread that looks at its blocks because sites are escalated, or stops to.
sample_ticket attend(thread_block& self, capture_state& state, const sample_request& request) noexcept {
    drawn_block block = draw(self, state, request.bytes, left_of_draw(self, request.bytes));
    if (!state.escalation.is_active()) {
        close_attention(self, block.left);
        return block.ticket;
    }
    const std::uint32_t permille = state.escalation.permille();
    const bool is_looking = is_attentive(permille);
    if (is_looking) { look_closely(state, request, block.ticket); }
    go_on(self, request, block.left, is_looking, permille);
    return block.ticket;
}

sample_ticket draw_or_attend(thread_block& self, capture_state& state, const sample_request& request) noexcept {
    if (attention_of_this_thread.is_open || state.escalation.is_active()) { return attend(self, state, request); }
    const drawn_block block = draw(self, state, request.bytes, 0);
    self.countdown = block.left;
    return block.ticket;
}

// A draw that was made before the sampler changed is kept: this block is its sample. From then on each block is asked for.
sample_ticket ask(thread_block& self, const capture_state& state, const sampler_choice& sampler, std::size_t bytes,
                  tag_id owner) noexcept {
    const std::uint64_t drawn_with = attention_of_this_thread.is_open ? not_drawn : std::uint64_t{self.interval_bytes};
    forget_draw(self);
    if (drawn_with != not_drawn) { return {true, drawn_with, platform::monotonic_ns()}; }
    std::uint64_t interval = 0;
    {
        const own_work guard;  // what a function of the program allocates against the rules is no sample
        if (!sampler.decide(bytes, owner, self.random_state, state.interval.raised_floor(), interval)) { return {false, 0}; }
    }
    return {true, interval, platform::monotonic_ns()};
}

}  // namespace

sample_ticket take_sample(const sample_request& request) noexcept {
    thread_block& self = this_thread;
    capture_state& state = process_capture();
    if (!begin_look(self, state)) { return {false, 0}; }
    // acquire: pairs with the release in steering's set_switches(): what the choice holds.
    const sampler_choice* const sampler = state.sampler.load(std::memory_order_acquire);
    const sample_ticket ticket =
        sampler == nullptr ? draw_or_attend(self, state, request) : ask(self, state, *sampler, request.bytes, request.owner);
    // relaxed: a setting. What is below it is left out after the draw: for all others the process is the same.
    if (request.bytes < state.min_size_bytes.load(std::memory_order_relaxed)) { return {false, 0}; }
    return ticket;
}

sample_ticket take_sample(std::size_t bytes, tag_id owner) noexcept { return take_sample(sample_request{bytes, owner}); }

void skip_sample(std::size_t bytes) noexcept {
    thread_block& self = this_thread;
    capture_state& state = process_capture();
    if (!begin_look(self, state)) { return; }
    // relaxed: nothing behind it is read.
    if (state.sampler.load(std::memory_order_relaxed) == nullptr) {
        static_cast<void>(draw_or_attend(self, state, {bytes}));  // nobody's caller: no escalated site's
        return;
    }
    // A Poisson draw that ended at this block was for the block that the other door has: it is asked for by itself.
    forget_draw(self);
}

}  // namespace detail
}  // namespace v1
}  // namespace memwatch
