// SPDX-License-Identifier: Apache-2.0
#include "alloc/pool_list.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace memwatch {
inline namespace v1 {

void pool_list::add(std::shared_ptr<pool_source> source) {
    auto fresh = std::make_shared<entry>();
    fresh->source = std::move(source);
    const std::lock_guard guard(mutex_);
    entries_.push_back(std::move(fresh));
}

void pool_list::remove(const pool_source* source) noexcept {
    std::shared_ptr<entry> last;
    {
        const std::lock_guard guard(mutex_);
        const auto at =
            std::find_if(entries_.begin(), entries_.end(), [&](const auto& e) { return e->source.get() == source; });
        if (at == entries_.end()) { return; }
        last = std::move(*at);
        entries_.erase(at);
    }
    if (last->is_called_by_this_thread()) {  // by the function itself: the call under way is the last
        last->is_removed = true;
        return;
    }
    const std::lock_guard waits_for_a_call(last->calling);
    last->is_removed = true;
}

std::vector<pool_reading> pool_list::read() const {
    std::vector<std::shared_ptr<entry>> shown;
    {
        const std::lock_guard guard(mutex_);
        shown = entries_;
    }
    std::vector<pool_reading> all;
    all.reserve(shown.size());
    const bool is_nested = std::any_of(shown.begin(), shown.end(), [](const auto& e) { return e->is_called_by_this_thread(); });
    for (const auto& e : shown) {
        if (e->is_called_by_this_thread()) { continue; }
        std::unique_lock guard(e->calling, std::defer_lock);
        if (!is_nested) { guard.lock(); }
        if (guard.owns_lock() || guard.try_lock()) { read(*e, all); }
    }
    return all;
}

void pool_list::read(entry& from, std::vector<pool_reading>& into) {
    if (from.is_removed) { return; }
    from.caller.store(std::this_thread::get_id(), std::memory_order_relaxed);  // relaxed: see is_called_by_this_thread()
    try {
        into.push_back(from.source->read());
    } catch (...) {
        // A registered function that throws has nothing to say.
    }
    from.caller.store({}, std::memory_order_relaxed);  // relaxed: as above
}

void pool_list::lock_for_fork() noexcept {
    mutex_.lock();
    // Newest first: a pool that grows holds its own lock and asks an older pool for storage.
    for (auto e = entries_.rbegin(); e != entries_.rend(); ++e) { (*e)->source->lock_for_fork(); }
}

void pool_list::unlock_after_fork() noexcept {
    for (const auto& e : entries_) { e->source->unlock_after_fork(); }
    mutex_.unlock();
}

void pool_list::forget_calls() noexcept {
    for (const auto& e : entries_) {
        new (&e->calling) std::mutex();                  // the old one may be held by a thread that is gone
        e->caller.store({}, std::memory_order_relaxed);  // relaxed: one thread
        e->source->enter_child();
    }
}

void pool_list::report(const pool_misuse_report& misuse) const noexcept {
    // acquire: pairs with the release in set_misuse_listener().
    const misuse_listener listener = listener_.load(std::memory_order_acquire);
    if (listener != nullptr) { listener(misuse); }
}

pool_registration::pool_registration(pool_source* source) : source_(source) {
    process_pools().add(std::shared_ptr<pool_source>(source));
}

pool_registration& pool_registration::operator=(pool_registration&& other) noexcept {
    if (this != &other) {
        if (source_ != nullptr) { process_pools().remove(source_); }
        source_ = std::exchange(other.source_, nullptr);
    }
    return *this;
}

pool_registration::~pool_registration() {
    if (source_ != nullptr) { process_pools().remove(source_); }
}

namespace detail {

pool_totals describe_registered(std::string_view name, const pool_stats& stats, const upstream_edge& upstream) {
    pool_totals totals;
    totals.name = name;
    totals.upstream = upstream.name();
    totals.upstream_is_pool = upstream.is_pool();
    totals.object_bytes = stats.object_bytes;
    totals.capacity = stats.capacity;
    totals.storage_bytes = stats.storage_bytes != 0 ? stats.storage_bytes : stats.capacity * stats.object_bytes;
    totals.in_use = stats.in_use;
    totals.high_water = stats.high_water;
    totals.acquires = stats.acquires;
    totals.hits = stats.hits;
    totals.acquire_failures = stats.acquire_failures;
    totals.waiters = stats.waiters;
    totals.most_waiters = stats.most_waiters;
    totals.waits = stats.waits;
    totals.wait_ns = stats.wait_ns;
    totals.oldest_checkout_ns = stats.oldest_checkout_ns;
    totals.oldest_trace = stats.oldest_trace;
    return totals;
}

}  // namespace detail
}  // namespace v1
}  // namespace memwatch
