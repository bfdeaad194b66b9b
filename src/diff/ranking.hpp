// SPDX-License-Identifier: Apache-2.0
#pragma once
// The terms of a row's rank; what they mean and why stands in include/memwatch/diff/ranking.hpp.

#include <vector>

#include <memwatch/diff/ranking.hpp>

#include "diff/grouping.hpp"

namespace memwatch::inline v1 {

// `rank_bytes` of the row and the largest of all rows it is compared with.
[[nodiscard]] rank_terms score_terms(double rank_bytes, double largest_rank_bytes, double long_lived, double weight) noexcept;

// The business weight of each row: of its tag, or the mean of its tags by live bytes. A pool weighs what its objects' tag
// weighs.
[[nodiscard]] std::vector<double> row_weights(snapshot_pair sides, const grouping& groups);

// What rows are ordered by: the first number that differs decides, the larger one comes first.
struct rank_key {
    double first{};
    double second{};
    double third{};

    [[nodiscard]] bool is_before(const rank_key& other) const noexcept;
    [[nodiscard]] bool is_equal(const rank_key& other) const noexcept;
};
[[nodiscard]] rank_key key_of(ranking by, const delta_row& row) noexcept;

}  // namespace memwatch::inline v1
