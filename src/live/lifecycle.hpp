// SPDX-License-Identifier: Apache-2.0
#pragma once
// What becomes of blocks, beside what is alive: each sampled birth and death is also an event, pushed into one ring for the
// whole process and added up later, on memwatch's own thread. The live table never waits for it: a full ring loses events,
// counted as `telemetry_ring_full`, and no free.
//
//   threads --born, died--> [ ring: 8,192 x 64 B ] --drain(), every 50 ms while there is something--> lifecycle_totals
//
// Why a ring beside a table that is always right: these figures need a view across sites, threads and epochs (who survived two
// epochs, which thread frees what another made, how long blocks live to within 12 %), and that work does not belong on the
// thread that allocates.
// The ring's memory is first touched by the first event (some 0.1 ms, once), so a process that never samples pays nothing, and
// a forked child, whose parent's threads may have been inside the ring, starts with an empty one.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "base/ring_fwd.hpp"
#include "live/lifecycle_totals.hpp"
#include "model/drop_reason.hpp"

namespace memwatch {
inline namespace v1 {

class lifecycle {
public:
    // Called by a thread that allocates, when a turn() is wanted and none is due. [hook]
    using waker = void (*)() noexcept;
    static constexpr std::uint64_t batch_interval_ns = 50'000'000;
    static constexpr std::uint64_t never = ~std::uint64_t{0};
    // A whole ring of the largest size is one batch of 512 KiB.
    static constexpr std::size_t max_events = 8192 - 1;

    [[nodiscard]] static std::size_t events_for_budget(std::uint64_t budget_bytes) noexcept;
    [[nodiscard]] static std::size_t memory_bytes(std::size_t events, std::size_t sites) noexcept;

    // `memory`: memory_bytes() zeroed bytes, 64-byte aligned.
    lifecycle(void* memory, std::size_t events, std::size_t sites, loss_counters& losses) noexcept;

    // Threads: any. Locks: none, and may be called under a shard's lock. [hook]
    void push(const lifecycle_event& event) noexcept;

    // How a pair's threads are named; once, before the first event. Called with the consumer's lock held.
    void set_thread_namer(lifecycle_totals::thread_namer name, void* context) noexcept {
        totals_.set_thread_namer(name, context);
    }
    // relaxed: a setting; null calls nobody, and the events wait for the next drain() (or are lost when the ring is full).
    void set_waker(waker wake) noexcept { waker_.store(wake, std::memory_order_relaxed); }

    // Adds up what is in the ring, at most a ring's worth. `now_epoch` closes the epochs two and more before it. Returns the
    // number of events. Control lane, any thread.
    std::size_t drain(const epoch_clock& clock, std::uint64_t now_epoch);
    // One turn of a periodic consumer: gathers a batch for 50 ms after the first event, or until half of the ring is taken, and
    // adds it up. Returns in how many ns it wants its next turn; `never`: there was nothing for a whole interval, so the next
    // event calls the waker. One thread at a time.
    [[nodiscard]] std::uint64_t turn(const epoch_clock& clock, std::uint64_t now_epoch);
    // drain(), then calls read(const lifecycle_totals&) before anything is added.
    template <class Read>
    void drain_and_read(const epoch_clock& clock, std::uint64_t now_epoch, Read read);

    // relaxed: a figure; events pushed since the last drain began.
    [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::size_t self_bytes() const noexcept;

    // For fork(), in this room's order; the child begins with an empty ring and its parent's totals.
    void lock_for_fork() { consumer_.lock(); }
    void unlock_after_fork() { consumer_.unlock(); }
    void enter_child() noexcept;

private:
    using event_ring = ring<lifecycle_event>;
    enum class state : std::uint8_t { unbuilt, building, ready };

    [[nodiscard]] event_ring* ring_to_push() noexcept;
    void wake_consumer() noexcept;
    std::size_t drain_locked(const epoch_clock& clock, std::uint64_t now_epoch);

    loss_counters& losses_;
    std::byte* ring_object_;
    std::byte* ring_memory_;
    std::size_t capacity_;
    std::atomic<state> state_{state::unbuilt};
    std::atomic<std::uint32_t> waiting_{0};  // events pushed since the last drain began
    std::atomic<bool> is_watched_{false};    // a turn is due within an interval
    std::atomic<waker> waker_{nullptr};
    std::mutex consumer_;
    lifecycle_totals totals_;  // guarded by consumer_
};

template <class Read>
void lifecycle::drain_and_read(const epoch_clock& clock, std::uint64_t now_epoch, Read read) {
    const std::lock_guard guard(consumer_);
    drain_locked(clock, now_epoch);
    read(static_cast<const lifecycle_totals&>(totals_));
}

}  // namespace v1
}  // namespace memwatch
