// SPDX-License-Identifier: Apache-2.0
#pragma once
// Everything capture/ shares between threads. One exists in a process; it belongs to runtime/ (process_state.cpp), is made on
// first use - a tag may be a global - and is never destroyed, because blocks outlive main.

#include <atomic>
#include <cstdint>
#include <string_view>

#include <memwatch/base/clock.hpp>
#include <memwatch/options.hpp>
#include "base/string_table.hpp"
#include "capture/attribution_meter.hpp"
#include "capture/edge_budget.hpp"
#include "capture/edge_map.hpp"
#include "capture/escalation.hpp"
#include "capture/heap_door.hpp"
#include "capture/record_sink.hpp"
#include "capture/sampler_choice.hpp"
#include "capture/sampling_interval.hpp"
#include "capture/self_meter.hpp"
#include "capture/tag_table.hpp"
#include "capture/thread_copies.hpp"
#include "model/drop_reason.hpp"
#include "platform/platform.hpp"

namespace memwatch {
inline namespace v1 {

class route_table {
public:
    static constexpr std::size_t capacity = 1024;
    static constexpr route_id other = 1;

    explicit route_table(loss_counters& losses) noexcept;
    [[nodiscard]] route_id intern(std::string_view route) noexcept;
    [[nodiscard]] std::string_view name(route_id id) const noexcept { return names_.at(id); }
    [[nodiscard]] std::size_t size() const noexcept { return names_.size(); }
    [[nodiscard]] spin_lock& lock() noexcept { return names_.lock(); }

private:
    loss_counters& losses_;
    string_table names_;
};

struct capture_state {
    capture_state() noexcept
        : tags(losses), routes(losses), edge_waste(losses), edges(losses, edge_waste), heap_edges(losses, edge_waste) {}

    loss_counters losses;
    tag_table tags;
    route_table routes;
    edge_budget edge_waste;
    edge_map edges;       // tracked_allocator's blocks
    edge_map heap_edges;  // malloc's, where it is interposed

    // Set by runtime/ before is_sampling turns true, and never taken back: blocks recorded by one session are forgotten
    // through the same sink after it stopped.
    std::atomic<const record_sink*> sink{nullptr};
    std::atomic<clock_function> clock{nullptr};

    std::atomic<bool> is_sampling{false};
    sampling_interval interval;  // R for the next draws; 0 = every block
    // What is asked at each block; null: Poisson sampling by bytes. Kept alive by runtime/ for good: threads may be inside.
    std::atomic<const sampler_choice*> sampler{nullptr};
    std::atomic<std::uint64_t> min_size_bytes{0};  // smaller blocks are no samples
    memwatch::escalation escalation;               // sites that are recorded block by block
    self_meter cost;
    attribution_meter attribution;
    std::atomic<std::uint32_t> stack_depth{64};
    std::atomic<unwinder_option> unwinder{unwinder_option::automatic};

    // Where OpenTelemetry's thread context is, from the thread pointer; 0 = nowhere (platform/otel_context.hpp).
    std::atomic<std::ptrdiff_t> otel_context_offset{0};

    copy_list copies;  // of memwatch in this process, the first one first

    std::atomic<preset_option> preset{preset_option::off};  // what is_sampling and the doors were last told
    std::atomic<const heap_door*> doors[max_heap_doors]{};  // filled from the front, for good

    [[nodiscard]] std::uint64_t now_ns() const noexcept;
    // now_ns() as of the kernel's last tick, up to 4 ms ago, for a sixth of its price.
    [[nodiscard]] std::uint64_t coarse_now_ns() const noexcept;
    // now_ns() for who has just read CLOCK_MONOTONIC as `monotonic_ns`.
    [[nodiscard]] std::uint64_t now_ns(std::uint64_t monotonic_ns) const noexcept;
};

// Defined by runtime/. [hook]
[[nodiscard]] capture_state& process_capture() noexcept;

namespace detail {

// record_free() of a block that was recorded because its site is escalated. [hook]
[[gnu::cold]] bool record_escalated_free(const void* address, tag_id owner) noexcept;

// Forgets the block in two steps, around a realloc that may fail: hold takes the record out before the address can go to
// another thread (false: none there), then settle counts it as freed, or restore puts it back as it was. [hook]
[[gnu::cold]] bool hold_record(const void* address, tag_id owner, held_block& held) noexcept;
[[gnu::cold]] void settle_record(const held_block& held) noexcept;
[[gnu::cold]] void restore_record(const held_block& held) noexcept;
// The block lives on, and is not tracked from now on. False: none there.
[[gnu::cold]] bool abandon_record(const void* address, tag_id owner) noexcept;

// What a tracing library publishes for the calling thread (platform/otel_context.hpp); none if nothing does. [hook]
[[nodiscard]] trace_id published_trace(const capture_state& state) noexcept;

// Tries to give the calling thread a row of its own. False: it has to share. [hook]
bool lease_row_for_this_thread() noexcept;

// The index of the calling thread in the live room's table, registered on first use; 0 for a thread without a row. [hook]
std::uint16_t index_of_this_thread(const record_sink& sink) noexcept;

// Where the calling thread's own stack is, read once; unknown for a thread without a row. [hook]
platform::address_range bounds_of_this_stack() noexcept;

}  // namespace detail
}  // namespace v1
}  // namespace memwatch
