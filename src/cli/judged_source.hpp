// SPDX-License-Identifier: Apache-2.0
#pragma once
// FILE|URL arguments as one snapshot with verdicts: one source brings those that its process came to; three dumps or more of
// one process are looked at one after the other, by the engine that runs in the process, and the last of them gets what that
// says.

#include <string>
#include <vector>

#include <memwatch/model/snapshot.hpp>

#include "cli/source.hpp"

namespace memwatch {
inline namespace v1 {

inline constexpr std::size_t fewest_dumps_of_a_series = 3;

struct judged_choice {
    std::vector<std::string> inputs;
    std::string baseline;  // FILE|URL of a healthy run; empty: none is known
};

// What is judged anew is judged in the order of time, whatever the order of inputs; a moment that comes twice counts once.
// Sites that hold what they held in the baseline are neither leak nor suspect.
// Errors: as load_snapshot(); invalid_argument for two inputs, dumps of several sessions, windows, and what has no session.
[[nodiscard]] result<snapshot> load_judged(const judged_choice& choice, const source_options& options);

// Takes back what `s` says of sites that hold what they held in a healthy run; both are symbolized.
void acquit(snapshot& s, const snapshot& healthy);

}  // namespace v1
}  // namespace memwatch
