// SPDX-License-Identifier: Apache-2.0
#include "live/lifecycle.hpp"

#include <algorithm>
#include <new>

#include "base/ring.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::size_t line = 64;

std::size_t round_up(std::size_t bytes) noexcept { return (bytes + line - 1) / line * line; }

}  // namespace

// 1/32 of the budget: 512 KiB at 16 MiB, 1,024 events at least.
std::size_t lifecycle::events_for_budget(std::uint64_t budget_bytes) noexcept {
    return std::clamp<std::size_t>(budget_bytes / 32 / event_ring::node_bytes, 1024, max_events + 1) - 1;
}

std::size_t lifecycle::memory_bytes(std::size_t events, std::size_t sites) noexcept {
    return round_up(sizeof(event_ring)) + event_ring::memory_bytes(events) + lifecycle_totals::memory_bytes(sites);
}

lifecycle::lifecycle(void* memory, std::size_t events, std::size_t sites, loss_counters& losses) noexcept
    : losses_(losses),
      ring_object_(static_cast<std::byte*>(memory)),
      ring_memory_(ring_object_ + round_up(sizeof(event_ring))),
      capacity_(events),
      totals_(ring_memory_ + event_ring::memory_bytes(events), sites) {
    static_assert((max_events + 1) * event_ring::node_bytes == 512U << 10U, "a batch is at most 512 KiB");
}

// The ring, built by whoever comes first; null while another thread builds it.
lifecycle::event_ring* lifecycle::ring_to_push() noexcept {
    auto* const built = reinterpret_cast<event_ring*>(ring_object_);
    // acquire: pairs with the release below: the ring is built.
    state seen = state_.load(std::memory_order_acquire);
    if (seen == state::ready) { return built; }
    // relaxed, both: only one thread comes through; it publishes with the release below.
    if (seen == state::building || !state_.compare_exchange_strong(seen, state::building, std::memory_order_relaxed)) {
        return nullptr;
    }
    new (ring_object_) event_ring(ring_memory_, capacity_);  // throws for a bad capacity only, and ours is clamped
    // release: pairs with the acquire above and in drain_locked().
    state_.store(state::ready, std::memory_order_release);
    return built;
}

void lifecycle::push(const lifecycle_event& event) noexcept {
    event_ring* const events = ring_to_push();
    if (events == nullptr || !events->try_push(event)) {
        losses_.count(drop_reason::telemetry_ring_full);
        return;
    }
    wake_consumer();
}

void lifecycle::wake_consumer() noexcept {
    // total order, both, with the store and the load in turn(): either it sees this event, or this thread sees that nobody
    // watches any more.
    const std::uint32_t before = waiting_.fetch_add(1, std::memory_order_seq_cst);
    const bool is_watched = is_watched_.load(std::memory_order_seq_cst);
    if (is_watched && before != capacity_ / 2) { return; }
    // relaxed: a setting.
    if (const waker wake = waker_.load(std::memory_order_relaxed); wake != nullptr) { wake(); }
}

std::uint64_t lifecycle::turn(const epoch_clock& clock, std::uint64_t now_epoch) {
    // relaxed: only this thread writes it, but for a fork; and the count is a hint here.
    const bool was_watched = is_watched_.load(std::memory_order_relaxed);
    const std::uint32_t waiting = waiting_.load(std::memory_order_relaxed);  // relaxed: as above
    // total order: see wake_consumer().
    is_watched_.store(true, std::memory_order_seq_cst);
    if (!was_watched && waiting != 0 && waiting <= capacity_ / 2) { return batch_interval_ns; }  // let a batch gather
    if (drain(clock, now_epoch) != 0) { return batch_interval_ns; }
    // total order, both: see wake_consumer().
    is_watched_.store(false, std::memory_order_seq_cst);
    if (waiting_.load(std::memory_order_seq_cst) == 0) { return never; }
    is_watched_.store(true, std::memory_order_seq_cst);  // total order: as above
    return batch_interval_ns;
}

std::size_t lifecycle::drain_locked(const epoch_clock& clock, std::uint64_t now_epoch) {
    std::size_t count = 0;
    // acquire: pairs with the release in ring_to_push().
    if (state_.load(std::memory_order_acquire) == state::ready) {
        // total order: before the events are taken, so that what is pushed from here on is counted anew (see turn()).
        waiting_.store(0, std::memory_order_seq_cst);
        auto* const events = std::launder(reinterpret_cast<event_ring*>(ring_object_));
        lifecycle_event event{};
        while (count < capacity_ && events->try_pop(event)) {  // no more: producers may be faster than this loop
            totals_.add(event, clock);
            ++count;
        }
    }
    totals_.close_epochs(now_epoch);
    return count;
}

std::size_t lifecycle::drain(const epoch_clock& clock, std::uint64_t now_epoch) {
    const std::lock_guard guard(consumer_);
    return drain_locked(clock, now_epoch);
}

std::size_t lifecycle::self_bytes() const noexcept {
    // acquire: as in drain_locked(); the ring's pages are touched when it is built.
    const bool is_built = state_.load(std::memory_order_acquire) == state::ready;
    return is_built ? event_ring::memory_bytes(capacity_) : 0;
}

// The old ring is written over without a look: what the parent's threads were doing in it does not matter then.
void lifecycle::enter_child() noexcept {
    // relaxed, all: the child has one thread.
    state_.store(state::unbuilt, std::memory_order_relaxed);
    waiting_.store(0, std::memory_order_relaxed);
    is_watched_.store(false, std::memory_order_relaxed);
}

}  // namespace v1
}  // namespace memwatch
