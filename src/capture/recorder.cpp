// SPDX-License-Identifier: Apache-2.0
#include <memwatch/capture/recorder.hpp>

#include <algorithm>
#include <iterator>

#include <memwatch/model/weight.hpp>
#include "capture/attention.hpp"
#include "capture/capture_state.hpp"
#include "capture/exact_sink.hpp"
#include "capture/own_work.hpp"
#include "platform/otel_context.hpp"
#include "platform/platform.hpp"
#include "platform/probes.hpp"

namespace memwatch {
inline namespace v1 {

std::uint64_t capture_state::now_ns() const noexcept {
    // relaxed: a function pointer that start() sets before it lets sampling begin.
    const clock_function replaced = clock.load(std::memory_order_relaxed);
    return replaced != nullptr ? replaced() : platform::monotonic_ns();
}

std::uint64_t capture_state::now_ns(std::uint64_t monotonic_ns) const noexcept {
    // relaxed: as above.
    const clock_function replaced = clock.load(std::memory_order_relaxed);
    return replaced != nullptr ? replaced() : monotonic_ns;
}

std::uint64_t capture_state::coarse_now_ns() const noexcept {
    // relaxed: as above.
    const clock_function replaced = clock.load(std::memory_order_relaxed);
    return replaced != nullptr ? replaced() : platform::coarse_ns();
}

namespace detail {
namespace {

const record_sink* sink_of(const capture_state& state) noexcept {
    // acquire: pairs with the release in session start: what the table points to is built.
    return state.sink.load(std::memory_order_acquire);
}

// Runs when a thread that leased a row ends.
void end_thread(void* leased) {
    auto& row = *static_cast<thread_row*>(leased);
    capture_state& state = process_capture();
    // A later TLS destructor that allocates leases anew.
    for_each_block_of_this_thread([](thread_block& block) { block.row = nullptr; });
    leave_exact_lane(row);
    if (const record_sink* const sink = sink_of(state); sink != nullptr && row.thread_index != 0) {
        char name[platform::thread_name_size];  // it may have been named after its first sample
        platform::thread_name(name);
        sink->retire_thread(sink->context, static_cast<std::uint16_t>(row.thread_index), name);
    }
    state.tags.release_row(row);
}

}  // namespace

std::uint16_t index_of_this_thread(const record_sink& sink) noexcept {
    if (this_thread.row == nullptr && !lease_row_for_this_thread()) {
        process_capture().losses.count(degradation::shared_thread_row);
        return 0;
    }
    thread_row& row = *this_thread.row;
    if (row.thread_index == 0) {
        char name[platform::thread_name_size];
        platform::thread_name(name);
        row.thread_index = sink.register_thread(sink.context, platform::thread_id(), name);
    }
    return static_cast<std::uint16_t>(row.thread_index);
}

platform::address_range bounds_of_this_stack() noexcept {
    thread_row* const row = this_thread.row;
    if (row == nullptr) { return {}; }  // nothing is read then, and the stack counts as truncated
    if (row->stack_end == 0) {
        const platform::address_range stack = platform::thread_stack();
        row->stack_begin = stack.begin;
        row->stack_end = stack.end;
    }
    return {row->stack_begin, row->stack_end};
}

namespace {

// By rules, which see functions without a frame pointer too; where they lack one, the DWARF unwinder takes the whole stack.
// Not inlined: start_at_caller() wants a frame without large locals.
[[gnu::noinline]] void walk_automatically(capture_state& state, platform::captured_stack& stack) noexcept {
    const platform::walk_start start = platform::start_at_caller();
    const auto end = platform::walk_by_rules(stack, nullptr, platform::max_stack_depth, start.entry, start.frame_pointer);
    if (end != platform::walk_end::no_rule) { return; }
    state.losses.count(degradation::unwinder_fallback);
    platform::unwind_dwarf(stack, platform::max_stack_depth);
}

void walk_stack(capture_state& state, platform::captured_stack& stack) noexcept {
    // relaxed: an option; start() sets it before it lets sampling begin.
    switch (state.unwinder.load(std::memory_order_relaxed)) {
        case unwinder_option::automatic:
            walk_automatically(state, stack);
            break;
        case unwinder_option::frame_pointer:
            platform::walk_frame_pointers(stack, platform::max_stack_depth, bounds_of_this_stack());
            break;
        case unwinder_option::dwarf:
            platform::unwind_dwarf(stack, platform::max_stack_depth);
            break;
    }
}

std::uint64_t read_big_endian(const std::uint8_t (&bytes)[16], std::size_t first) noexcept {
    std::uint64_t value = 0;
    for (std::size_t i = first; i < first + 8; ++i) { value = value << 8U | bytes[i]; }
    return value;
}

}  // namespace

trace_id published_trace(const capture_state& state) noexcept {
    // relaxed: a place that was probed, or 0; the module that it is in stays loaded.
    const std::ptrdiff_t offset = state.otel_context_offset.load(std::memory_order_relaxed);
    platform::otel_ids published;
    if (offset == 0 || !platform::read_otel_context(offset, published)) { return {}; }
    // Both ids are set or neither; with one alone the record is not what the proposal says.
    if (std::all_of(std::begin(published.span_id), std::end(published.span_id), [](auto byte) { return byte == 0; })) {
        return {};
    }
    return {read_big_endian(published.trace_id, 0), read_big_endian(published.trace_id, 8)};
}

namespace {

// memwatch's own context wins: who sets it means allocations. Else what a tracing library publishes for this thread.
trace_id trace_of_this_thread(const capture_state& state) noexcept {
    const trace_id own = home_block().context.trace;
    return own.is_valid() ? own : published_trace(state);
}

// Our own frames on top are noise: the stack begins at `caller`, the return address into the user's code.
std::uint32_t own_frames(const platform::captured_stack& stack, std::uint64_t caller) noexcept {
    constexpr std::uint32_t most = 16;
    for (std::uint32_t i = 0; i < stack.depth && i < most; ++i) {
        if (stack.frames[i] == caller) { return i; }
    }
    return 0;
}

// The stack as it is recorded, from `caller` outwards.
struct kept_stack {
    const std::uint64_t* frames;
    std::uint32_t depth;
    bool is_truncated;
};

kept_stack stack_from(capture_state& state, platform::captured_stack& stack, const void* caller) noexcept {
    walk_stack(state, stack);
    const std::uint32_t skipped = own_frames(stack, reinterpret_cast<std::uint64_t>(caller));
    const std::uint32_t depth = stack.depth - skipped;
    // relaxed: an option; start() sets it before it lets sampling begin.
    const std::uint32_t kept = std::min(depth, state.stack_depth.load(std::memory_order_relaxed));
    return {stack.frames + skipped, kept, stack.is_truncated || depth > kept};
}

// One event's cost, on the account that it belongs to.
void charge_sample(capture_state& state, sample_ticket ticket, std::uint64_t began_ns) noexcept {
    const std::uint64_t ended_ns = platform::monotonic_ns();
    if (ticket.escalated == 0) { return state.cost.add_sample(began_ns, ended_ns); }
    state.escalation.cost.add_sample(began_ns, ended_ns);
    state.escalation.count_record(ticket.escalated);
    pay_attention(ended_ns - began_ns + free_ns);
}

bool forget_record(capture_state& state, const void* address, tag_id owner, self_meter& cost) noexcept {
    const record_sink* const sink = sink_of(state);
    if (sink == nullptr) { return false; }
    const own_work guard;
    const std::uint64_t began_ns = platform::monotonic_ns();
    const bool was_live =
        sink->remove(sink->context, make_block_key(address, owner), index_of_this_thread(*sink), state.now_ns(began_ns));
    if (was_live) { platform::probe_free(address); }
    cost.add_work(began_ns, platform::monotonic_ns());
    return was_live;
}

}  // namespace

bool lease_row_for_this_thread() noexcept {
    thread_block& self = this_thread;
    if (self.row != nullptr) { return true; }
    tag_table& tags = process_capture().tags;
    thread_block& home = home_block();  // one row a thread, whichever copies of memwatch it meets
    if (home.row != nullptr) {
        self.row = home.row;
        return true;
    }
    thread_row* const row = tags.has_free_row() ? tags.lease_row(platform::thread_id()) : nullptr;
    if (row == nullptr) { return false; }
    if (!platform::on_thread_exit(&end_thread, row)) {
        tags.release_row(*row);
        return false;
    }
    home.row = self.row = row;
    return true;
}

void record_allocation(const void* address, std::size_t bytes, tag_id owner, std::string_view type, sample_ticket ticket,
                       const void* caller) noexcept {
    capture_state& state = process_capture();
    const record_sink* const sink = sink_of(state);
    if (sink == nullptr) { return; }
    const own_work guard;
    const std::uint64_t began_ns = ticket.began_ns != 0 ? ticket.began_ns : platform::monotonic_ns();
    record r;
    r.thread = index_of_this_thread(*sink);
    platform::captured_stack stack;
    const kept_stack kept = stack_from(state, stack, caller);
    if (stack.is_truncated) { state.losses.count(degradation::stack_truncated); }
    r.frames = kept.frames;
    r.depth = kept.depth;
    r.is_truncated = kept.is_truncated;
    r.key = make_block_key(address, owner);
    r.size_bytes = bytes;
    r.interval_bytes = ticket.interval_bytes;
    r.time_ns = state.now_ns(began_ns);
    r.trace = trace_of_this_thread(state);
    const trace_context& context = home_block().context;
    r.route = context.route;
    r.tag = owner != tag_table::untagged ? owner : context.tag;
    r.type = type;
    sink->insert(sink->context, r, this_thread.random_state);
    const double probability = sampling_probability(bytes, ticket.interval_bytes);
    const double represented = static_cast<double>(bytes) / probability;
    state.attribution.add(r.trace.is_valid(), represented, 1 / probability);
    platform::probe_alloc(address, bytes, static_cast<std::uint64_t>(represented));
    charge_sample(state, ticket, began_ns);
}

std::uint64_t key_of_this_stack(const void* caller) noexcept {
    platform::captured_stack stack;
    const kept_stack kept = stack_from(process_capture(), stack, caller);
    return escalation::stack_key(kept.frames, kept.depth);
}

bool record_free(const void* address, tag_id owner) noexcept {
    capture_state& state = process_capture();
    return forget_record(state, address, owner, state.cost);
}

bool record_escalated_free(const void* address, tag_id owner) noexcept {
    capture_state& state = process_capture();
    return forget_record(state, address, owner, state.escalation.cost);
}

bool hold_record(const void* address, tag_id owner, held_block& held) noexcept {
    const record_sink* const sink = sink_of(process_capture());
    if (sink == nullptr) { return false; }
    const own_work guard;
    if (!sink->hold(sink->context, make_block_key(address, owner), held)) { return false; }
    platform::probe_free(
        address);  // said early: after realloc the address is another block's. A realloc that fails says it too
    return true;
}

void settle_record(const held_block& held) noexcept {
    const capture_state& state = process_capture();
    const record_sink* const sink = sink_of(state);
    const own_work guard;
    sink->settle(sink->context, held, index_of_this_thread(*sink), state.now_ns());
}

bool abandon_record(const void* address, tag_id owner) noexcept {
    held_block held;
    if (!hold_record(address, owner, held)) { return false; }
    const record_sink* const sink = sink_of(process_capture());
    const own_work guard;
    sink->abandon(sink->context, held);
    return true;
}

void restore_record(const held_block& held) noexcept {
    const record_sink* const sink = sink_of(process_capture());
    const own_work guard;
    sink->restore(sink->context, held, this_thread.random_state);
}

}  // namespace detail
}  // namespace v1
}  // namespace memwatch
