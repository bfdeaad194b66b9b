// SPDX-License-Identifier: Apache-2.0
#include "live/lifecycle_totals.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include <memwatch/model/weight.hpp>

namespace memwatch {
inline namespace v1 {

namespace {

void subtract(sampled_totals& from, const sampled_totals& part) noexcept {
    from.bytes -= part.bytes;
    from.objects -= part.objects;
    from.bytes_variance -= part.bytes_variance;
    from.objects_variance -= part.objects_variance;
    from.samples -= part.samples;  // may pass below zero and come back: unsigned, modulo 2^64
}

// Lost events and thinning leave some sites below zero, and floating sums leave dust.
sampled_totals cut_at_zero(const sampled_totals& totals) noexcept {
    if (totals.samples == 0 || totals.samples >= 1ULL << 63U) { return {}; }
    return {std::max(0.0, totals.bytes), std::max(0.0, totals.objects), std::max(0.0, totals.bytes_variance),
            std::max(0.0, totals.objects_variance), totals.samples};
}

}  // namespace

std::size_t lifecycle_totals::memory_bytes(std::size_t sites) noexcept {
    return (sites + 1) * sizeof(site_row) + max_pairs * sizeof(pair_row) + lifetime_buckets * sizeof(double);
}

lifecycle_totals::lifecycle_totals(void* memory, std::size_t sites) noexcept
    : rows_(static_cast<site_row*>(memory)),
      site_count_(sites + 1),
      pairs_(reinterpret_cast<pair_row*>(rows_ + site_count_)),
      lifetimes_(reinterpret_cast<double*>(pairs_ + max_pairs)) {}

void lifecycle_totals::set_thread_namer(thread_namer name, void* context) noexcept {
    namer_ = name;
    namer_context_ = context;
}

// --- survival

// The slot of a young cohort; null when the cohort is closed, because a younger one took its slot.
lifecycle_totals::young_cohort* lifecycle_totals::young_of(site_row& row, std::uint64_t epoch) noexcept {
    young_cohort& slot = row.young[epoch % survivor_epochs];
    if (slot.epoch > epoch) { return nullptr; }
    if (slot.epoch < epoch) {
        promote(row, epoch);
        slot = {epoch, {}, 0};
    }
    return &slot;
}

void lifecycle_totals::promote(site_row& row, std::uint64_t now_epoch) noexcept {
    for (young_cohort& slot : row.young) {
        if (slot.epoch + survivor_epochs > now_epoch) { continue; }
        row.survived.add(slot.alive);
        row.survived_traced_bytes += slot.traced_bytes;
        slot = {slot.epoch, {}, 0};
    }
}

void lifecycle_totals::close_epochs(std::uint64_t now_epoch) noexcept {
    for (std::size_t i = 0; i < rows_used_; ++i) { promote(rows_[i], now_epoch); }
}

void lifecycle_totals::add(const lifecycle_event& event, const epoch_clock& clock) noexcept {
    ++events_;
    if (event.site >= site_count_) { return; }
    rows_used_ = std::max<std::size_t>(rows_used_, event.site + std::size_t{1});
    site_row& row = rows_[event.site];
    sampled_totals weight;
    weight.add(event.size_bytes, event.interval_bytes);
    const double traced_bytes = event.trace_hash != 0 ? weight.bytes : 0;
    const std::uint64_t birth_epoch = clock.epoch_at(event.birth_ns);
    const std::uint64_t epoch = clock.epoch_at(event.time_ns);
    const bool is_birth = event.kind == lifecycle_kind::birth;
    promote(row, epoch);
    const bool is_old = birth_epoch + survivor_epochs <= epoch;
    if (young_cohort* const young = is_old ? nullptr : young_of(row, birth_epoch); young != nullptr) {
        is_birth ? young->alive.add(weight) : subtract(young->alive, weight);
        young->traced_bytes += is_birth ? traced_bytes : -traced_bytes;
    } else if (is_birth) {  // told of late: its cohort is closed
        row.survived.add(weight);
        row.survived_traced_bytes += traced_bytes;
    } else {
        row.ended.add(weight);
    }
    if (event.kind == lifecycle_kind::death) { count_death(row, event, weight, birth_epoch == epoch); }
}

void lifecycle_totals::count_death(site_row& row, const lifecycle_event& event, const sampled_totals& weight,
                                   bool is_short_lived) noexcept {
    freed_objects_ += weight.objects;
    if (is_short_lived) {
        row.short_lived.add(weight);
        short_lived_objects_ += weight.objects;
    }
    lifetimes_[lifetime_bucket(event.time_ns > event.birth_ns ? event.time_ns - event.birth_ns : 0)] += weight.objects;
    const bool is_known = event.from_thread != 0 && event.to_thread != 0;
    if (is_known && event.from_thread != event.to_thread) { pair_for(event.from_thread, event.to_thread).freed.add(weight); }
}

std::vector<survival> lifecycle_totals::survivals() const {
    std::vector<survival> all;
    for (std::size_t i = 0; i < rows_used_; ++i) {
        const site_row& row = rows_[i];
        const sampled_totals survived = cut_at_zero(row.survived);
        if (survived.samples == 0 && row.short_lived.samples == 0) { continue; }
        all.push_back(
            {static_cast<std::uint32_t>(i), survived, row.ended, row.short_lived, std::max(0.0, row.survived_traced_bytes)});
    }
    return all;
}

// --- lifetimes

// The position of the highest bit, and the three bits below it.
std::size_t lifecycle_totals::lifetime_bucket(std::uint64_t lifetime_ns) noexcept {
    if (lifetime_ns < 8) { return static_cast<std::size_t>(lifetime_ns); }
    const auto octave = static_cast<unsigned>(std::bit_width(lifetime_ns)) - 1;
    return (octave - 2) * 8 + (lifetime_ns >> (octave - 3) & 7U);
}

// The largest lifetime in the bucket.
std::uint64_t lifecycle_totals::lifetime_bound_ns(std::size_t bucket) noexcept {
    if (bucket < 8) { return bucket; }
    const std::size_t octave = bucket / 8 + 2;
    return ((8 + bucket % 8 + 1) << (octave - 3)) - 1;
}

std::uint64_t lifecycle_totals::lifetime_quantile_ns(double share) const noexcept {
    double total = 0;
    for (std::size_t i = 0; i < lifetime_buckets; ++i) { total += lifetimes_[i]; }
    double seen = 0;
    for (std::size_t i = 0; i < lifetime_buckets; ++i) {
        seen += lifetimes_[i];
        if (lifetimes_[i] > 0 && seen >= share * total) { return lifetime_bound_ns(i); }
    }
    return 0;
}

void lifecycle_totals::add_activity(std::vector<named_value>& into) const {
    into.push_back({"lifecycle_events", events_});
    if (freed_objects_ <= 0) { return; }
    into.push_back(
        {"short_lived_permille", static_cast<std::uint64_t>(std::llround(1000 * short_lived_objects_ / freed_objects_))});
    into.push_back({"lifetime_p50_ns", lifetime_quantile_ns(0.5)});
    into.push_back({"lifetime_p90_ns", lifetime_quantile_ns(0.9)});
    into.push_back({"lifetime_p99_ns", lifetime_quantile_ns(0.99)});
}

// --- hand-offs

// A pair that finds the list full takes the place of the one with the fewest samples, which goes to `crowded_out_`: sums stay.
lifecycle_totals::pair_row& lifecycle_totals::pair_for(std::uint32_t from, std::uint32_t to) noexcept {
    for (std::size_t i = 0; i < pairs_used_; ++i) {
        const std::size_t at = (last_pair_ + i) % pairs_used_;
        if (pairs_[at].from == from && pairs_[at].to == to) {
            last_pair_ = at;
            return pairs_[at];
        }
    }
    if (pairs_used_ < max_pairs) {
        last_pair_ = pairs_used_++;
    } else {
        pair_row* const least = std::min_element(
            pairs_, pairs_ + max_pairs, [](const pair_row& a, const pair_row& b) { return a.freed.samples < b.freed.samples; });
        crowded_out_.freed.add(least->freed);
        last_pair_ = static_cast<std::size_t>(least - pairs_);
    }
    pair_row& fresh = pairs_[last_pair_];
    fresh = {from, to, {}, {}, {}};
    if (namer_ != nullptr) {
        namer_(namer_context_, from, fresh.from_name);
        namer_(namer_context_, to, fresh.to_name);
    }
    return fresh;
}

std::vector<hand_off> lifecycle_totals::hand_offs() const {
    std::vector<hand_off> all;
    all.reserve(pairs_used_ + 1);
    for (std::size_t i = 0; i < pairs_used_; ++i) {
        const pair_row& p = pairs_[i];
        all.push_back({p.from_name, p.to_name, p.from, p.to, p.freed});
    }
    std::sort(all.begin(), all.end(), [](const hand_off& a, const hand_off& b) {
        return a.freed.objects != b.freed.objects ? a.freed.objects > b.freed.objects
                                                  : std::pair(a.from_tid, a.to_tid) < std::pair(b.from_tid, b.to_tid);
    });
    if (crowded_out_.freed.samples > 0) { all.push_back({"other", "other", 0, 0, crowded_out_.freed}); }
    return all;
}

std::size_t lifecycle_totals::self_bytes() const noexcept {
    return rows_used_ * sizeof(site_row) + pairs_used_ * sizeof(pair_row) + lifetime_buckets * sizeof(double);
}

}  // namespace v1
}  // namespace memwatch
