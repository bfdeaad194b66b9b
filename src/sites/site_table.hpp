// SPDX-License-Identifier: Apache-2.0
#pragma once
// Sites (stack + type + tag) and what is known of each: weighted totals, births by epoch, lifetimes. Sites are interned and
// never removed; id 0 is the overflow site, which takes what no longer finds room.
//
// One site in numbers, R = 1 MiB, epoch 10 s, 2048-byte blocks of weight 512.5:
//   live       3 samples  3.0 MiB        allocated  40 samples  40.0 MiB        freed  37 samples  37.0 MiB
//   cohorts    [<=12: 30.1 MiB] [13: 4.0 MiB] [14: 5.9 MiB]           births; what is alive of them, freeze() counts
//   lifetimes  [<=1 ms: 0] ... [<=1 s: 30] [<=4 s: 7] ...             weighted objects freed
//
// Counters change under one of 64 striped locks; `live` is kept incrementally for summaries and is exactly zero when no sample
// is alive (floating sums would leave dust).

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <memwatch/model/snapshot.hpp>
#include "base/intern_index.hpp"
#include "base/spin_lock.hpp"
#include "base/string_table.hpp"
#include "model/drop_reason.hpp"

namespace memwatch {
inline namespace v1 {

struct site_identity {
    std::uint32_t stack;
    std::uint32_t type;
    std::uint16_t tag;
    friend bool operator==(const site_identity& a, const site_identity& b) noexcept {
        return a.stack == b.stack && a.type == b.type && a.tag == b.tag;
    }
};

struct site_state {
    static constexpr std::size_t cohort_count = 16;

    site_identity key;
    std::uint32_t cohorts_used;  // cohorts 0 .. used - 1, oldest first
    bool is_oldest_merged;       // cohort 0 stands for its epoch and all before
    sampled_totals live;
    sampled_totals allocated;
    sampled_totals freed;
    sampled_totals freed_by_other_thread;
    std::uint32_t cohort_epochs[cohort_count];
    double born_bytes[cohort_count];
    double born_objects[cohort_count];
    lifetime_histogram lifetimes;
    trace_id example_trace;  // of the youngest block born in a trace; none: no block was
    std::uint64_t example_size_bytes;
    std::uint64_t example_birth_ns;  // clock's own zero
};

class site_table {
public:
    static constexpr std::uint32_t overflow = 0;
    static constexpr std::size_t max_types = 2048;
    static constexpr std::size_t type_text_bytes = max_types * 128;

    [[nodiscard]] static std::size_t memory_bytes(std::size_t capacity) noexcept {
        return (capacity + 1) * sizeof(site_state) + intern_index::memory_bytes(capacity) +
               string_table::memory_bytes(max_types, type_text_bytes);
    }

    site_table(void* memory, std::size_t capacity, loss_counters& losses) noexcept;

    [[nodiscard]] std::uint32_t intern(std::uint32_t stack, std::string_view type, std::uint16_t tag) noexcept;

    // One sampled block of `size_bytes` at `interval_bytes` is born / dies / is dropped by thinning.
    void count_birth(std::uint32_t site, std::uint64_t size_bytes, std::uint64_t interval_bytes, std::uint64_t epoch,
                     trace_id trace = {}, std::uint64_t birth_ns = 0) noexcept;
    // A death returns the site's tag.
    std::uint16_t count_death(std::uint32_t site, std::uint64_t size_bytes, std::uint64_t interval_bytes,
                              std::uint64_t lifetime_ns, bool is_other_thread) noexcept;
    // `objects` blocks of the ledger were born in `epoch`: its totals are the ledger's, its cohorts are kept here.
    void add_births(std::uint32_t site, double bytes, double objects, std::uint64_t epoch) noexcept;
    // The block now stands for more (`interval_after`) or is gone (`is_kept` false): thinning moves weight, it frees nothing.
    void reweigh(std::uint32_t site, std::uint64_t size_bytes, std::uint64_t interval_before, std::uint64_t interval_after,
                 bool is_kept) noexcept;

    // A consistent copy of one site's counters.
    [[nodiscard]] site_state copy(std::uint32_t site) noexcept;
    [[nodiscard]] std::string_view type_name(std::uint32_t type) const noexcept { return types_.at(type); }
    [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_; }  // highest id
    // Ids in use are 0 .. size() - 1. acquire: pairs with the release in intern().
    [[nodiscard]] std::uint32_t size() const noexcept { return last_id_.load(std::memory_order_acquire) + 1; }
    [[nodiscard]] std::size_t self_bytes() const noexcept { return size() * (sizeof(site_state) + 2 * sizeof(std::uint32_t)); }

    void lock_for_fork() noexcept;
    void unlock_after_fork() noexcept;

private:
    static constexpr std::size_t stripe_count = 64;
    struct alignas(64) stripe {
        spin_lock lock{lock_rank::site_stripe};
    };

    [[nodiscard]] spin_lock& stripe_of(std::uint32_t site) noexcept { return stripes_[site % stripe_count].lock; }

    site_state* sites_;
    std::uint32_t capacity_;
    std::atomic<std::uint32_t> last_id_{0};
    intern_index index_;
    string_table types_;
    loss_counters& losses_;
    stripe stripes_[stripe_count];
};

}  // namespace v1
}  // namespace memwatch
