// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a delta says, in sentences that text and Markdown share. Quoting is handed in, because a name is neutralised differently
// in a terminal and in a Markdown page.
//
// In: a delta. Out: text. Threads: any.

#include <functional>
#include <string>
#include <vector>

#include <memwatch/model/delta.hpp>

namespace memwatch {
inline namespace v1 {

// Turns a name from the snapshot into safe text.
using quote_function = std::string (*)(std::string_view name);

// "ns::f" for a site, the name itself for every other dimension; "(none)" for an empty one.
[[nodiscard]] std::string row_title(dimension by, const delta_row& row);

// How far the growth stands above what sampling alone explains: "exact", "7.2 standard errors", "within sampling error".
[[nodiscard]] std::string confidence_words(const delta_row& row);

// "grew", or "grew?" where sampling alone could explain it.
[[nodiscard]] std::string status_words(const delta_row& row);

// "0.97"; "-" for a row that is not ranked: it shrank, or its growth is not proven.
[[nodiscard]] std::string score_words(const delta_row& row);

// "0.97 = 0.40 x 1.00 growth + 0.35 x 0.98 older than 22.5 s + 0.25 x 0.90 weight"; "" for a row that is not ranked.
[[nodiscard]] std::string rank_words(const delta& d, const delta_row& row);

// What decided the order where it is not that of plain growth; "" where it is.
[[nodiscard]] std::string order_words(const delta& d);

// "x2.4"; "-" for new and gone rows.
[[nodiscard]] std::string ratio_words(const delta_row& row);

// "580.0 KiB/s", signed; "-" when the time between the snapshots is unknown.
[[nodiscard]] std::string rate_words(const delta_row& row);

// The largest shares of the growth along one dimension: "/api/v2/orders (99 %), /health (<1 %)"; traces are ids only; "" when
// there are none.
[[nodiscard]] std::string share_words(const delta_row& row, dimension by, quote_function quote);

// Whether the rows' order is that of plain growth, as a reader expects who is told nothing else.
[[nodiscard]] bool is_ordered_by_bytes(const delta& d);

// One sentence: what grew most, where, for whom, how fast, how sure; or that nothing did.
[[nodiscard]] std::string conclusion(const delta& d, quote_function quote);

// "build 1a2b3c4d" of the program of one side; "" when unknown.
[[nodiscard]] std::string build_words(const delta& d, const snapshot_info& info, bool is_after);

}  // namespace v1
}  // namespace memwatch
