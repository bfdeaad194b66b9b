// SPDX-License-Identifier: Apache-2.0
#include "diff/sums.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace memwatch::inline v1 {
namespace {

// How long the blocks of a snapshot can have lived.
std::uint64_t counted_ns(const snapshot_info& info) {
    if (info.window_ns != 0) { return info.window_ns; }
    const std::uint64_t began_ns = info.first_epoch * info.epoch_ns;
    return info.taken_ns > began_ns ? info.taken_ns - began_ns : 0;
}

bool is_same_sample(const live_record& a, const live_record& b) {
    return a.sequence == b.sequence && a.size_bytes == b.size_bytes && a.interval_bytes == b.interval_bytes && a.site == b.site;
}

class adder {
public:
    adder(snapshot_pair sides, const grouping& groups, bool keep_changed)
        : sides_(sides), groups_(groups), keep_changed_(keep_changed), same_session_(is_same_session(*sides[0], *sides[1])) {
        out_.rows.resize(groups.rows);
        window_start_ns_ = sides[before_side]->info.taken_ns;
        window_end_ns_ = sides[after_side]->info.taken_ns;
        const std::uint64_t window_ns = window_end_ns_ > window_start_ns_ ? window_end_ns_ - window_start_ns_ : 0;
        const std::uint64_t shorter_ns = std::min(counted_ns(at(before_side).info), counted_ns(at(after_side).info));
        out_.long_lived_ns = (same_session_ ? window_ns : shorter_ns) / quarters;
    }

    delta_sums run() {
        for (std::size_t side = 0; side < 2; ++side) {
            note_ages(side);
            groups_.row_of_site[side].empty() ? add_records(side) : add_sites(side);
            add_missing_variance(side);
        }
        if (groups_.by != dimension::pool) { walk_records(); }
        if (groups_.by == dimension::tag) { replace_by_exact_tags(); }
        if (groups_.by == dimension::pool) { take_pools(); }
        add_total();
        return std::move(out_);
    }

private:
    const snapshot& at(std::size_t side) const { return *sides_[side]; }

    void note_ages(std::size_t side) {
        const auto& rows = groups_.row_of_record[side];
        for (std::size_t i = 0; i < rows.size(); ++i) {
            auto& sums = out_.rows[rows[i]];
            const auto birth = at(side).live[i].birth_ns;
            if (birth == 0) { continue; }  // unknown
            sums.oldest_birth_ns[side] = std::min(sums.oldest_birth_ns[side], birth);
            sums.youngest_birth_ns[side] = std::max(sums.youngest_birth_ns[side], birth);
            if (!same_session_) { note_aged(sums, side, at(side).live[i]); }
        }
    }

    void note_aged(row_sums& sums, std::size_t side, const live_record& record) const {
        const auto taken_ns = at(side).info.taken_ns;
        if (out_.long_lived_ns == 0 || record.birth_ns > taken_ns || taken_ns - record.birth_ns < out_.long_lived_ns) {
            return;
        }
        sampled_totals one;
        one.add(record.size_bytes, record.interval_bytes);
        sums.aged_bytes[side] += one.bytes;
    }

    // Sums always run in the order of the snapshot, whatever side it is on: diff(a, b) is -diff(b, a) to the last bit.
    void add_sites(std::size_t side) {
        const auto& rows = groups_.row_of_site[side];
        for (std::size_t i = 0; i < rows.size(); ++i) { out_.rows[rows[i]].live[side].add(at(side).sites[i].live); }
    }

    void add_records(std::size_t side) {
        const auto& rows = groups_.row_of_record[side];
        for (std::size_t i = 0; i < rows.size(); ++i) {
            const auto& record = at(side).live[i];
            out_.rows[rows[i]].live[side].add(record.size_bytes, record.interval_bytes);
        }
    }

    // Samples that a site counts without a record: nothing can be known to cancel, so their variance stays in full.
    void add_missing_variance(std::size_t side) {
        const auto& s = at(side);
        std::vector<std::uint64_t> records(s.sites.size());
        for (const auto& record : s.live) { ++records[record.site]; }
        std::vector<double> seen;
        for (std::size_t i = 0; i < s.sites.size(); ++i) {
            if (records[i] == s.sites[i].live.samples) { continue; }
            out_.has_missing_records = true;
            if (groups_.row_of_site[side].empty()) { continue; }
            if (seen.empty()) { seen = variance_of_records(s); }
            out_.rows[groups_.row_of_site[side][i]].variance += std::max(0.0, s.sites[i].live.bytes_variance - seen[i]);
        }
    }

    static std::vector<double> variance_of_records(const snapshot& s) {
        std::vector<double> sums(s.sites.size());
        for (const auto& record : s.live) {
            sampled_totals one;
            one.add(record.size_bytes, record.interval_bytes);
            sums[record.site] += one.bytes_variance;
        }
        return sums;
    }

    // Both lists are ordered by sequence: one pass finds what is in both.
    void walk_records() {
        const auto& old_records = at(before_side).live;
        const auto& new_records = at(after_side).live;
        std::size_t b = 0;
        std::size_t a = 0;
        while (b < old_records.size() || a < new_records.size()) {
            const bool has_both = same_session_ && b < old_records.size() && a < new_records.size();
            if (has_both && is_same_sample(old_records[b], new_records[a])) {
                ++b;
                ++a;
            } else if (has_both && old_records[b].sequence == new_records[a].sequence) {  // alive in both, weighs differently
                take_changed(before_side, b++, true);
                take_changed(after_side, a++, true);
            } else if (a == new_records.size() ||
                       (b < old_records.size() && (!same_session_ || old_records[b].sequence <= new_records[a].sequence))) {
                take_changed(before_side, b++);
            } else {
                take_changed(after_side, a++);
            }
        }
    }

    void take_changed(std::size_t side, std::size_t index, bool is_in_both = false) {
        const auto& record = at(side).live[index];
        const auto row = groups_.row_of_record[side][index];
        sampled_totals one;
        one.add(record.size_bytes, record.interval_bytes);
        auto& sums = out_.rows[row];
        sums.variance += one.bytes_variance;
        if (!is_in_both) { sums.one_sided_bytes[side] += one.bytes; }
        if (side == after_side && same_session_ && record.birth_ns > window_start_ns_) {
            take_survivor(sums, record, one.bytes);
        }
        if (keep_changed_) {
            out_.changed.push_back({row, static_cast<std::uint32_t>(index), static_cast<std::uint8_t>(side)});
        }
    }

    void take_survivor(row_sums& sums, const live_record& record, double bytes) const {
        sums.survivors_bytes += bytes;
        if (window_end_ns_ <= window_start_ns_) { return; }
        const double share =
            static_cast<double>(record.birth_ns - window_start_ns_) / static_cast<double>(window_end_ns_ - window_start_ns_);
        const auto quarter = std::min(quarters - 1, static_cast<std::size_t>(std::min(share, 1.0) * quarters));
        sums.survivors_of[quarter] += bytes;
        ++sums.survivor_samples[quarter];
    }

    // Exact counters replace the estimate, except where they never counted although sites saw something: what the program
    // allocates without a tag is only sampled.
    void replace_by_exact_tags() {
        std::vector<bool> is_counted(groups_.rows);
        for (std::size_t side = 0; side < 2; ++side) {
            for (std::size_t i = 0; i < at(side).tags.size(); ++i) {
                if (at(side).tags[i].allocations != 0) { is_counted[groups_.row_of_entry[side][i]] = true; }
            }
        }
        for (std::size_t row = 0; row < groups_.rows; ++row) {
            auto& sums = out_.rows[row];
            sums.is_exact = is_counted[row] || (sums.live[before_side].samples == 0 && sums.live[after_side].samples == 0);
            if (!sums.is_exact) { continue; }
            sums.variance = 0;
            for (auto& side : sums.live) { side = {0, 0, 0, 0, side.samples}; }
        }
        for (std::size_t side = 0; side < 2; ++side) {
            for (std::size_t i = 0; i < at(side).tags.size(); ++i) {
                const auto& tag = at(side).tags[i];
                add_exact(groups_.row_of_entry[side][i], side, tag.live_bytes(), tag.live_objects());
            }
        }
    }

    void take_pools() {
        for (auto& sums : out_.rows) { sums.is_exact = true; }
        for (std::size_t side = 0; side < 2; ++side) {
            for (std::size_t i = 0; i < at(side).pools.size(); ++i) {
                const auto& pool = at(side).pools[i];
                add_exact(groups_.row_of_entry[side][i], side, pool.in_use * pool.object_bytes, pool.in_use);
            }
        }
    }

    void add_exact(std::uint32_t row, std::size_t side, std::uint64_t bytes, std::uint64_t objects) {
        if (!out_.rows[row].is_exact) { return; }
        out_.rows[row].live[side].bytes += static_cast<double>(bytes);
        out_.rows[row].live[side].objects += static_cast<double>(objects);
    }

    // Objects of a pool that stands on another are part of that one's objects in use: in the total their bytes count once.
    void take_stacked_pools_out() {
        for (std::size_t side = 0; side < 2; ++side) {
            const auto& pools = at(side).pools;
            for (const pool_totals& each : pools) {
                const auto is_upstream = [&](const pool_totals& other) { return other.name == each.upstream; };
                if (!each.upstream_is_pool || std::none_of(pools.begin(), pools.end(), is_upstream)) { continue; }
                out_.total.live[side].bytes -= static_cast<double>(each.in_use * each.object_bytes);
            }
        }
    }

    // Rows are numbered BEFORE first, so adding them up would round differently in the other direction: the totals of sampled
    // dimensions come from the snapshots instead.
    void add_total() {
        out_.total.is_exact = !out_.rows.empty();
        for (const auto& sums : out_.rows) {
            out_.total.add(sums);
            out_.total.is_exact = out_.total.is_exact && sums.is_exact;
        }
        if (groups_.by == dimension::pool) { take_stacked_pools_out(); }
        if (groups_.by == dimension::tag || groups_.by == dimension::pool) { return; }
        for (std::size_t side = 0; side < 2; ++side) {
            auto& total = out_.total.live[side] = {};
            if (groups_.row_of_site[side].empty()) {
                for (const auto& record : at(side).live) { total.add(record.size_bytes, record.interval_bytes); }
            } else {
                for (const auto& each : at(side).sites) { total.add(each.live); }
            }
        }
    }

    snapshot_pair sides_;
    const grouping& groups_;
    bool keep_changed_;
    bool same_session_;
    std::uint64_t window_start_ns_;
    std::uint64_t window_end_ns_;
    delta_sums out_;
};

}  // namespace

void row_sums::add(const row_sums& other) {
    for (std::size_t side = 0; side < 2; ++side) {
        live[side].add(other.live[side]);
        oldest_birth_ns[side] = std::min(oldest_birth_ns[side], other.oldest_birth_ns[side]);
        youngest_birth_ns[side] = std::max(youngest_birth_ns[side], other.youngest_birth_ns[side]);
        one_sided_bytes[side] += other.one_sided_bytes[side];
        aged_bytes[side] += other.aged_bytes[side];
    }
    variance += other.variance;
    survivors_bytes += other.survivors_bytes;
    for (std::size_t i = 0; i < quarters; ++i) {
        survivors_of[i] += other.survivors_of[i];
        survivor_samples[i] += other.survivor_samples[i];
    }
}

double row_sums::steady_bytes() const {
    double samples = 0;
    for (const auto count : survivor_samples) { samples += count; }
    if (samples == 0) { return std::numeric_limits<double>::infinity(); }
    const double sample_bytes = survivors_bytes / samples;
    double weakest = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < quarters; ++i) {
        weakest = std::min(weakest, survivors_of[i] + sample_bytes * std::sqrt(survivor_samples[i] + 1.0));
    }
    return quarters * weakest;
}

double row_sums::long_lived_share(double growth_bytes) const {
    constexpr double of_a_leak = (quarters - 1.0) / quarters;  // what constant growth has
    if (survivors_bytes > 0) {
        const double aged = survivors_bytes - survivors_of[quarters - 1];
        return std::clamp(aged / (survivors_bytes * of_a_leak), 0.0, 1.0);
    }
    if (growth_bytes <= 0) { return 0; }
    return std::clamp((aged_bytes[after_side] - aged_bytes[before_side]) / (growth_bytes * of_a_leak), 0.0, 1.0);
}

delta_sums add_up(snapshot_pair sides, const grouping& groups, bool keep_changed) {
    return adder{sides, groups, keep_changed}.run();
}

}  // namespace memwatch::inline v1
