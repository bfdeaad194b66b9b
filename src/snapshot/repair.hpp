// SPDX-License-Identifier: Apache-2.0
#pragma once
// Makes whatever a damaged or hostile dump yielded pass validate(), without guessing: a reference to a row that is not there
// points to a placeholder called "(damaged)" afterwards, a record that cannot be placed is dropped, and each kind of loss is
// one line in `damage`. Figures that are intact stay as they are.

#include <cstdint>
#include <string>
#include <vector>

#include <memwatch/model/snapshot.hpp>

namespace memwatch::inline v1::codec {

// Linear in the snapshot. Adds no line when `s` was valid.
void repair(snapshot& s, std::vector<std::string>& damage);

// What the inlined calls of all stacks take once somebody spells the stacks out, frame by frame, as comparisons and exports do:
// a few kilobytes can hold one frame of thousands of calls, and stacks of nothing else. `s` is valid.
[[nodiscard]] std::uint64_t spelled_out_bytes(const snapshot& s) noexcept;

}  // namespace memwatch::inline v1::codec
