// SPDX-License-Identifier: Apache-2.0
#pragma once
// Lifecycle events, added up: who survives, how long blocks live, which thread frees what another made. Plain arithmetic for
// one thread at a time, in memory of a fixed size.
//
// Survival counts epoch boundaries, so no clock is read for a block that just lives on: born in epoch e and alive when e + 2
// begins is a survivor. Until then it is young; a site keeps the two youngest cohorts apart:
//
//   epoch        6        |        7        |        8        |
//   born     300 (slot 0) |    200 (slot 1) |      ...        |
//   freed      -290       |   -5 (slot 0)   |                     -> at the start of 8: 5 of slot 0 survived, slot 0 is 8's now
//
// Weights follow Horvitz-Thompson as everywhere; thinning moves weight between blocks without an event, so a site's young count
// may stray below zero while its sum stays unbiased: it is only cut at zero where it is shown.
// Checked by tests/unit/live/lifecycle_test.cpp.

#include <cstddef>
#include <cstdint>
#include <vector>

#include <memwatch/model/snapshot.hpp>

namespace memwatch {
inline namespace v1 {

enum class lifecycle_kind : std::uint32_t {
    birth,
    death,
    displaced,  // gone without a free that was seen: leaves the young, counts as no death
};

struct lifecycle_event {
    std::uint64_t size_bytes;
    std::uint64_t interval_bytes;  // R it is weighted with
    std::uint64_t birth_ns;
    std::uint64_t time_ns;  // of the event; of a birth: birth_ns
    std::uint32_t site;
    std::uint32_t trace_hash;   // of the trace it was born in; 0 = none
    std::uint32_t from_thread;  // kernel's thread ids; 0 = unknown
    std::uint32_t to_thread;    // who freed; 0 for a birth
    lifecycle_kind kind;
};
static_assert(sizeof(lifecycle_event) <= 56, "an event and its link are one cache line; batches count on it");

// Where epochs begin.
struct epoch_clock {
    std::uint64_t origin_ns;
    std::uint64_t epoch_ns;
    [[nodiscard]] std::uint64_t epoch_at(std::uint64_t time_ns) const noexcept {
        return time_ns > origin_ns ? (time_ns - origin_ns) / epoch_ns : 0;
    }
};

class lifecycle_totals {
public:
    static constexpr std::uint64_t survivor_epochs = 2;
    static constexpr std::size_t max_pairs = 512;

    // Names a thread by its kernel id; writes up to 16 bytes with the zero, "" when unknown.
    using thread_namer = void (*)(void* context, std::uint32_t tid, char* name);

    [[nodiscard]] static std::size_t memory_bytes(std::size_t sites) noexcept;
    // `memory`: zeroed, 64-byte aligned.
    lifecycle_totals(void* memory, std::size_t sites) noexcept;
    void set_thread_namer(thread_namer name, void* context) noexcept;

    void add(const lifecycle_event& event, const epoch_clock& clock) noexcept;
    // Blocks of cohorts that are two boundaries old are survivors from now on.
    void close_epochs(std::uint64_t now_epoch) noexcept;

    // --- what came of it
    [[nodiscard]] std::vector<survival> survivals() const;    // sites that had a death or a survivor, by site id
    [[nodiscard]] std::vector<hand_off> hand_offs() const;    // most objects first; what was crowded out is the last, nameless
    void add_activity(std::vector<named_value>& into) const;  // events, lifetime quantiles, short-lived share
    [[nodiscard]] std::uint64_t lifetime_quantile_ns(double share) const noexcept;  // of freed objects; within 12.5 %

    [[nodiscard]] std::size_t self_bytes() const noexcept;

private:
    struct young_cohort {
        std::uint64_t epoch;
        sampled_totals alive;  // births less deaths: a block's two events cancel out, in the variance too
        double traced_bytes;
    };
    struct site_row {
        young_cohort young[survivor_epochs];  // of epoch e in slot e % 2
        sampled_totals survived;
        sampled_totals ended;
        sampled_totals short_lived;
        double survived_traced_bytes;
    };
    struct pair_row {
        std::uint32_t from;
        std::uint32_t to;
        sampled_totals freed;
        char from_name[16];
        char to_name[16];
    };
    // Eight buckets an octave.
    static constexpr std::size_t lifetime_buckets = 64 * 8;
    [[nodiscard]] static std::size_t lifetime_bucket(std::uint64_t lifetime_ns) noexcept;
    [[nodiscard]] static std::uint64_t lifetime_bound_ns(std::size_t bucket) noexcept;

    [[nodiscard]] young_cohort* young_of(site_row& row, std::uint64_t epoch) noexcept;
    static void promote(site_row& row, std::uint64_t now_epoch) noexcept;
    void count_death(site_row& row, const lifecycle_event& event, const sampled_totals& weight, bool is_short_lived) noexcept;
    [[nodiscard]] pair_row& pair_for(std::uint32_t from, std::uint32_t to) noexcept;

    site_row* rows_;
    std::size_t site_count_;
    std::size_t rows_used_{0};
    pair_row* pairs_;  // open addressing would not survive evictions: a plain list, searched from the last hit
    std::size_t pairs_used_{0};
    std::size_t last_pair_{0};
    pair_row crowded_out_{};
    double* lifetimes_;  // weighted objects by bucket
    double freed_objects_{0};
    double short_lived_objects_{0};
    std::uint64_t events_{0};
    thread_namer namer_{nullptr};
    void* namer_context_{nullptr};
};

}  // namespace v1
}  // namespace memwatch
