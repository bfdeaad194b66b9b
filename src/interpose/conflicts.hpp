// SPDX-License-Identifier: Apache-2.0
#pragma once
// Who else is in the process that wants to be malloc. Looked at once, at start; said rather than suffered.

#include <string>
#include <vector>

namespace memwatch::interpose {

struct conflicts {
    bool must_stand_aside{};             // nothing is sampled: the other one's bookkeeping would break
    std::vector<std::string> sentences;  // one a finding, for a log line
};

[[nodiscard]] conflicts find_conflicts();

}  // namespace memwatch::interpose
