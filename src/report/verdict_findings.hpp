// SPDX-License-Identifier: Apache-2.0
#pragma once
// What was judged, in a form that needs no knowledge of memwatch: one finding a judged site or pool, with the user's own
// function that allocates, the stack, the verdict and what it rests on. `memwatch run --report` writes them, and fails by them.
//
// In: snapshots with verdicts, validated and symbolized, with the records that keep_largest_sites() leaves. Out: JSON, counts.
// Threads: any. Figures are of the snapshot: what the site holds then, not what it held when it was judged.

#include <cstddef>
#include <vector>

#include <memwatch/model/snapshot.hpp>
#include <memwatch/model/verdict.hpp>

#include "base/json_writer.hpp"

namespace memwatch {
inline namespace v1 {

// Of the sites that are neither leak nor suspect, as many are findings, those with the most live bytes; of the others all.
inline constexpr std::size_t most_findings_without_suspicion = 5000;

// Leaks first, then suspects, then the others; within a level, most live bytes first.
[[nodiscard]] std::vector<const verdict*> ranked_verdicts(const snapshot& s);
// The same without the smallest of those that most_findings_without_suspicion leaves out.
[[nodiscard]] std::vector<const verdict*> reported_verdicts(const snapshot& s);

// Of level leak, and holding more than `threshold_bytes` by at least two standard errors (0: all of them); the largest first.
[[nodiscard]] std::vector<const verdict*> leaks_above(const snapshot& s, double threshold_bytes);

// What the verdict's site holds in `s`; of a pool, its objects in use, exactly.
[[nodiscard]] sampled_totals held_by(const snapshot& s, const verdict& v) noexcept;

// Of a site that is leak or suspect: whose its blocks are is part of the finding.
[[nodiscard]] bool wants_records(const verdict& v) noexcept;

// Elements of the array that is open in `json`, one a reported verdict.
void write_findings(json_writer& json, const snapshot& s);

}  // namespace v1
}  // namespace memwatch
