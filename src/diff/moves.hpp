// SPDX-License-Identifier: Apache-2.0
#pragma once
// "moved?": which site that only AFTER has may be one that only BEFORE has. Both have the same type and tag (without a type:
// enter the allocator by the same function), and their chains touch: one allocating function, a helper between, or the same
// caller. Of all such pairs the likeliest first, each site once. A proposal is words for a person; no sum and no gate uses it.

#include <vector>

#include "diff/functions.hpp"
#include "diff/match.hpp"
#include "diff/user_chain.hpp"

namespace memwatch::inline v1 {

// `before`: which side of the climbers is BEFORE.
[[nodiscard]] std::vector<site_match::move> propose_moves(const std::vector<climber>& sites, const functions& names,
                                                          std::size_t before);

}  // namespace memwatch::inline v1
