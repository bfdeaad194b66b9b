// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a person should know before trusting a comparison: other hosts, builds, sessions or rates, and snapshots given the wrong
// way round (people mix them up, and every leak then shows as memory given back).

#include <string>
#include <vector>

#include "diff/match.hpp"

namespace memwatch::inline v1 {

[[nodiscard]] std::vector<std::string> comparability_warnings(const snapshot& before, const snapshot& after);

// Time from BEFORE to AFTER, negative when they are swapped; 0 = unknown.
[[nodiscard]] double seconds_between(const snapshot& before, const snapshot& after);

}  // namespace memwatch::inline v1
