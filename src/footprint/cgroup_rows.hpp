// SPDX-License-Identifier: Apache-2.0
#pragma once
// What is charged to the cgroup of the process, as rows that add up to its memory.current (v2) or usage_in_bytes (v1): the
// second column of a footprint. Reads memory.stat of the process' own group; what groups below it hold is in the same figures.
//
// Anonymous memory is told apart only as "this process" and "the rest of it". v1 does not say what its kernel part is made of.
// Threads: one at a time. Errors: `detail` says what is missing.

#include <cstdint>

#include <memwatch/model/footprint.hpp>
#include "footprint/memory_reader.hpp"

namespace memwatch {
inline namespace v1 {

// `self`: the process as its status has it.
[[nodiscard]] cgroup_footprint measure_cgroup(const kernel_roots& roots, const process_memory& self);

}  // namespace v1
}  // namespace memwatch
