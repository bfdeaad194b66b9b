// SPDX-License-Identifier: Apache-2.0
#pragma once
// Snapshots -> facts of the findings: one pass over the records of AFTER, and lookups by site key.
//
// In: validated snapshots, the delta between first and last, what the findings are. Out: facts, onset and course of each. Cost:
// linear in sites of all inputs and in records of the last; only births of wanted sites are kept. Threads: any.

#include <cstddef>
#include <string>
#include <vector>

#include <memwatch/model/delta.hpp>
#include <memwatch/model/snapshot.hpp>

#include "attribution/facts.hpp"

namespace memwatch::inline v1 {

// The rows of the delta that are one finding, the leading one first.
using row_indices = std::vector<std::size_t>;

struct gathered {
    facts known;
    std::vector<double> course;     // live bytes at each input; NaN = that input cannot say
    std::size_t first_snapshot{};   // the first input with live bytes of it
    std::uint64_t first_seen_ns{};  // the site's first birth by its cohorts; 0 = unknown
    bool is_first_seen_late{};      // cohorts were merged: it may have been earlier
    std::uint64_t oldest_birth_ns{};
    bool has_live{};
    onset began;
    std::uint64_t samples{};
};

[[nodiscard]] std::vector<gathered> gather_sites(const std::vector<const snapshot*>& inputs, const delta& change,
                                                 const std::vector<row_indices>& findings);

// Pools that hold more objects than before.
[[nodiscard]] std::vector<facts> gather_pools(const snapshot& before, const snapshot& after);

[[nodiscard]] process_facts gather_process(const snapshot& before, const snapshot& after, const delta& change);

[[nodiscard]] bool is_one_session(const snapshot& before, const snapshot& after) noexcept;

}  // namespace memwatch::inline v1
