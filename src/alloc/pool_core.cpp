// SPDX-License-Identifier: Apache-2.0
// Storage grows in chunks that double the pool, so 31 chunks reach any size and an object's chunk is found by address:
//
//   chunk 0   objects [0, c)      chunk 1   [c, 2c)      chunk 2   [2c, 4c) ...
//   slot      { state: free | out | out and sampled,  caller of the last acquire or release }
//
// The free list is Boost.Lockfree's stack of slot numbers. Its nodes are reserved with the storage, so pushing and popping
// never allocate.
#include <memwatch/alloc/object_pool.hpp>
#include <memwatch/capture/recorder.hpp>

#include <algorithm>
#include <atomic>
#include <boost/lockfree/stack.hpp>
#include <memory>
#include <mutex>
#include <string>

#include "alloc/pool_list.hpp"

namespace memwatch {
inline namespace v1 {
namespace detail {
namespace {

enum class slot_state : std::uint8_t { free, out, out_sampled };

struct slot {
    std::atomic<const void*> caller{nullptr};
    std::atomic<slot_state> state{slot_state::free};
};

struct chunk {
    std::atomic<std::byte*> storage{nullptr};
    std::unique_ptr<slot[]> slots;
    std::size_t first{};
    std::size_t count{};
};

constexpr std::size_t max_chunks = 31;
constexpr std::size_t max_capacity = std::size_t{1} << 30U;

}  // namespace

struct pool_state {
    pool_state(std::string_view pool_name, std::size_t object_bytes, std::size_t object_alignment, std::string_view type,
               const pool_options& options)
        : name(pool_name),
          type_name(type),
          bytes(object_bytes),
          alignment(object_alignment),
          stride((object_bytes + object_alignment - 1) / object_alignment * object_alignment),
          can_grow(options.can_grow),
          owner(options.tag != memwatch::tag{} ? options.tag : memwatch::tag{pool_name}),
          free_slots(0) {}

    ~pool_state() {
        for (std::size_t i = 0; i < chunk_count(); ++i) {
            // relaxed: nobody else is left.
            ::operator delete (chunks[i].storage.load(std::memory_order_relaxed), std::align_val_t{alignment});
        }
    }

    // acquire: pairs with the release in add_chunk().
    [[nodiscard]] std::size_t chunk_count() const noexcept { return chunks_used.load(std::memory_order_acquire); }
    [[nodiscard]] std::size_t capacity() const noexcept {
        const std::size_t used = chunk_count();
        return used == 0 ? 0 : chunks[used - 1].first + chunks[used - 1].count;
    }

    // Makes storage for `count` more objects. Under growth_lock, or before the pool is shared. Throws std::bad_alloc.
    void add_chunk(std::size_t count);
    [[nodiscard]] bool grow() noexcept;
    [[nodiscard]] bool pop(std::uint32_t& index, slot_state taken) noexcept;

    struct place {
        slot* found{};  // null: not an object of this pool
        std::uint32_t index{};
    };
    [[nodiscard]] place find(const void* object) noexcept;
    [[nodiscard]] void* object_at(std::uint32_t index, slot*& s) noexcept;
    [[nodiscard]] const void* any_holder() const noexcept;
    void count_acquire(bool is_hit) noexcept;
    void misuse(pool_misuse kind, const void* caller, const void* last, std::size_t objects = 1) noexcept;

    std::string name;
    std::string type_name;
    std::size_t bytes;
    std::size_t alignment;
    std::size_t stride;
    bool can_grow;
    memwatch::tag owner;

    chunk chunks[max_chunks];
    std::atomic<std::size_t> chunks_used{0};
    std::mutex growth_lock;
    boost::lockfree::stack<std::uint32_t> free_slots;

    // Objects out, plus one for the pool itself: whoever brings it to zero deletes the core. An object counts until its slot is
    // back in the list, which for `in_use` would be too long: another thread may have taken the slot by then.
    std::atomic<std::uint64_t> holders{1};
    std::atomic<std::uint64_t> in_use{0};
    std::atomic<std::uint64_t> high_water{0};
    std::atomic<std::uint64_t> acquires{0};
    std::atomic<std::uint64_t> misses{0};  // acquires that had to grow the pool
    std::atomic<std::uint64_t> failures{0};
    std::atomic<std::uint64_t> misuses{0};
    pool_registration registration;
};

void pool_state::add_chunk(std::size_t count) {
    chunk& fresh = chunks[chunk_count()];
    fresh.first = capacity();
    fresh.count = count;
    fresh.slots = std::make_unique<slot[]>(count);
    free_slots.reserve(count);
    auto* const storage = static_cast<std::byte*>(::operator new (count* stride, std::align_val_t{alignment}));
    // relaxed: published with the count below.
    fresh.storage.store(storage, std::memory_order_relaxed);
    // release: pairs with the acquire in chunk_count(). relaxed load: only growers write it, one at a time.
    chunks_used.store(chunks_used.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    // Highest first, so that the pool is filled from its beginning.
    for (std::size_t i = count; i > 0; --i) { free_slots.bounded_push(static_cast<std::uint32_t>(fresh.first + i - 1)); }
}

bool pool_state::grow() noexcept {
    const std::lock_guard guard(growth_lock);
    if (!free_slots.empty()) { return true; }  // another thread grew it, or an object came back
    if (chunk_count() == max_chunks || capacity() > max_capacity / 2) { return false; }
    try {
        add_chunk(capacity());
        return true;
    } catch (...) { return false; }  // no memory: an exhausted pool, as if it were bounded
}

// Takes a free slot and marks it `taken`. The list's links carry a 16-bit version on x86-64, so a thread that stands still for
// 65,536 pops of others could be handed a slot that is out: the slot's own state has the last word, and such an index is let
// go.
bool pool_state::pop(std::uint32_t& index, slot_state taken) noexcept {
    bool is_hit = true;
    for (;;) {
        while (free_slots.pop(index)) {
            slot* s = nullptr;
            static_cast<void>(object_at(index, s));
            slot_state expected = slot_state::free;
            // acq_rel: pairs with the exchange in begin_release(): the last holder is done with the storage.
            if (s->state.compare_exchange_strong(expected, taken, std::memory_order_acq_rel, std::memory_order_relaxed)) {
                count_acquire(is_hit);
                return true;
            }
        }
        is_hit = false;
        if (!can_grow || !grow()) { break; }
    }
    failures.fetch_add(1, std::memory_order_relaxed);  // relaxed: a statistic
    return false;
}

void pool_state::count_acquire(bool is_hit) noexcept {
    // relaxed, all: statistics, except that `holders` also keeps the core alive; its last decrement synchronises.
    holders.fetch_add(1, std::memory_order_relaxed);
    const std::uint64_t now_in_use = in_use.fetch_add(1, std::memory_order_relaxed) + 1;
    acquires.fetch_add(1, std::memory_order_relaxed);
    if (!is_hit) { misses.fetch_add(1, std::memory_order_relaxed); }
    std::uint64_t most = high_water.load(std::memory_order_relaxed);
    while (now_in_use > most && !high_water.compare_exchange_weak(most, now_in_use, std::memory_order_relaxed)) {
    }  // relaxed: as above
}

void* pool_state::object_at(std::uint32_t index, slot*& s) noexcept {
    std::size_t i = 0;
    while (index >= chunks[i].first + chunks[i].count) { ++i; }
    s = &chunks[i].slots[index - chunks[i].first];
    // relaxed: the index came through the free list, after the chunk was published.
    return chunks[i].storage.load(std::memory_order_relaxed) + (index - chunks[i].first) * stride;
}

pool_state::place pool_state::find(const void* object) noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(object);
    for (std::size_t i = 0; i < chunk_count(); ++i) {
        // relaxed: ordered by the acquire in chunk_count().
        const auto begin = reinterpret_cast<std::uintptr_t>(chunks[i].storage.load(std::memory_order_relaxed));
        const std::uintptr_t offset = address - begin;
        if (offset < chunks[i].count * stride && offset % stride == 0) {
            const std::size_t local = offset / stride;
            return {&chunks[i].slots[local], static_cast<std::uint32_t>(chunks[i].first + local)};
        }
    }
    return {};
}

// Who acquired the first object that is out; it stands for the others in a report.
const void* pool_state::any_holder() const noexcept {
    for (std::size_t i = 0; i < chunk_count(); ++i) {
        for (std::size_t j = 0; j < chunks[i].count; ++j) {
            const slot& s = chunks[i].slots[j];
            // relaxed, both: a report.
            if (s.state.load(std::memory_order_relaxed) != slot_state::free) {
                return s.caller.load(std::memory_order_relaxed);
            }
        }
    }
    return nullptr;
}

void pool_state::misuse(pool_misuse kind, const void* caller, const void* last, std::size_t objects) noexcept {
    misuses.fetch_add(1, std::memory_order_relaxed);  // relaxed: a statistic
    process_pools().report({kind, name.c_str(), caller, last, objects});
}

namespace {

// Shows a core for as long as its pool exists. Only unregistering ends the core's visibility, so the references are never
// stale.
class shown_pool final : public pool_source {
public:
    shown_pool(const pool_core& core, std::mutex& growth_lock) noexcept : core_(core), growth_lock_(growth_lock) {}
    [[nodiscard]] pool_totals totals() const override { return core_.totals(); }
    void lock_for_fork() noexcept override { growth_lock_.lock(); }
    void unlock_after_fork() noexcept override { growth_lock_.unlock(); }

private:
    const pool_core& core_;
    std::mutex& growth_lock_;
};

}  // namespace

pool_core* pool_core::create(std::string_view name, std::size_t object_bytes, std::size_t alignment, std::string_view type,
                             const pool_options& options) {
    if (options.capacity == 0 || options.capacity > max_capacity) { throw std::bad_array_new_length(); }
    auto implementation = std::make_unique<pool_state>(name, object_bytes, alignment, type, options);
    implementation->add_chunk(options.capacity);
    auto* const core = new pool_core(implementation.get());
    pool_state* const pool = implementation.release();
    try {
        pool->registration = pool_registration(std::make_shared<shown_pool>(*core, pool->growth_lock));
    } catch (...) {
        delete pool;
        delete core;
        throw;
    }
    return core;
}

void pool_core::abandon() noexcept {
    pool_state& pool = *state_;
    pool.registration = {};
    // Before our hold is given up: the last release may delete the core at once.
    // relaxed: a report; holders may come back at this very moment.
    const std::uint64_t out = pool.holders.load(std::memory_order_relaxed) - 1;
    if (out != 0) { pool.misuse(pool_misuse::outstanding_at_destruction, nullptr, pool.any_holder(), out); }
    give_up_hold();
}

// One of the holders less: the pool itself, or an object that is back.
void pool_core::give_up_hold() noexcept {
    // acq_rel: pairs with itself: whoever deletes sees all that the other holders did.
    if (state_->holders.fetch_sub(1, std::memory_order_acq_rel) != 1) { return; }
    delete state_;
    delete this;
}

void* pool_core::acquire() noexcept {
    pool_state& pool = *state_;
    sample_ticket ticket{};
    if (__builtin_expect(countdown_borrows(pool.bytes), 0)) { ticket = take_sample(pool.bytes); }
    std::uint32_t index = 0;
    if (!pool.pop(index, ticket.is_taken ? slot_state::out_sampled : slot_state::out)) { return nullptr; }
    slot* s = nullptr;
    void* const object = pool.object_at(index, s);
    const void* const caller = __builtin_return_address(0);
    // relaxed: whoever releases the object has it from this thread.
    s->caller.store(caller, std::memory_order_relaxed);
    count_allocation(pool.owner.id(), pool.bytes);
    if (ticket.is_taken) { record_allocation(object, pool.bytes, pool.owner.id(), pool.type_name, ticket, caller); }
    return object;
}

bool pool_core::begin_release(void* object) noexcept {
    pool_state& pool = *state_;
    const void* const caller = __builtin_return_address(0);
    const pool_state::place at = pool.find(object);
    if (at.found == nullptr) {
        pool.misuse(pool_misuse::foreign_pointer, caller, nullptr);
        return false;
    }
    // acq_rel: pairs with itself: of two threads that release the same object, exactly one sees it out.
    const slot_state before = at.found->state.exchange(slot_state::free, std::memory_order_acq_rel);
    // relaxed: for reports.
    const void* const last = at.found->caller.load(std::memory_order_relaxed);
    at.found->caller.store(caller, std::memory_order_relaxed);  // relaxed: as above
    if (before == slot_state::free) {
        pool.misuse(pool_misuse::double_release, caller, last);
        return false;
    }
    count_free(pool.owner.id(), pool.bytes);
    if (before == slot_state::out_sampled) { record_free(object, pool.owner.id()); }
    return true;
}

void pool_core::finish_release(void* object) noexcept {
    pool_state& pool = *state_;
    pool.in_use.fetch_sub(1, std::memory_order_relaxed);  // relaxed: a statistic; before the slot can be taken again
    pool.free_slots.bounded_push(pool.find(object).index);
    give_up_hold();
}

pool_totals pool_core::totals() const {
    const pool_state& pool = *state_;
    pool_totals totals;
    totals.name = pool.name;
    totals.object_bytes = pool.bytes;
    totals.capacity = pool.capacity();
    // relaxed, all: statistics.
    totals.in_use = pool.in_use.load(std::memory_order_relaxed);
    totals.high_water = pool.high_water.load(std::memory_order_relaxed);
    totals.acquires = pool.acquires.load(std::memory_order_relaxed);
    totals.hits = totals.acquires - pool.misses.load(std::memory_order_relaxed);
    totals.acquire_failures = pool.failures.load(std::memory_order_relaxed);
    totals.misuses = pool.misuses.load(std::memory_order_relaxed);
    return totals;
}

}  // namespace detail
}  // namespace v1
}  // namespace memwatch
