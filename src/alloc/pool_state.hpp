// SPDX-License-Identifier: Apache-2.0
#pragma once
// A pool without its type: storage in chunks that double, a slot beside each object that says who has it, and the free slots.
//
//   chunk 0   objects [0, c)      chunk 1   [c, 2c)      chunk 2   [2c, 4c) ...      31 chunks reach any size
//   slot      { state, link, route, caller, acquired at, uses }   32 bytes, a cache line holds two
//   touched   slots 0 .. touched-1 were handed out at least once; the others are neither in the list nor in memory
//
// Nothing is counted across threads: acquires are the sum of the slots' uses, what is in use are the slots that say so, and
// most in use at once is `touched`, because a new slot is only touched when all others are out. (An acquire that finds the list
// empty counts as in use from that look on, a release until its slot is back: so the figure is one that really was.) Acquiring
// is one compare-and-exchange on the list, releasing one there and one exchange on the slot; the price is paid by freeze, which
// reads the touched slots: 2 ns each and up (tests/bench/pool_bench.cpp).
//
// Who waits does so under `wait_lock`, having marked the list as watched in the same step that found it empty (slot_list.hpp):
// releases then push under that lock and wake one. The same mark is how an abandoned pool ends: every late release goes through
// the lock, and the last one deletes.
//
// Threads: any, but for the constructor, end_with_last() and add_chunk(). Locks: growth_lock, then wait_lock; neither on a
// release that nobody waits for, nor on an acquire that finds a free object.

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <string>
#include <vector>

#include <memwatch/alloc/object_pool.hpp>
#include "alloc/pool_list.hpp"
#include "base/slot_list.hpp"
#include "capture/capture_state.hpp"

namespace memwatch {
inline namespace v1 {
namespace detail {

// What a slot's `state` says; zero = free.
namespace slot_state {
inline constexpr std::uint8_t free = 0;
inline constexpr std::uint8_t out = 1;
inline constexpr std::uint8_t sampled = 2;  // with out: the live table knows the object
inline constexpr std::uint8_t traced = 4;   // with out: the chunk's `traces` has the id it was acquired for
}  // namespace slot_state

// All zero is a slot that was never handed out. Written by whoever holds the object; the others' reads see either values of one
// acquire or notice that they do not (pool_state::read_checkout).
struct slot {
    std::atomic<const void*> caller;  // of the last acquire or release
    std::atomic<std::uint64_t> acquired_ns;
    std::atomic<std::uint64_t> uses;
    slot_list::link next;
    std::atomic<route_id> route;
    std::atomic<std::uint8_t> state;
};
static_assert(sizeof(slot) == 32);

// Touched only for objects that are acquired for a trace.
struct slot_trace {
    std::atomic<std::uint64_t> high;
    std::atomic<std::uint64_t> low;
};

// offset / stride by a multiplication, where that is exact: for offset * stride < 2^64, which covers any chunk of objects below
// 128 KiB. Error of the reciprocal: less than stride / 2^64 a step.
class stride_divider {
public:
    explicit stride_divider(std::size_t stride) noexcept
        : stride_(stride), reciprocal_(stride > 1 && stride < (1U << 17U) ? ~std::uint64_t{0} / stride + 1 : 0) {}
    [[nodiscard]] std::uint64_t quotient(std::uint64_t offset) const noexcept {
        if (__builtin_expect(reciprocal_ == 0, 0)) { return offset / stride_; }
        __extension__ using wide = unsigned __int128;
        return static_cast<std::uint64_t>(static_cast<wide>(offset) * reciprocal_ >> 64U);
    }

private:
    std::uint64_t stride_;
    std::uint64_t reciprocal_;
};

struct free_memory {
    void operator()(void* memory) const noexcept { std::free(memory); }
};

struct chunk {
    std::atomic<std::byte*> storage{nullptr};
    std::unique_ptr<slot[], free_memory> slots;
    std::unique_ptr<slot_trace[], free_memory> traces;
    std::uint32_t first{};
    std::uint32_t end{};
};

// One object that is out, as freeze saw it.
struct checkout {
    std::uint64_t acquired_ns{};
    trace_id trace;
    route_id route{};
    const void* caller{};
};

// Where a slot is.
struct slot_place {
    const chunk* in{};
    slot* at{};
    std::uint32_t index{};

    [[nodiscard]] std::uint32_t local() const noexcept { return index - in->first; }
};

struct pool_state final : pool_core {
    static constexpr std::size_t max_chunks = 31;
    static constexpr std::size_t max_capacity = slot_list::max_slots;

    pool_state(std::string_view pool_name, std::size_t object_bytes, std::size_t object_alignment, std::string_view type,
               const pool_options& options);
    ~pool_state();

    // Makes storage for `count` more objects. Under growth_lock, or before the pool is shared. Throws what upstream throws.
    void add_chunk(std::size_t count);

    // A free slot, its holder's to fill in. False: none, and growing is not wanted or not possible.
    [[nodiscard]] bool take(slot_place& place) noexcept {
        if (__builtin_expect(free_slots_.try_pop(place.index, links()), 1)) {
            place = place_of(place.index);
            return true;
        }
        return take_new(place);
    }
    // As take(), but waits for a release. False: none came in time.
    [[nodiscard]] bool wait_and_take(slot_place& place, std::uint64_t patience_ns) noexcept;
    // The slot is free again; may delete the pool when that was abandoned.
    void give_back(std::uint32_t index) noexcept {
        slot_list::link& link = place_of(index).at->next;
        if (__builtin_expect(free_slots_.try_push(index, link), 1)) { return; }  // the pool may be gone from here on
        give_back_watched(index, link);
    }
    // object_pool::shrink(): takes free slots out of the list, drops the pages that lie within runs of them, and puts them
    // back.
    [[nodiscard]] std::size_t shrink() noexcept;
    // The pool's owner is gone: it ends with the last object that is out.
    void end_with_last() noexcept;

    [[nodiscard]] slot_place find(const void* object) const noexcept;  // at == null: not an object of this pool
    [[nodiscard]] void* object_at(const slot_place& place) const noexcept {
        // relaxed: the index came through the list or touch(), after the chunk was published.
        return place.in->storage.load(std::memory_order_relaxed) + place.local() * stride;
    }

    // The holder's entries, before the object is used. A reader that sees any of them also sees, when it looks again, that the
    // slot is no longer the one it began with (read_checkout).
    void note_acquire(const slot_place& place, std::uint8_t how, const void* caller) noexcept {
        slot& s = *place.at;
        const trace_context& context = home_block().context;
        // release, all: pair with the acquires in read_checkout().
        s.caller.store(caller, std::memory_order_release);
        s.acquired_ns.store(capture_.coarse_now_ns(), std::memory_order_release);
        s.route.store(context.route, std::memory_order_release);
        if (__builtin_expect(context.trace.is_valid(), 0)) {
            slot_trace& t = place.in->traces[place.local()];
            t.high.store(context.trace.high, std::memory_order_release);  // release, both: as above, pair with the acquires
            t.low.store(context.trace.low, std::memory_order_release);
            how |= slot_state::traced;
        }
        // relaxed: only the slot's holder writes it. release, both: pair with the acquires in read_checkout(), and the second
        // with the exchange of who releases.
        s.uses.store(s.uses.load(std::memory_order_relaxed) + 1, std::memory_order_release);
        s.state.store(how, std::memory_order_release);
    }

    void count_failure() noexcept { failures_.fetch_add(1, std::memory_order_relaxed); }  // relaxed: a statistic
    void misuse(pool_misuse kind, const void* caller, const void* last, std::size_t objects = 1) noexcept;

    // One pass over the touched slots.
    struct tally {
        std::uint64_t in_use{};
        std::uint64_t acquires{};
        checkout oldest;  // acquired_ns = 0: nothing is out
    };
    [[nodiscard]] tally count() const noexcept;
    [[nodiscard]] pool_reading read() const;

    const std::string name;
    const std::string type_name;
    const std::size_t bytes;
    const std::size_t alignment;
    const std::size_t stride;
    const stride_divider by_stride;
    const bool can_grow;
    const memwatch::tag owner;
    std::pmr::memory_resource* const upstream;  // null: operator new
    const upstream_edge edge;

    std::mutex growth_lock;
    std::mutex wait_lock;
    std::condition_variable freed;  // a slot went to the list that wait_lock's holders watch
    pool_registration registration;

    // In a forked child, with both locks held: nobody waits there.
    void forget_waiters() noexcept;

private:
    // acquire: pairs with the release in add_chunk().
    [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_.load(std::memory_order_acquire); }
    // acquire: pairs with the exchange in touch(). Slots below are there; one may not have been acquired yet.
    [[nodiscard]] std::uint32_t touched() const noexcept { return touched_.load(std::memory_order_acquire); }

    [[nodiscard]] slot_place place_of(std::uint32_t index) const noexcept {
        const chunk* in = chunks_;
        while (__builtin_expect(index >= in->end, 0)) { ++in; }
        return {in, &in->slots[index - in->first], index};
    }
    // For the list: where slot i's link is.
    struct link_finder {
        const pool_state* pool;
        [[nodiscard]] slot_list::link& operator()(std::uint32_t index) const noexcept { return pool->place_of(index).at->next; }
    };
    [[nodiscard]] link_finder links() const noexcept { return {this}; }

    [[nodiscard]] std::vector<std::uint32_t> take_free_slots() noexcept;
    [[nodiscard]] std::size_t drop_pages(std::uint32_t first, std::uint32_t last) noexcept;
    [[nodiscard]] bool touch(std::uint32_t& index) noexcept;
    [[nodiscard]] bool take_new(slot_place& place) noexcept;
    [[nodiscard]] bool grow(std::uint32_t full_at) noexcept;
    [[nodiscard]] static bool read_checkout(const slot_place& place, checkout& into) noexcept;
    void give_back_watched(std::uint32_t index, slot_list::link& link) noexcept;
    void lose_holder_locked(std::unique_lock<std::mutex> lock) noexcept;

    const capture_state& capture_;
    chunk chunks_[max_chunks];
    std::atomic<std::size_t> chunks_used_{0};
    std::atomic<std::uint32_t> capacity_{0};

    alignas(64) slot_list free_slots_;
    std::atomic<std::uint32_t> touched_{0};

    alignas(64) std::atomic<std::uint64_t> misses_{0};  // acquires that had to grow the pool
    std::atomic<std::uint64_t> failures_{0};
    std::atomic<std::uint64_t> misuses_{0};
    std::atomic<std::uint64_t> waiters_{0};       // these four: written under wait_lock
    std::atomic<std::uint64_t> most_waiters_{0};  // at once
    std::atomic<std::uint64_t> waits_{0};
    std::atomic<std::uint64_t> wait_ns_{0};
    bool is_abandoned_{};    // guarded by wait_lock, as the next
    std::size_t holders_{};  // of an abandoned pool: objects that are out, and end_with_last() itself
};

}  // namespace detail
}  // namespace v1
}  // namespace memwatch
