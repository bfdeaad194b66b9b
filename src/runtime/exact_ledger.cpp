// SPDX-License-Identifier: Apache-2.0
// The doors of full mode, bound to the ledger.
#include "capture/exact_sink.hpp"

#include "capture/own_work.hpp"
#include "platform/unwind_rules.hpp"
#include "runtime/lifecycle.hpp"
#include "runtime/process_state.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

// The process' ledger once it was built: spares the hot path the way through process().
std::atomic<ledger*> bound_ledger{nullptr};
// The same for what a tracing library publishes: where to look is in there. Set before bound_ledger.
std::atomic<const capture_state*> bound_capture{nullptr};

ledger* find_ledger() noexcept {
    // acquire: pairs with the release in build_live().
    live_state* const live = process().live.load(std::memory_order_acquire);
    if (live == nullptr) { return nullptr; }
    bound_capture.store(&process_capture(), std::memory_order_relaxed);  // relaxed: published by the store below
    // release: pairs with the acquires below.
    bound_ledger.store(&live->exact(), std::memory_order_release);
    return &live->exact();
}

// Behind an acquire of bound_ledger. Who publishes nothing pays for two loads when it has no context of memwatch's either.
trace_label label_of_this_thread() noexcept {
    const trace_context& context = detail::home_block().context;
    if (context.trace.is_valid()) { return {context.trace, context.route}; }
    const capture_state& state = *bound_capture.load(std::memory_order_relaxed);  // relaxed: see there
    // relaxed: a hint; who reads what is there looks again.
    if (__builtin_expect(state.otel_context_offset.load(std::memory_order_relaxed) == 0, 1)) { return {{}, context.route}; }
    return {detail::published_trace(state), context.route};
}

std::uint16_t index_of(const thread_row* row) noexcept {
    return row == nullptr ? std::uint16_t{0} : static_cast<std::uint16_t>(row->thread_index);
}

// Gives the thread a row, an index and, while there are some, a lane. Not inside of memwatch's own work, which this may be
// part of: what that frees goes through the shared lane.
[[gnu::cold, gnu::noinline]] void settle_this_thread(ledger& exact) noexcept {
    if (detail::own_work::is_running()) { return; }
    const detail::own_work ours;
    // acquire: pairs with the release in build_live().
    const record_sink* const sink = process_capture().sink.load(std::memory_order_acquire);
    const std::uint16_t index = sink == nullptr ? std::uint16_t{0} : detail::index_of_this_thread(*sink);
    thread_row* const row = detail::this_thread.row;
    if (row != nullptr && row->exact_lane == nullptr) {
        row->exact_lane = exact.lease_lane(index, detail::bounds_of_this_stack());
    }
}

ledger_lane* lane_of_this_thread(ledger& exact) noexcept {
    const thread_row* row = detail::this_thread.row;
    if (__builtin_expect(row != nullptr && row->exact_lane != nullptr, 1)) {
        return static_cast<ledger_lane*>(row->exact_lane);
    }
    settle_this_thread(exact);
    row = detail::this_thread.row;
    return row == nullptr ? nullptr : static_cast<ledger_lane*>(row->exact_lane);
}

}  // namespace

std::uint32_t exact_birth(const void* block, std::size_t bytes, const void* entry, std::uint64_t frame_pointer) noexcept {
    // acquire: pairs with the release in find_ledger().
    ledger* exact = bound_ledger.load(std::memory_order_acquire);
    if (__builtin_expect(exact == nullptr, 0) && (exact = find_ledger()) == nullptr) { return 0; }
    if (__builtin_expect(!exact->takes_births(), 0)) { return 0; }
    ledger_lane* const lane = lane_of_this_thread(*exact);
    return exact->birth(lane, index_of(detail::this_thread.row), block, bytes, entry, frame_pointer, label_of_this_thread());
}

void exact_death(std::uint32_t index, const void* block) noexcept {
    // acquire: pairs with the release in find_ledger().
    ledger* exact = bound_ledger.load(std::memory_order_acquire);
    if (__builtin_expect(exact == nullptr, 0) && (exact = find_ledger()) == nullptr) { return; }
    ledger_lane* const lane = lane_of_this_thread(*exact);
    exact->death(lane, index_of(detail::this_thread.row), index, block);
}

void code_was_unloaded() noexcept {
    process_capture().copies.visit([](const copy_access& copy) {
        copy.forget_code();
        return false;
    });
    // acquire: pairs with the release in find_ledger().
    if (ledger* const exact = bound_ledger.load(std::memory_order_acquire); exact != nullptr) { exact->forget_code(); }
}

namespace detail {

void leave_exact_lane(thread_row& row) noexcept {
    auto* const lane = static_cast<ledger_lane*>(row.exact_lane);
    if (lane == nullptr) { return; }
    row.exact_lane = nullptr;
    // acquire: pairs with the release in find_ledger().
    if (ledger* const exact = bound_ledger.load(std::memory_order_acquire); exact != nullptr) { exact->release_lane(*lane); }
}

}  // namespace detail
}  // namespace v1
}  // namespace memwatch
