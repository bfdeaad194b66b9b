// SPDX-License-Identifier: Apache-2.0
#include "alloc/pool_state.hpp"

#include <algorithm>
#include <chrono>
#include <new>

#include "capture/own_work.hpp"
#include "platform/platform.hpp"

namespace memwatch {
inline namespace v1 {
namespace detail {
namespace {

// Zeroed memory of memwatch's own, touched as it is used. Throws std::bad_alloc.
template <class Row>
std::unique_ptr<Row[], free_memory> make_table(std::size_t count) {
    const own_work ours;
    void* const memory = std::calloc(count, sizeof(Row));
    if (memory == nullptr) { throw std::bad_alloc(); }
    return std::unique_ptr<Row[], free_memory>(static_cast<Row*>(memory));
}

std::uint64_t steady_ns() noexcept {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count());
}

}  // namespace

pool_state::pool_state(std::string_view pool_name, std::size_t object_bytes, std::size_t object_alignment,
                       std::string_view type, const pool_options& options)
    : name(pool_name),
      type_name(type),
      bytes(object_bytes),
      alignment(object_alignment),
      stride((object_bytes + object_alignment - 1) / object_alignment * object_alignment),
      by_stride(stride),
      can_grow(options.can_grow),
      owner(options.tag != memwatch::tag{} ? options.tag : memwatch::tag{pool_name}),
      upstream(options.upstream),
      edge(options.upstream != nullptr ? upstream_edge::of(*options.upstream) : upstream_edge{}),
      capture_(process_capture()) {}

pool_state::~pool_state() {
    // relaxed, both: nobody else is left.
    for (std::size_t i = 0; i < chunks_used_.load(std::memory_order_relaxed); ++i) {
        std::byte* const storage = chunks_[i].storage.load(std::memory_order_relaxed);
        const std::size_t size = (chunks_[i].end - chunks_[i].first) * stride;
        if (upstream != nullptr) {
            upstream->deallocate(storage, size, alignment);
        } else {
            ::operator delete (storage, std::align_val_t{alignment});
        }
    }
}

void pool_state::add_chunk(std::size_t count) {
    // relaxed: only growers write it, one at a time.
    const std::size_t used = chunks_used_.load(std::memory_order_relaxed);
    chunk& fresh = chunks_[used];
    fresh.first = capacity();
    fresh.slots = make_table<slot>(count);
    fresh.traces = make_table<slot_trace>(count);
    const std::size_t size = count * stride;
    void* const storage =
        upstream != nullptr ? upstream->allocate(size, alignment) : ::operator new (size, std::align_val_t{alignment});
    fresh.end = fresh.first + static_cast<std::uint32_t>(count);
    // relaxed: published with the counts below.
    fresh.storage.store(static_cast<std::byte*>(storage), std::memory_order_relaxed);
    // release: pairs with the acquire in index_of().
    chunks_used_.store(used + 1, std::memory_order_release);
    // release: pairs with the acquire in capacity().
    capacity_.store(fresh.end, std::memory_order_release);
}

// Three quarters of them, so that the program finds some meanwhile. They are the caller's as if they were acquired, but say
// that they are free: no count and no reader sees them.
std::vector<std::uint32_t> pool_state::take_free_slots() noexcept {
    const std::uint64_t used = touched();
    const std::uint64_t out = std::min(count().in_use, used);
    std::vector<std::uint32_t> slots;
    try {
        const own_work ours;
        slots.reserve((used - out) * 3 / 4);
    } catch (...) { return slots; }  // no memory: nothing is done
    std::uint32_t index = 0;
    while (slots.size() < slots.capacity() && free_slots_.try_pop(index, links())) { slots.push_back(index); }
    return slots;
}

// Of objects [first, last), all of one chunk.
std::size_t pool_state::drop_pages(std::uint32_t first, std::uint32_t last) noexcept {
    return platform::discard_pages(object_at(place_of(first)), (last - first) * stride);
}

std::size_t pool_state::shrink() noexcept {
    if (upstream != nullptr) { return 0; }  // what lies there need not be memory of its own kind
    std::vector<std::uint32_t> slots = take_free_slots();
    std::sort(slots.begin(), slots.end());
    std::size_t bytes_dropped = 0;
    for (std::size_t i = 0; i < slots.size();) {
        const std::uint32_t first = slots[i];
        const std::uint32_t end = place_of(first).in->end;
        std::uint32_t last = first;
        while (i < slots.size() && slots[i] == last && last < end) { ++i, ++last; }
        bytes_dropped += drop_pages(first, last);
    }
    // The lowest come last and so are taken first: objects stay together, and pages stay free.
    for (auto each = slots.rbegin(); each != slots.rend(); ++each) { give_back(*each); }
    const own_work ours;  // the list of slots goes
    slots = {};
    return bytes_dropped;
}

// A slot that was never handed out. False: there is none.
bool pool_state::touch(std::uint32_t& index) noexcept {
    // relaxed: the exchange looks again.
    index = touched_.load(std::memory_order_relaxed);
    do {
        if (index >= capacity()) { return false; }
        // acq_rel: pairs with the acquire in touched(). relaxed: looks again.
    } while (!touched_.compare_exchange_weak(index, index + 1, std::memory_order_acq_rel, std::memory_order_relaxed));
    return true;
}

// False: no memory, or as large as a pool may be. `full_at`: the capacity that was not enough.
bool pool_state::grow(std::uint32_t full_at) noexcept {
    const std::lock_guard guard(growth_lock);
    if (capacity() != full_at) { return true; }  // another thread grew it
    // relaxed: written under the lock.
    if (chunks_used_.load(std::memory_order_relaxed) == max_chunks || full_at > max_capacity / 2) { return false; }
    try {
        add_chunk(full_at);
        return true;
    } catch (...) { return false; }  // no memory: an exhausted pool, as if it were bounded
}

// The list was empty: a slot that was never out, storage made for more of them, or one that came back meanwhile.
[[gnu::cold, gnu::noinline]] bool pool_state::take_new(slot_place& place) noexcept {
    bool is_hit = true;
    for (;;) {
        const std::uint32_t seen_capacity = capacity();
        if (touch(place.index) || free_slots_.try_pop(place.index, links())) { break; }
        if (!can_grow || !grow(seen_capacity)) { return false; }
        is_hit = false;
    }
    if (!is_hit) { misses_.fetch_add(1, std::memory_order_relaxed); }  // relaxed: a statistic
    place = place_of(place.index);
    return true;
}

bool pool_state::wait_and_take(slot_place& place, std::uint64_t patience_ns) noexcept {
    const std::uint64_t began_ns = steady_ns();
    const bool has_deadline = patience_ns < forever / 4;
    const auto deadline = std::chrono::steady_clock::time_point(
        std::chrono::nanoseconds(static_cast<std::int64_t>(has_deadline ? began_ns + patience_ns : 0)));
    std::unique_lock lock(wait_lock);
    // relaxed, all of these: written under the lock, read as figures.
    const std::uint64_t now_waiting = waiters_.load(std::memory_order_relaxed) + 1;
    waiters_.store(now_waiting, std::memory_order_relaxed);
    most_waiters_.store(std::max(now_waiting, most_waiters_.load(std::memory_order_relaxed)), std::memory_order_relaxed);
    waits_.store(waits_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    bool is_late = false;
    bool is_taken = false;
    // A waiter whose time is up looks once more: the wake-up that was meant for it must not be lost for the others.
    while (!(is_taken = free_slots_.pop_or_watch(place.index, links()) || touch(place.index)) && !is_late) {
        if (has_deadline) {
            is_late = freed.wait_until(lock, deadline) == std::cv_status::timeout;
        } else {
            freed.wait(lock);
        }
    }
    // relaxed, all: as above.
    const std::uint64_t still_waiting = waiters_.load(std::memory_order_relaxed) - 1;
    waiters_.store(still_waiting, std::memory_order_relaxed);
    if (still_waiting == 0) { free_slots_.unwatch(); }
    wait_ns_.store(wait_ns_.load(std::memory_order_relaxed) + (steady_ns() - began_ns), std::memory_order_relaxed);
    if (is_taken) { place = place_of(place.index); }
    return is_taken;
}

// Somebody waits, or the pool's owner is gone: either is told under the lock, whose release is the last thing done to the pool.
[[gnu::cold, gnu::noinline]] void pool_state::give_back_watched(std::uint32_t index, slot_list::link& link) noexcept {
    std::unique_lock lock(wait_lock);
    free_slots_.push(index, link);
    if (!is_abandoned_) { return freed.notify_one(); }
    lose_holder_locked(std::move(lock));
}

void pool_state::lose_holder_locked(std::unique_lock<std::mutex> lock) noexcept {
    const bool is_last = --holders_ == 0;
    lock.unlock();
    if (is_last) { delete this; }
}

void pool_state::end_with_last() noexcept {
    registration = {};
    std::unique_lock lock(wait_lock);
    is_abandoned_ = true;
    free_slots_.watch();
    const std::size_t out = touched() - free_slots_.length(links());
    holders_ = out + 1;
    lock.unlock();
    if (out != 0) { misuse(pool_misuse::outstanding_at_destruction, nullptr, count().oldest.caller, out); }
    lock.lock();
    lose_holder_locked(std::move(lock));
}

slot_place pool_state::find(const void* object) const noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(object);
    // acquire: pairs with the release in add_chunk(). Newest first: it holds half of all objects.
    for (std::size_t i = chunks_used_.load(std::memory_order_acquire); i-- > 0;) {
        const chunk& c = chunks_[i];
        // relaxed: ordered by the acquire above.
        const std::uintptr_t offset = address - reinterpret_cast<std::uintptr_t>(c.storage.load(std::memory_order_relaxed));
        if (offset >= (c.end - c.first) * stride) { continue; }
        const auto local = static_cast<std::uint32_t>(by_stride.quotient(offset));
        if (local * stride != offset) { return {}; }
        return {&c, &c.slots[local], c.first + local};
    }
    return {};
}

// Whether the object is out; then who has it. Values of two acquires are never mixed: when the slot changed hands meanwhile,
// it is read again, and after a few times left out: an object that changes hands that often is not the oldest.
bool pool_state::read_checkout(const slot_place& place, checkout& into) noexcept {
    const slot& s = *place.at;
    for (int attempt = 0; attempt < 4; ++attempt) {
        // acquire, all of these: pair with the releases in note_acquire().
        const std::uint8_t state = s.state.load(std::memory_order_acquire);
        if (state == slot_state::free) { return false; }
        const std::uint64_t uses = s.uses.load(std::memory_order_acquire);
        into.acquired_ns = s.acquired_ns.load(std::memory_order_acquire);
        into.route = s.route.load(std::memory_order_acquire);
        into.caller = s.caller.load(std::memory_order_acquire);  // acquire: as above
        into.trace = {};
        if ((state & slot_state::traced) != 0) {
            const slot_trace& t = place.in->traces[place.local()];
            // acquire, all: as above.
            into.trace = {t.high.load(std::memory_order_acquire), t.low.load(std::memory_order_acquire)};
        }
        // acquire, both: pair with note_acquire()'s releases.
        if (s.state.load(std::memory_order_acquire) == state && s.uses.load(std::memory_order_acquire) == uses) { return true; }
    }
    return false;
}

pool_state::tally pool_state::count() const noexcept {
    tally sum;
    const std::uint32_t last = touched();
    for (std::uint32_t index = 0; index < last;) {
        const chunk& c = *place_of(index).in;
        for (; index < std::min(last, c.end); ++index) {
            slot& s = c.slots[index - c.first];
            checkout seen;
            // acquire: pairs with the release in note_acquire(): an object that is out was acquired.
            const bool is_out = s.state.load(std::memory_order_acquire) != slot_state::free;
            if (is_out) { ++sum.in_use; }
            // relaxed: ordered by the acquire above.
            sum.acquires += s.uses.load(std::memory_order_relaxed);
            if (!is_out || !read_checkout({&c, &s, index}, seen)) { continue; }
            if (sum.oldest.acquired_ns == 0 || seen.acquired_ns < sum.oldest.acquired_ns) { sum.oldest = seen; }
        }
    }
    return sum;
}

pool_reading pool_state::read() const {
    pool_reading reading;
    pool_totals& totals = reading.totals;
    const tally seen = count();  // first: what is touched or grown meanwhile only adds to the room above
    // relaxed, all: statistics.
    totals.name = name;
    totals.tag = owner.name();
    totals.upstream = edge.name();
    totals.upstream_is_pool = edge.is_pool();
    totals.object_bytes = bytes;
    totals.in_use = seen.in_use;
    totals.acquires = seen.acquires;
    totals.high_water = touched();
    totals.capacity = capacity();
    totals.storage_bytes = totals.capacity * stride;
    const std::uint64_t misses = misses_.load(std::memory_order_relaxed);
    totals.hits = totals.acquires - std::min(totals.acquires, misses);
    totals.acquire_failures = failures_.load(std::memory_order_relaxed);
    totals.misuses = misuses_.load(std::memory_order_relaxed);
    totals.waiters = waiters_.load(std::memory_order_relaxed);
    totals.most_waiters = most_waiters_.load(std::memory_order_relaxed);
    totals.waits = waits_.load(std::memory_order_relaxed);
    totals.wait_ns = wait_ns_.load(std::memory_order_relaxed);
    if (seen.oldest.acquired_ns != 0) {
        const std::uint64_t now = capture_.coarse_now_ns();
        totals.oldest_checkout_ns = now > seen.oldest.acquired_ns ? now - seen.oldest.acquired_ns : 1;
        totals.oldest_trace = seen.oldest.trace;
        totals.oldest_route = seen.oldest.route;
        reading.oldest_caller = seen.oldest.caller;
    }
    reading.self_bytes = sizeof(pool_state) + totals.high_water * sizeof(slot);
    return reading;
}

void pool_state::misuse(pool_misuse kind, const void* caller, const void* last, std::size_t objects) noexcept {
    misuses_.fetch_add(1, std::memory_order_relaxed);  // relaxed: a statistic
    process_pools().report({kind, name.c_str(), caller, last, objects});
}

void pool_state::forget_waiters() noexcept {
    waiters_.store(0, std::memory_order_relaxed);  // relaxed: the child has one thread
    if (!is_abandoned_) { free_slots_.unwatch(); }
    new (&freed) std::condition_variable();  // the old one counts threads that are gone
}

}  // namespace detail
}  // namespace v1
}  // namespace memwatch
