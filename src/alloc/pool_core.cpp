// SPDX-License-Identifier: Apache-2.0
// What object_pool calls: checks, counts, samples. How the slots work stands in pool_state.hpp.
#include <memwatch/alloc/object_pool.hpp>
#include <memwatch/capture/recorder.hpp>

#include <memory>

#include "alloc/pool_state.hpp"

namespace memwatch {
inline namespace v1 {
namespace detail {
namespace {

// Shows a pool for as long as it exists. Only unregistering ends that, so the reference is never stale.
class shown_pool final : public pool_source {
public:
    explicit shown_pool(pool_state& pool) noexcept : pool_(pool) {}
    [[nodiscard]] pool_reading read() const override { return pool_.read(); }
    void lock_for_fork() noexcept override {
        pool_.growth_lock.lock();
        pool_.wait_lock.lock();
    }
    void unlock_after_fork() noexcept override {
        pool_.wait_lock.unlock();
        pool_.growth_lock.unlock();
    }
    void enter_child() noexcept override { pool_.forget_waiters(); }

private:
    pool_state& pool_;
};

pool_state& state_of(pool_core* core) noexcept { return *static_cast<pool_state*>(core); }

// From a free slot to an object in use.
[[gnu::always_inline]] inline void* hand_out(pool_state& pool, const slot_place& place, sample_ticket ticket,
                                             const void* caller) noexcept {
    void* const object = pool.object_at(place);
    count_allocation(pool.owner.id(), pool.bytes);
    const bool is_sample = __builtin_expect(ticket.is_taken, 0);
    pool.note_acquire(place, is_sample ? slot_state::out | slot_state::sampled : slot_state::out, caller);
    if (is_sample) { record_allocation(object, pool.bytes, pool.owner.id(), pool.type_name, ticket, caller); }
    return object;
}

// Why a release was refused. An object that was never handed out is as foreign as one of nowhere.
[[gnu::cold, gnu::noinline]] void refuse_release(pool_state& pool, const slot* s, const void* caller) noexcept {
    // relaxed, both: for a report.
    if (s == nullptr || s->uses.load(std::memory_order_relaxed) == 0) {
        pool.misuse(pool_misuse::foreign_pointer, caller, nullptr);
    } else {
        pool.misuse(pool_misuse::double_release, caller, s->caller.load(std::memory_order_relaxed));
    }
}

[[gnu::always_inline]] inline release_ticket take_back(pool_state& pool, void* object, const void* caller) noexcept {
    const slot_place place = pool.find(object);
    if (__builtin_expect(place.at == nullptr, 0)) {
        refuse_release(pool, nullptr, caller);
        return {};
    }
    slot& s = *place.at;
    // acq_rel: pairs with itself: of two threads that release the same object, exactly one sees it out.
    const std::uint8_t before = s.state.exchange(slot_state::free, std::memory_order_acq_rel);
    if (__builtin_expect(before == slot_state::free, 0)) {
        refuse_release(pool, &s, caller);
        return {};
    }
    s.caller.store(caller, std::memory_order_release);  // release: as all entries of a slot, pairs with read_checkout()
    count_free(pool.owner.id(), pool.bytes);
    if (__builtin_expect((before & slot_state::sampled) != 0, 0)) { record_free(object, pool.owner.id()); }
    return {place.index + 1};
}

sample_ticket draw(const pool_state& pool, const void* caller) noexcept {
    if (__builtin_expect(!countdown_borrows(pool.bytes), 1)) { return {}; }
    return take_sample(sample_request{pool.bytes, pool.owner.id(), caller, false});
}

}  // namespace

pool_core* pool_core::create(std::string_view name, std::size_t object_bytes, std::size_t alignment, std::string_view type,
                             const pool_options& options) {
    if (options.capacity == 0 || options.capacity > pool_state::max_capacity) { throw std::bad_array_new_length(); }
    auto pool = std::make_unique<pool_state>(name, object_bytes, alignment, type, options);
    pool->add_chunk(options.capacity);
    pool->registration = pool_registration(new shown_pool(*pool));
    return pool.release();
}

void pool_core::abandon() noexcept { state_of(this).end_with_last(); }

void* pool_core::acquire() noexcept {
    pool_state& pool = state_of(this);
    const void* const caller = __builtin_return_address(0);
    const sample_ticket ticket = draw(pool, caller);
    slot_place place;
    if (__builtin_expect(!pool.take(place), 0)) {
        pool.count_failure();
        return nullptr;
    }
    return hand_out(pool, place, ticket, caller);
}

void* pool_core::acquire_within(std::uint64_t patience_ns) noexcept {
    pool_state& pool = state_of(this);
    const void* const caller = __builtin_return_address(0);
    sample_ticket ticket = draw(pool, caller);
    slot_place place;
    if (!pool.take(place)) {
        if (!pool.wait_and_take(place, patience_ns)) {
            pool.count_failure();
            return nullptr;
        }
        ticket.began_ns = 0;  // recording begins now: the wait was the program's, not what the sample costs
    }
    return hand_out(pool, place, ticket, caller);
}

release_ticket pool_core::begin_release(void* object) noexcept {
    return take_back(state_of(this), object, __builtin_return_address(0));
}

void pool_core::finish_release(release_ticket ticket) noexcept { state_of(this).give_back(ticket.slot - 1); }

void pool_core::release(void* object) noexcept {
    pool_state& pool = state_of(this);
    const release_ticket ticket = take_back(pool, object, __builtin_return_address(0));
    if (__builtin_expect(ticket.slot != 0, 1)) { pool.give_back(ticket.slot - 1); }
}

std::size_t pool_core::shrink() noexcept { return state_of(this).shrink(); }

std::size_t pool_core::object_bytes() const noexcept { return static_cast<const pool_state*>(this)->bytes; }
std::size_t pool_core::alignment() const noexcept { return static_cast<const pool_state*>(this)->alignment; }
std::string_view pool_core::name() const noexcept { return static_cast<const pool_state*>(this)->name; }

pool_totals pool_core::totals() const { return static_cast<const pool_state*>(this)->read().totals; }

}  // namespace detail
}  // namespace v1
}  // namespace memwatch
