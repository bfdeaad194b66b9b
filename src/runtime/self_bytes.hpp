// SPDX-License-Identifier: Apache-2.0
#pragma once
// What memwatch itself holds, part by part: a row of every snapshot, and what the budget is held against. Cheap enough for once
// a second; each part is a sum it keeps anyway.

#include <cstdint>
#include <vector>

#include <memwatch/model/snapshot.hpp>
#include "runtime/process_state.hpp"

namespace memwatch {
inline namespace v1 {

// Threads: any outside of hooks; takes the rooms' own locks, one after the other.
void add_self_bytes(process_state& state, std::vector<named_value>& into);

// The sum of what `budget_bytes` is for. Without what has a limit of its own (docs/budgets.md): full mode's records, kept
// snapshots.
[[nodiscard]] std::uint64_t budgeted_bytes(const std::vector<named_value>& parts) noexcept;

// The sum. 0: no memory to add it up.
[[nodiscard]] std::uint64_t total_self_bytes(process_state& state) noexcept;

}  // namespace v1
}  // namespace memwatch
