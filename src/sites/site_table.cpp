// SPDX-License-Identifier: Apache-2.0
#include "sites/site_table.hpp"

#include <algorithm>
#include <iterator>
#include <mutex>

#include "base/hash.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

std::uint64_t hash_site(const site_identity& key) noexcept { return combine_hash(combine_hash(key.stack, key.type), key.tag); }

sampled_totals weight_of(std::uint64_t size_bytes, std::uint64_t interval_bytes) noexcept {
    sampled_totals one;
    one.add(size_bytes, interval_bytes);
    return one;
}

void subtract(sampled_totals& from, const sampled_totals& part) noexcept {
    if (--from.samples == 0) {
        from = {};
        return;
    }
    from.bytes -= part.bytes;
    from.objects -= part.objects;
    from.bytes_variance -= part.bytes_variance;
    from.objects_variance -= part.objects_variance;
}

// Makes room for a new cohort: the two oldest become one that stands for everything up to the younger of them.
void merge_oldest(site_state& site) noexcept {
    site.born_bytes[1] += site.born_bytes[0];
    site.born_objects[1] += site.born_objects[0];
    const auto shift = [&](auto& array) { std::copy(std::begin(array) + 1, std::end(array), std::begin(array)); };
    shift(site.cohort_epochs);
    shift(site.born_bytes);
    shift(site.born_objects);
    --site.cohorts_used;
    site.is_oldest_merged = true;
}

// The cohort of `epoch`. Epochs arrive in order but for threads that raced past a boundary: those join the newest.
std::size_t cohort_of(site_state& site, std::uint64_t epoch) noexcept {
    const auto number = static_cast<std::uint32_t>(epoch);
    if (site.cohorts_used > 0 && site.cohort_epochs[site.cohorts_used - 1] >= number) { return site.cohorts_used - 1; }
    if (site.cohorts_used == site_state::cohort_count) { merge_oldest(site); }
    const std::size_t fresh = site.cohorts_used++;
    site.cohort_epochs[fresh] = number;
    site.born_bytes[fresh] = 0;
    site.born_objects[fresh] = 0;
    return fresh;
}

}  // namespace

site_table::site_table(void* memory, std::size_t capacity, loss_counters& losses) noexcept
    : sites_(static_cast<site_state*>(memory)),
      capacity_(static_cast<std::uint32_t>(capacity)),
      index_(sites_ + capacity + 1, capacity),
      types_(reinterpret_cast<std::byte*>(sites_ + capacity + 1) + intern_index::memory_bytes(capacity), max_types,
             type_text_bytes),
      losses_(losses) {}

std::uint32_t site_table::intern(std::uint32_t stack, std::string_view type, std::uint16_t tag) noexcept {
    constexpr std::uint32_t types_full = 0xFFFF'FFFF;
    std::uint32_t type_id = types_.intern(type, types_full);
    if (type_id == types_full) {
        losses_.count(drop_reason::type_table_full);
        type_id = 0;
    }
    const site_identity key{stack, type_id, tag};
    const auto make = [&]() -> std::uint32_t {
        // relaxed: changes only under the index's lock, which is held here.
        const std::uint32_t id = last_id_.load(std::memory_order_relaxed) + 1;
        if (id > capacity_) { return intern_index::none; }
        sites_[id].key = key;
        // release: pairs with the acquire in size().
        last_id_.store(id, std::memory_order_release);
        return id;
    };
    const std::uint32_t id = index_.intern(
        hash_site(key), [&](std::uint32_t candidate) { return sites_[candidate].key == key; }, make);
    if (id == intern_index::none) { losses_.count(drop_reason::site_table_full); }
    return id;  // none is the overflow site
}

void site_table::count_birth(std::uint32_t site, std::uint64_t size_bytes, std::uint64_t interval_bytes, std::uint64_t epoch,
                             trace_id trace, std::uint64_t birth_ns) noexcept {
    const sampled_totals weight = weight_of(size_bytes, interval_bytes);
    const std::lock_guard guard(stripe_of(site));
    site_state& state = sites_[site];
    state.live.add(weight);
    state.allocated.add(weight);
    const std::size_t cohort = cohort_of(state, epoch);
    state.born_bytes[cohort] += weight.bytes;
    state.born_objects[cohort] += weight.objects;
    if (!trace.is_valid() || birth_ns < state.example_birth_ns) { return; }
    state.example_trace = trace;
    state.example_size_bytes = size_bytes;
    state.example_birth_ns = birth_ns;
}

std::uint16_t site_table::count_death(std::uint32_t site, std::uint64_t size_bytes, std::uint64_t interval_bytes,
                                      std::uint64_t lifetime_ns, bool is_other_thread) noexcept {
    const sampled_totals weight = weight_of(size_bytes, interval_bytes);
    const std::lock_guard guard(stripe_of(site));
    site_state& state = sites_[site];
    subtract(state.live, weight);
    state.freed.add(weight);
    if (is_other_thread) { state.freed_by_other_thread.add(weight); }
    state.lifetimes.objects[lifetime_bucket(lifetime_ns)] += weight.objects;
    state.lifetimes.sum_seconds += weight.objects * static_cast<double>(lifetime_ns) * 1e-9;
    return state.key.tag;
}

void site_table::add_births(std::uint32_t site, double bytes, double objects, std::uint64_t epoch) noexcept {
    const std::lock_guard guard(stripe_of(site));
    site_state& state = sites_[site];
    const std::size_t cohort = cohort_of(state, epoch);
    state.born_bytes[cohort] += bytes;
    state.born_objects[cohort] += objects;
}

void site_table::reweigh(std::uint32_t site, std::uint64_t size_bytes, std::uint64_t interval_before,
                         std::uint64_t interval_after, bool is_kept) noexcept {
    const std::lock_guard guard(stripe_of(site));
    site_state& state = sites_[site];
    if (is_kept) { state.live.add(weight_of(size_bytes, interval_after)); }
    subtract(state.live, weight_of(size_bytes, interval_before));
}

site_state site_table::copy(std::uint32_t site) noexcept {
    const std::lock_guard guard(stripe_of(site));
    return sites_[site];
}

void site_table::lock_for_fork() noexcept {
    for (stripe& s : stripes_) { s.lock.lock(); }
    index_.lock().lock();
    types_.lock().lock();
}

void site_table::unlock_after_fork() noexcept {
    types_.lock().unlock();
    index_.lock().unlock();
    for (stripe& s : stripes_) { s.lock.unlock(); }
}

}  // namespace v1
}  // namespace memwatch
