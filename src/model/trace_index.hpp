// SPDX-License-Identifier: Apache-2.0
#pragma once
// Trace ids numbered in order of first appearance, over one or more lists of live records. By sorting rather than hashing:
// clients choose their trace ids, so a hash table's worst case would be theirs to choose too.

#include <cstdint>
#include <span>
#include <vector>

#include <memwatch/model/snapshot.hpp>

namespace memwatch::inline v1 {

struct trace_index {
    std::vector<trace_id> ids;             // distinct ones; the absent trace is one of them where it occurs
    std::vector<std::uint32_t> of_record;  // index into `ids`, for the records of all lists in turn
};

// O(n log n) time, 28 bytes a record at the peak.
[[nodiscard]] trace_index index_traces(std::span<const std::span<const live_record>> lists);

}  // namespace memwatch::inline v1
