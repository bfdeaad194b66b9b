// SPDX-License-Identifier: Apache-2.0
#pragma once
// The moving state: live table, stacks, sites, threads, bound together and sized from one budget. Records come in through
// insert() and remove(), on the threads that allocate and free; a snapshot goes out through freeze(), on any other thread,
// which stops nobody: it holds one shard's lock at a time, for microseconds.
//
// Consistency of freeze(): each block is seen whole or not at all; a site's `live` is the sum over the records in the same
// snapshot; cumulative totals are read after the records, so they include every record's birth.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <memwatch/model/snapshot.hpp>
#include "ledger/ledger.hpp"
#include "live/lifecycle.hpp"
#include "live/lifetime_examples.hpp"
#include "live/live_table.hpp"
#include "model/drop_reason.hpp"
#include "model/record.hpp"
#include "sites/module_history.hpp"
#include "sites/site_table.hpp"
#include "sites/stack_table.hpp"
#include "sites/thread_table.hpp"

namespace memwatch {
inline namespace v1 {

// How a byte budget is divided. 1/2 (up to 4 MiB: 1/4) to the live table (64 B a block), 1/4 to sites, 1/8 to stacks; the rest
// is what tag rows, routes and threads take at their largest.
struct live_sizes {
    std::size_t entries_per_shard;
    std::size_t sites;
    std::size_t stacks;
    std::size_t frame_bytes;

    [[nodiscard]] static live_sizes for_budget(std::uint64_t budget_bytes) noexcept;
    [[nodiscard]] std::size_t memory_bytes() const noexcept;
};

class live_state {
public:
    // Called when the interval that new samples should be drawn with changes. On an allocating thread, under a shard's lock.
    using interval_listener = void (*)(std::uint64_t interval_bytes) noexcept;

    // `memory`: sizes.memory_bytes() zeroed bytes.
    live_state(void* memory, const live_sizes& sizes, loss_counters& losses) noexcept;

    // Time 0 and the length of an epoch (> 0), once: births, cohorts and snapshots of the whole process share one timeline, or
    // what was born in which epoch could not be told after a restart.
    void set_timeline(std::uint64_t origin_ns, std::uint64_t epoch_ns) noexcept;
    // R, and who is told when it changes.
    void configure(std::uint64_t base_interval, interval_listener listener) noexcept;

    // The least R at which no shard is thinned; what the listener was told last.
    [[nodiscard]] std::uint64_t interval_floor() const noexcept { return live_.interval_floor(); }

    void insert(const record& r, std::uint64_t& random_state) noexcept;
    bool remove(block_key key, std::uint16_t thread, std::uint64_t time_ns) noexcept;

    // remove() in two steps, for a block whose realloc may fail: nothing is counted before settle(). A restored block is
    // as it was, unless its shard was thinned meanwhile.
    bool hold(block_key key, held_block& held) noexcept;
    void settle(const held_block& held, std::uint16_t thread, std::uint64_t time_ns) noexcept;
    void abandon(const held_block& held) noexcept;
    void restore(const held_block& held, std::uint64_t& random_state) noexcept;

    [[nodiscard]] thread_table& threads() noexcept { return threads_; }
    // Full mode's records. Its sites, stacks and threads are the ones here; closed after the construction.
    [[nodiscard]] ledger& exact() noexcept { return exact_; }

    // Births and deaths are also told to `telemetry` from now on. relaxed: a setting, made before sampling begins.
    void set_lifecycle(lifecycle* telemetry) noexcept;
    // A turn of the thread that adds lifecycle events up; see lifecycle::turn(). `now_ns` by the session's clock.
    [[nodiscard]] std::uint64_t lifecycle_turn(std::uint64_t now_ns);
    [[nodiscard]] std::size_t waiting_lifecycle_events() const noexcept;  // a figure that is old when it is returned

    // What is loaded now and may be gone when a snapshot is taken. Every snapshot looks, too.
    [[nodiscard]] module_history& modules() noexcept { return modules_; }

    // requests: a summary, and of blocks that were born in a trace the youngest of each of the last most_requests traces.
    static constexpr std::size_t most_requests = 32;
    enum class detail { summary, requests, records };
    // Fills in modules, frames, stacks, sites, threads and (but for `summary`) live. Sites' tags index the process' tag table.
    // Returns the id of the site in row 0; the others follow.
    std::uint32_t freeze(snapshot& into, detail how);

    // A look without a snapshot: no names, no copies. Every live block as visitor.see(live_record), without its sequence and in
    // no order, then every site as visitor.see(id, site): its totals and its tag, nothing else of it. Numbers are the process'
    // own site ids: a snapshot's row + what freeze() returned. A site's totals are read after the blocks, so they include each
    // one's birth. see(live_record) runs under a shard's lock: it must neither throw nor allocate. `scratch` is kept by the
    // caller.
    template <class Visitor>
    void visit(Visitor& visitor, std::vector<exact_site_totals>& scratch);

    // Where sampled blocks lie: see(address, size_bytes, interval_bytes), under a shard's lock, so it must neither throw nor
    // allocate; `reserve(n)` is called before each lock is taken, with the most blocks there may be under it. Those of full
    // mode are not among them.
    template <class Reserve, class See>
    void visit_addresses(Reserve reserve, See see) {
        live_.for_each(reserve,
                       [&](const live_entry& entry) { see(address_of(entry.key), entry.size_bytes, entry.interval_bytes); });
    }

    // Its frames are kept for good.
    [[nodiscard]] interned_stack stack_of(std::uint32_t site) noexcept { return stacks_.at(sites_.copy(site).key.stack); }

    // relaxed: settings.
    [[nodiscard]] std::uint64_t origin_ns() const noexcept { return origin_ns_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t epoch_ns() const noexcept { return epoch_ns_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t epoch_at(std::uint64_t time_ns) const noexcept { return since_origin(time_ns) / epoch_ns(); }
    [[nodiscard]] std::size_t live_samples() const noexcept { return live_.size(); }
    // No snapshot has more records; a figure that is old when it is returned.
    [[nodiscard]] std::size_t most_records() const noexcept { return live_.size() + exact_.most_records(); }
    // Numbers of sites are below this; it only grows.
    [[nodiscard]] std::uint32_t site_count() const noexcept { return sites_.size(); }
    void add_self_bytes(std::vector<named_value>& into);

    // The mutex of the telemetry's consumer, which allocates while it holds it: before any spin lock.
    void lock_telemetry_for_fork() noexcept;
    void unlock_telemetry_after_fork() noexcept;
    void lock_for_fork() noexcept;
    void unlock_after_fork() noexcept;
    // In a forked child: only `survivor` of the threads lives on, with its lane (may be null) of the ledger.
    void enter_child(std::uint16_t survivor, std::uint32_t tid, ledger_lane* lane) noexcept;

private:
    friend class live_observer;

    [[nodiscard]] std::uint64_t since_origin(std::uint64_t time_ns) const noexcept;
    [[nodiscard]] live_record as_live_record(const live_entry& entry) const noexcept;
    [[nodiscard]] site totals_of(const site_state& state, const exact_site_totals* exact) const;
    void freeze_records(snapshot& into);
    void freeze_requests(snapshot& into);
    [[nodiscard]] std::uint32_t freeze_sites(snapshot& into, const std::vector<exact_site_totals>& exact, detail how);
    void freeze_threads(snapshot& into, detail how);
    void freeze_lifecycle(snapshot& into, std::uint32_t first_site);
    [[nodiscard]] epoch_clock epochs() const noexcept { return {origin_ns(), epoch_ns()}; }
    // relaxed: as in set_lifecycle().
    [[nodiscard]] lifecycle* telemetry() const noexcept { return lifecycle_.load(std::memory_order_relaxed); }

    loss_counters& losses_;
    live_table live_;
    stack_table stacks_;
    site_table sites_;
    thread_table threads_;
    lifetime_examples lifetime_examples_;
    ledger exact_;
    module_history modules_;
    std::atomic<std::uint64_t> next_sequence_{1};
    std::atomic<std::uint64_t> origin_ns_{0};
    std::atomic<std::uint64_t> epoch_ns_{1};
    std::atomic<interval_listener> listener_{nullptr};
    std::atomic<lifecycle*> lifecycle_{nullptr};
};

template <class Visitor>
void live_state::visit(Visitor& visitor, std::vector<exact_site_totals>& scratch) {
    live_.for_each([](std::size_t) {}, [&](const live_entry& entry) { visitor.see(as_live_record(entry)); });
    exact_.visit(scratch, [&](const live_record& record) { visitor.see(record); });
    const std::uint32_t count = sites_.size();
    for (std::uint32_t id = site_table::overflow; id < count; ++id) {
        const site_state state = sites_.copy(id);
        visitor.see(id, totals_of(state, id < scratch.size() ? &scratch[id] : nullptr), stacks_.at(state.key.stack).depth);
    }
}

}  // namespace v1
}  // namespace memwatch
