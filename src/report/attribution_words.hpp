// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the attribution report says, in sentences that Markdown and HTML share; names in them are still raw (sentence.hpp).
//
// In: an attribution. Out: plain values. Threads: any.

#include <cstddef>
#include <string>
#include <vector>

#include "attribution/attribution.hpp"
#include "attribution/sentence.hpp"

namespace memwatch {
inline namespace v1 {

// "Since when": "about 23:02:10 ..."
struct labelled {
    const char* label;
    sentence words;
};

// The first lines: how many findings, and of the first what, where, since when, how fast, how sure, for whom and what to do.
[[nodiscard]] sentence summary_words(const attribution& a);

// "Memory report: orders, 1m30s from before to after".
[[nodiscard]] sentence title_words(const attribution& a);

// What a finding is called: its function, "pool conn", "resident memory of the process".
[[nodiscard]] sentence finding_title(const finding& f);

// Cells of the overview.
struct overview {
    sentence what, where, since, speed, certain, whom, fix;
};
[[nodiscard]] overview overview_words(const attribution& a, const finding& f);

// The evidence of a finding, a line each.
[[nodiscard]] std::vector<labelled> evidence_words(const attribution& a, const finding& f);

// How one snapshot is told in the table of snapshots.
[[nodiscard]] std::vector<sentence> snapshot_cells(const compared_snapshot& s);
[[nodiscard]] const std::vector<const char*>& snapshot_columns();

// "regression/orders_order_cache_remember_00c0ffee_test.cpp": of safe characters only, whatever the function is called.
[[nodiscard]] std::string regression_test_name(const finding& f);
// Whether a test can be made for it: not for what the allocator keeps.
[[nodiscard]] bool has_regression_test(const finding& f) noexcept;

// "2025-11-21T23:02:10Z"; "" for 0.
[[nodiscard]] std::string iso_time(std::uint64_t unix_ns);

}  // namespace v1
}  // namespace memwatch
