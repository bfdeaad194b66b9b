// SPDX-License-Identifier: Apache-2.0
#pragma once
// Whom the live blocks of a site were allocated for: its routes, a few trace ids, its oldest block. One pass over the live
// records, and only the sites asked for pay for more than their age.
//
// In: a validated snapshot. Out: plain values. Threads: any.

#include <cstdint>
#include <utility>
#include <vector>

#include <memwatch/model/snapshot.hpp>

namespace memwatch {
inline namespace v1 {

struct site_evidence {
    std::vector<std::pair<std::uint32_t, double>> routes;  // index into snapshot.routes, estimated live bytes; largest first
    std::vector<trace_id> traces;                          // of the largest blocks, at most three, no repeats
};

// Births from one moment to another, both included.
struct birth_range {
    std::uint64_t from_ns{};
    std::uint64_t until_ns{};
};

// One element per element of `sites` (indices into s.sites), in the same order. `births`: for each of them, which of its blocks
// count; empty = all.
[[nodiscard]] std::vector<site_evidence> gather_evidence(const snapshot& s, const std::vector<std::uint32_t>& sites,
                                                         const std::vector<birth_range>& births = {});

// Age of the oldest live record of each site; 0 = none.
[[nodiscard]] std::vector<std::uint64_t> oldest_ages(const snapshot& s);

// What a live record stands for, in bytes.
[[nodiscard]] double weighted_bytes(const live_record& r) noexcept;

// Age at the freeze; 0 for a record that claims a birth after it.
[[nodiscard]] std::uint64_t age_ns(const snapshot& s, const live_record& r) noexcept;

}  // namespace v1
}  // namespace memwatch
