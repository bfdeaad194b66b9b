// SPDX-License-Identifier: Apache-2.0
#pragma once
// The arithmetic of a delta: what every row holds on both sides, and how sure the change is.
//
// A block that is alive in both snapshots of one session (same sequence, same weight) is the same sample on both sides: it adds
// nothing to the change and nothing to its variance. All others are independent samples, so
//     variance of a row's change = sum over blocks in one snapshot only of (S/p)^2 (1-p)
// which is far below the sum of both sides' variances when most of the heap stayed. Across sessions nothing cancels.
// Checked by tests/unit/snapshot/diff_test.cpp, "the standard error covers the truth".

#include <array>
#include <cstdint>
#include <vector>

#include "diff/grouping.hpp"

namespace memwatch::inline v1 {

inline constexpr std::size_t quarters = 4;

struct row_sums {
    std::array<sampled_totals, 2> live;
    std::array<std::uint64_t, 2> oldest_birth_ns{~0ULL, ~0ULL};
    std::array<std::uint64_t, 2> youngest_birth_ns{};
    std::array<double, 2> one_sided_bytes{};  // of blocks that are alive in one of the snapshots only (same session)
    double variance{};                        // of the change in bytes
    double survivors_bytes{};
    std::array<double, quarters> survivors_of{};  // by quarter of the time between the snapshots
    std::array<std::uint32_t, quarters> survivor_samples{};
    std::array<double, 2> aged_bytes{};  // of another session: alive and at least delta_sums.long_lived_ns old
    bool is_exact{};

    void add(const row_sums& other);
    // The part of growth that every quarter added to: 4 x the weakest quarter, which is given the benefit of the doubt of
    // sqrt(n + 1) samples, so that a handful of samples is not judged by an empty quarter. +inf when nobody was born.
    [[nodiscard]] double steady_bytes() const;
    // rank_terms::long_lived, see include/memwatch/diff/ranking.hpp.
    [[nodiscard]] double long_lived_share(double growth_bytes) const;
};

// A record that is in one of the snapshots only, or weighs differently in both.
struct changed_record {
    std::uint32_t row;
    std::uint32_t record;
    std::uint8_t side;
};

struct delta_sums {
    std::vector<row_sums> rows;
    row_sums total;
    std::vector<changed_record> changed;  // only when asked for
    std::uint64_t long_lived_ns{};        // the age long_lived_share() asks for: a quarter of the time; 0 = unknown
    bool has_missing_records{};           // a summary or a damaged dump: some sites count more samples than there are records
};

[[nodiscard]] delta_sums add_up(snapshot_pair sides, const grouping& groups, bool keep_changed);

}  // namespace memwatch::inline v1
