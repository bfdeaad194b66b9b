// SPDX-License-Identifier: Apache-2.0
#include "alloc/pool_list.hpp"

#include <algorithm>

namespace memwatch {
inline namespace v1 {

void pool_list::add(std::shared_ptr<pool_source> source) {
    const std::lock_guard guard(mutex_);
    sources_.push_back(std::move(source));
}

void pool_list::remove(const pool_source* source) noexcept {
    std::shared_ptr<pool_source> last;  // destroyed after the lock: its destructor is the user's
    const std::lock_guard guard(mutex_);
    const auto at = std::find_if(sources_.begin(), sources_.end(), [&](const auto& s) { return s.get() == source; });
    if (at == sources_.end()) { return; }
    last = std::move(*at);
    sources_.erase(at);
}

std::vector<pool_totals> pool_list::totals() const {
    // Under the lock, so that remove() waits for a source in use.
    const std::lock_guard guard(mutex_);
    std::vector<pool_totals> all;
    all.reserve(sources_.size());
    for (const auto& source : sources_) {
        try {
            all.push_back(source->totals());
        } catch (...) {
            // A registered function that throws has nothing to say.
        }
    }
    return all;
}

void pool_list::lock_for_fork() noexcept {
    mutex_.lock();
    for (const auto& source : sources_) { source->lock_for_fork(); }
}

void pool_list::unlock_after_fork() noexcept {
    for (const auto& source : sources_) { source->unlock_after_fork(); }
    mutex_.unlock();
}

void pool_list::report(const pool_misuse_report& misuse) const noexcept {
    // acquire: pairs with the release in set_misuse_listener().
    const misuse_listener listener = listener_.load(std::memory_order_acquire);
    if (listener != nullptr) { listener(misuse); }
}

pool_registration::pool_registration(std::shared_ptr<pool_source> source) : source_(std::move(source)) {
    process_pools().add(source_);
}

pool_registration& pool_registration::operator=(pool_registration&& other) noexcept {
    if (this != &other) {
        if (source_ != nullptr) { process_pools().remove(source_.get()); }
        source_ = std::move(other.source_);
    }
    return *this;
}

pool_registration::~pool_registration() {
    if (source_ != nullptr) { process_pools().remove(source_.get()); }
}

namespace detail {

pool_totals describe_registered(std::string_view name, const pool_stats& stats, memwatch::tag upstream) {
    pool_totals totals;
    totals.name = name;
    if (upstream != memwatch::tag{}) { totals.upstream = upstream.name(); }
    totals.object_bytes = stats.object_bytes;
    totals.capacity = stats.capacity;
    totals.in_use = stats.in_use;
    totals.high_water = stats.high_water;
    totals.acquires = stats.acquires;
    totals.hits = stats.hits;
    totals.acquire_failures = stats.acquire_failures;
    return totals;
}

}  // namespace detail
}  // namespace v1
}  // namespace memwatch
