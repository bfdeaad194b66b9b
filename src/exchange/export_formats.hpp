// SPDX-License-Identifier: Apache-2.0
#pragma once
// Snapshots in the words of other tools, beyond what libmemwatch itself writes (memwatch/snapshot/codec.hpp): for the command.
//
//   speedscope   https://www.speedscope.app/file-format-schema.json; inlined calls are frames, one profile a metric
//   dhat         DHAT's JSON, version 2, for valgrind's dh_view.html and the Firefox Profiler
//   csv          one row a site, RFC 4180
//   clickhouse   JSONEachRow: one line a dump, site, tag and verdict, for one table (clickhouse_schema())
//   folded       of two snapshots: "root;..;leaf BEFORE AFTER", as difffolded.pl makes it for flamegraph.pl
//
// In: snapshots that passed validate(); their names are hostile. Out: UTF-8 whatever goes in. Amounts are rounded to whole
// bytes and blocks. Memory: in proportion to the output, which is at most a path of names a site. Threads: any.

#include <cstddef>
#include <string>

#include <memwatch/model/snapshot.hpp>

namespace memwatch::inline v1::exchange {

// Only metrics that are above 0 somewhere become profiles; live bytes first.
[[nodiscard]] std::string encode_speedscope(const snapshot& s);

// What a snapshot does not know: DHAT's peaks (`mb`, `gb`) are what is alive, and its t-gmax is the moment of the snapshot.
[[nodiscard]] std::string encode_dhat(const snapshot& s);

// A cell that a spreadsheet would take for a formula gets an apostrophe in front.
[[nodiscard]] std::string encode_csv(const snapshot& s);

// Rows of `dump`, `site`, `tag` and `verdict` of one snapshot. Of its sites the `top_sites` that hold most, those that are
// accused and "(other)", the sum of the rest; 0: all.
[[nodiscard]] std::string encode_clickhouse(const snapshot& s, std::size_t top_sites = 0);

// The table those rows are of; for servers from 18.16 on.
[[nodiscard]] const char* clickhouse_schema() noexcept;

// Live bytes; paths that are in one of them only have 0 for the other.
[[nodiscard]] std::string encode_folded_pair(const snapshot& before, const snapshot& after);

}  // namespace memwatch::inline v1::exchange
