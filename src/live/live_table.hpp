// SPDX-License-Identifier: Apache-2.0
#pragma once
// The sampled blocks that are alive, by (address, tag). Updated synchronously by the thread that allocates or frees: what is in
// here is alive, what was freed is not, at every moment.
//
//   shard 0   lock | R' | count      [ entry | - | entry | entry | - | ... ]      open addressing, linear probing,
//   shard 1   lock | R' | count      [ - | - | entry | ...                 ]      deletion by shifting back: no tombstones
//   ...
//   shard 63
//
// Memory is fixed. A shard that fills up is *thinned*: its own interval R' is doubled, each block of size S stays with
// probability p(S, R') / p(S, R) and is weighted with R' from then on. The sums stay unbiased (Horvitz-Thompson over the
// product of both draws), no free is ever lost, and the work is one shard's: some 2,000 entries, well under a millisecond. New
// blocks drawn with a smaller R pass through the same test. When a shard empties, R' comes down again by halves. Checked by
// tests/unit/live/live_table_test.cpp, "thinning keeps the estimate unbiased", 4 sigma.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include <memwatch/model/trace_id.hpp>
#include <memwatch/model/weight.hpp>
#include "base/hash.hpp"
#include "base/spin_lock.hpp"
#include "model/record.hpp"
#include "model/thinning.hpp"

namespace memwatch {
inline namespace v1 {

struct live_entry {
    block_key key;  // 0 = empty
    std::uint64_t size_bytes;
    std::uint64_t sequence;
    std::uint64_t birth_ns;
    std::uint64_t interval_bytes;  // R it is weighted with
    trace_id trace;
    std::uint32_t site;
    std::uint16_t route;
    std::uint16_t thread;
};
static_assert(sizeof(live_entry) == 64, "one cache line a block; the budget counts on it");

class live_table {
public:
    // Few enough that chance does not fill one early: at 100,000 blocks over 64 x 2048 places a full shard is 5.8 sigma away.
    static constexpr std::size_t shard_count = 64;

    [[nodiscard]] static constexpr std::size_t memory_bytes(std::size_t entries_per_shard) noexcept {
        return shard_count * entries_per_shard * sizeof(live_entry);
    }

    // `entries_per_shard` is a power of two >= 16; `memory`: memory_bytes() zeroed bytes.
    live_table(void* memory, std::size_t entries_per_shard) noexcept;

    // What insert() did. `interval_bytes` is the R that the entry is weighted with, when it was kept.
    enum class outcome { kept, thinned_out, displaced_duplicate, full };

    // The observer sees every change of weight, under the shard's lock:
    //   born(entry), displaced(entry), reweighed(entry, interval_before, is_kept), interval_changed(old, new)
    template <class Observer>
    outcome insert(live_entry entry, std::uint64_t& random_state, Observer& observer) noexcept;

    // Removes the block and calls died(entry) under the shard's lock. False: it is not here.
    template <class Observer>
    bool remove(block_key key, Observer& observer) noexcept;

    // Calls visit(entry) for every block, a shard at a time; `reserve(n)` is called before each shard's lock is taken, with
    // the most entries that it can hold, so that the visitor need not allocate under it.
    template <class Reserve, class Visit>
    void for_each(Reserve reserve, Visit visit);

    // The least R at which no shard is thinned; at least `base_interval`, the R the shards come back to.
    [[nodiscard]] std::uint64_t interval_floor() const noexcept;
    // relaxed: a setting read under the shards' locks at the next change.
    void set_base_interval(std::uint64_t interval_bytes) noexcept {
        base_interval_.store(interval_bytes, std::memory_order_relaxed);
    }

    // relaxed: a figure for reports.
    [[nodiscard]] std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::size_t capacity() const noexcept { return shard_count * (mask_ + 1); }

    void lock_for_fork() noexcept;
    void unlock_after_fork() noexcept;

private:
    struct alignas(64) shard {
        spin_lock lock{lock_rank::live_shard};
        std::size_t count{0};                          // guarded by lock
        std::atomic<std::uint64_t> interval_bytes{0};  // R'; 0 = never thinned. Written under lock, read by interval_floor()
    };

    [[nodiscard]] std::size_t shard_of(std::uint64_t hash) const noexcept { return hash >> 58U; }
    [[nodiscard]] live_entry* entries_of(std::size_t shard_index) const noexcept {
        return entries_ + shard_index * (mask_ + 1);
    }
    [[nodiscard]] std::size_t find_locked(const live_entry* entries, std::uint64_t hash, block_key key) const noexcept;
    void erase_locked(live_entry* entries, std::size_t hole) noexcept;
    [[nodiscard]] std::size_t most_entries() const noexcept { return (mask_ + 1) / 8 * 7; }

    template <class Observer>
    void thin_locked(shard& s, live_entry* entries, std::uint64_t& random_state, Observer& observer) noexcept;
    template <class Observer>
    void relax_locked(shard& s, Observer& observer) noexcept;

    live_entry* entries_;
    std::size_t mask_;  // entries per shard - 1
    std::atomic<std::size_t> size_{0};
    std::atomic<std::uint64_t> base_interval_{0};
    shard shards_[shard_count];
};

template <class Observer>
live_table::outcome live_table::insert(live_entry entry, std::uint64_t& random_state, Observer& observer) noexcept {
    const std::uint64_t hash = mix_bits(entry.key);
    const std::size_t index = shard_of(hash);
    shard& s = shards_[index];
    live_entry* const entries = entries_of(index);
    const std::lock_guard guard(s.lock);
    outcome result = outcome::kept;
    if (s.count >= most_entries()) { thin_locked(s, entries, random_state, observer); }
    // relaxed: changes only under the lock, which we hold.
    const std::uint64_t floor = s.interval_bytes.load(std::memory_order_relaxed);
    if (floor > entry.interval_bytes) {
        if (!survives_thinning(entry.size_bytes, entry.interval_bytes, floor, random_state)) { return outcome::thinned_out; }
        entry.interval_bytes = floor;
    }
    std::size_t at = find_locked(entries, hash, entry.key);
    if (entries[at].key != 0) {
        observer.displaced(entries[at]);
        result = outcome::displaced_duplicate;
    } else if (s.count >= most_entries()) {
        return outcome::full;
    } else {
        ++s.count;
        size_.fetch_add(1, std::memory_order_relaxed);  // relaxed: a figure for reports
    }
    entries[at] = entry;
    observer.born(entry);
    return result;
}

template <class Observer>
bool live_table::remove(block_key key, Observer& observer) noexcept {
    const std::uint64_t hash = mix_bits(key);
    const std::size_t index = shard_of(hash);
    shard& s = shards_[index];
    live_entry* const entries = entries_of(index);
    const std::lock_guard guard(s.lock);
    const std::size_t at = find_locked(entries, hash, key);
    if (entries[at].key == 0) { return false; }
    observer.died(entries[at]);
    erase_locked(entries, at);
    --s.count;
    size_.fetch_sub(1, std::memory_order_relaxed);  // relaxed: a figure for reports
    relax_locked(s, observer);
    return true;
}

template <class Observer>
void live_table::thin_locked(shard& s, live_entry* entries, std::uint64_t& random_state, Observer& observer) noexcept {
    // relaxed: changes only under the lock, which we hold; the base is a setting.
    const std::uint64_t before = s.interval_bytes.load(std::memory_order_relaxed);
    const std::uint64_t base = base_interval_.load(std::memory_order_relaxed);  // relaxed: as above
    constexpr std::uint64_t least_interval = 64;          // where doubling starts when every block is recorded (R = 0)
    constexpr std::uint64_t most_interval = 1ULL << 46U;  // beyond the address space: nothing is left to thin
    std::uint64_t interval = before > base ? before : base;
    while (s.count > (mask_ + 1) / 2 && interval < most_interval) {
        interval = interval < least_interval ? least_interval : 2 * interval;
        for (std::size_t i = 0; i <= mask_; ++i) {
            live_entry& entry = entries[i];
            // Erasing shifts a later entry to i, hence the inner loop; one that was seen already has the new interval.
            while (entry.key != 0 && entry.interval_bytes < interval) {
                const std::uint64_t old = entry.interval_bytes;
                const bool is_kept = survives_thinning(entry.size_bytes, old, interval, random_state);
                if (is_kept) { entry.interval_bytes = interval; }
                observer.reweighed(entry, old, interval, is_kept);
                if (is_kept) { break; }
                erase_locked(entries, i);
                --s.count;
                size_.fetch_sub(1, std::memory_order_relaxed);  // relaxed: a figure for reports
            }
        }
    }
    s.interval_bytes.store(interval, std::memory_order_relaxed);  // relaxed: as above
    observer.interval_changed(before, interval);
}

template <class Observer>
void live_table::relax_locked(shard& s, Observer& observer) noexcept {
    // relaxed: changes only under the lock, which we hold; the base is a setting.
    const std::uint64_t before = s.interval_bytes.load(std::memory_order_relaxed);
    if (before == 0 || s.count > (mask_ + 1) / 8) { return; }
    const std::uint64_t base = base_interval_.load(std::memory_order_relaxed);  // relaxed: as above
    const std::uint64_t after = before / 2 > base && before / 2 >= 64 ? before / 2 : 0;
    s.interval_bytes.store(after, std::memory_order_relaxed);  // relaxed: as above
    observer.interval_changed(before, after);
}

template <class Reserve, class Visit>
void live_table::for_each(Reserve reserve, Visit visit) {
    for (std::size_t index = 0; index < shard_count; ++index) {
        reserve(most_entries());
        const live_entry* const entries = entries_of(index);
        const std::lock_guard guard(shards_[index].lock);
        std::size_t left = shards_[index].count;
        for (std::size_t i = 0; left > 0; ++i) {
            if (entries[i].key == 0) { continue; }
            visit(entries[i]);
            --left;
        }
    }
}

}  // namespace v1
}  // namespace memwatch
