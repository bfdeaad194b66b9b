// SPDX-License-Identifier: Apache-2.0
#pragma once
// Whose growth a site's growth is: the tags, routes, traces and threads of the blocks that are in one of the snapshots only.

#include <vector>

#include "diff/sums.hpp"

namespace memwatch::inline v1 {

// Shares of the rows that `wanted` marks; `changed` is consumed (sorted by row). O(n log n) in the records of these rows.
[[nodiscard]] std::vector<std::vector<delta_share>> shares_of_rows(snapshot_pair sides, std::vector<changed_record>& changed,
                                                                   const std::vector<bool>& wanted);

}  // namespace memwatch::inline v1
