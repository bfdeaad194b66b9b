// SPDX-License-Identifier: Apache-2.0
#pragma once
// Words for people: the summary at /debug/memtrace, the tables of `memwatch show`, the answer of `memwatch diff`.
//
// In: values. Out: UTF-8 text, newline at the end, no trailing spaces. Threads: any.
// Estimates are always printed with +- one standard error, exact counters never. Control characters, terminal escapes and
// direction overrides in names come out as visible escapes, whatever program wrote the snapshot.

#include <cstddef>
#include <string>

#include <memwatch/model/delta.hpp>
#include <memwatch/model/snapshot.hpp>

#include "report/metrics.hpp"
#include "report/view.hpp"

namespace memwatch {
inline namespace v1 {

struct text_options {
    std::size_t top{20};     // sites, tags, pools, threads of a summary; a delta and a view bring their own rows. 0 = all
    bool colour{};           // ANSI colours; the meaning never depends on them
    survivor_filter only{};  // what keep_survivors() left of the snapshot; said
    const metric_table* metrics{};  // of the snapshots a delta compares; null = not shown
};

// The readable summary: who, how much, where, for whom; losses and own memory only where there are any.
[[nodiscard]] std::string render_text(const snapshot& s, const text_options& options = {});

// The first screen says what grew, where, for which route, how fast and how sure; then a row each with its evidence.
[[nodiscard]] std::string render_text(const delta& d, const text_options& options = {});

// One table.
[[nodiscard]] std::string render_text(const view& v, const text_options& options = {});

}  // namespace v1
}  // namespace memwatch
