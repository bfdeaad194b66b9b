// SPDX-License-Identifier: Apache-2.0
#pragma once
// Why a record, a name or a distinction was lost, and which steps were taken to stay inside the budget. Everything lost is
// counted here; nothing is lost silently. Names are what /metrics and snapshots show.

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace memwatch {
inline namespace v1 {

enum class drop_reason : std::uint8_t {
    live_table_full,      // a record, though its shard was thinned as far as it goes
    duplicate_block,      // a record displaced by another of the same tag and address (a free was missed)
    site_table_full,      // the record is kept, under the overflow site
    stack_table_full,     // the record is kept, without its stack
    type_table_full,      // the record is kept, without its type
    tag_table_full,       // counted under the tag "other"
    route_table_full,     // labelled with the route "other"
    thread_table_full,    // attributed to the thread "other"
    edge_waste_full,      // a sample that would have taken a page too many; reached only after R was raised 256-fold
    telemetry_ring_full,  // a lifecycle event; what is alive is not touched by it
    no_memory,            // the kernel refused a table
    ledger_full,          // full mode: a block that was not recorded, because full_budget_bytes are in use
    ledger_abandoned,     // full mode was left: a live block's record was given up
    ledger_reentered,     // a block not recorded: allocated by a signal handler that interrupted the recording of another
    trace_context_full,   // full mode: the record is kept, without its trace
    sample_abandoned,     // detached: a live sample's record was given up, nobody would tell of its end
    count_
};

enum class degradation : std::uint8_t {
    interval_raised,           // a shard was thinned: R doubled, weights followed
    interval_lowered,          // and came back
    shared_thread_row,         // a sample on a thread that has no row of its own: all are leased
    stack_truncated,           // a stack that does not reach its thread's base frame
    edge_interval_raised,      // a sample was judged at a higher R, because page edges near their limit
    unwinder_fallback,         // a stack the DWARF unwinder had to take
    shared_ledger_lane,        // a thread that records through the ledger's shared lane: all others are taken
    stack_memo_full,           // a stack that found no room in the stack memo and is walked each time, until it is emptied
    load_interval_raised,      // R doubled: samples, or what they cost, were above their target
    load_interval_lowered,     // and came back
    otel_context_unsupported,  // OpenTelemetry's thread context is published, but not where a hook can read it
    context_unattached,        // a scope in a coroutine's frame without an adapter: its context would have stayed behind
    context_moved,             // a scope ended where its context is not: cleared, rather than a wrong one put back
    escalation_full,           // a suspect site is sampled again, undecided: the pages of escalation_bytes are taken
    escalation_expired,        // a suspect site is sampled again, undecided: its time is over
    restraint_tightened,       // memwatch cost more than it may, and does less: a step
    restraint_eased,           // and a step back
    count_
};

inline constexpr const char* drop_reason_names[] = {
    "live_table_full",  "duplicate_block",   "site_table_full",    "stack_table_full",    "type_table_full", "tag_table_full",
    "route_table_full", "thread_table_full", "edge_waste_full",    "telemetry_ring_full", "no_memory",       "ledger_full",
    "ledger_abandoned", "ledger_reentered",  "trace_context_full", "sample_abandoned"};
inline constexpr const char* degradation_names[] = {
    "interval_raised",          "interval_lowered",   "shared_thread_row", "stack_truncated",      "edge_interval_raised",
    "unwinder_fallback",        "shared_ledger_lane", "stack_memo_full",   "load_interval_raised", "load_interval_lowered",
    "otel_context_unsupported", "context_unattached", "context_moved",     "escalation_full",      "escalation_expired",
    "restraint_tightened",      "restraint_eased"};
static_assert(sizeof drop_reason_names / sizeof drop_reason_names[0] == static_cast<std::size_t>(drop_reason::count_));
static_assert(sizeof degradation_names / sizeof degradation_names[0] == static_cast<std::size_t>(degradation::count_));

// Counters of what went missing. Threads: any.
class loss_counters {
public:
    void count(drop_reason reason, std::uint64_t times = 1) noexcept { add(drops_[static_cast<std::size_t>(reason)], times); }
    void count(degradation step) noexcept { add(degradations_[static_cast<std::size_t>(step)], 1); }
    [[nodiscard]] std::uint64_t of(drop_reason reason) const noexcept { return get(drops_[static_cast<std::size_t>(reason)]); }
    [[nodiscard]] std::uint64_t of(degradation step) const noexcept {
        return get(degradations_[static_cast<std::size_t>(step)]);
    }

private:
    using counter = std::atomic<std::uint64_t>;
    // relaxed: statistics; nothing is published through them.
    static void add(counter& c, std::uint64_t times) noexcept { c.fetch_add(times, std::memory_order_relaxed); }
    static std::uint64_t get(const counter& c) noexcept { return c.load(std::memory_order_relaxed); }

    counter drops_[static_cast<std::size_t>(drop_reason::count_)]{};
    counter degradations_[static_cast<std::size_t>(degradation::count_)]{};
};

}  // namespace v1
}  // namespace memwatch
