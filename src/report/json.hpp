// SPDX-License-Identifier: Apache-2.0
#pragma once
// Deltas and views for scripts. Member names are public API: they are added, never renamed. Strings are valid UTF-8 whatever
// the input was; exact figures are integers; a number that does not exist (the ratio of a new site) is null.
//
// In: values. Out: one JSON document, one line each for rows, newline at the end. Threads: any.

#include <string>
#include <string_view>
#include <vector>

#include <memwatch/model/delta.hpp>

#include "base/json_writer.hpp"
#include "diff/clusters.hpp"
#include "report/metrics.hpp"
#include "report/view.hpp"

namespace memwatch {
inline namespace v1 {

// {"kind": "memwatch.delta", "version": 1, "by", "seconds", "before": {info}, "after": {info}, "warnings": [], "total": {row},
//  "rows": [{"rank", "name", "key", "tag", "type", "status", "significant", "exact", "bytes", "bytes_standard_error",
//  "objects",
//            "ratio", "rate_bytes_per_s", "survivors_bytes", "score", "volatility", "long_lived", "weight", "steady_bytes",
//            "during_bytes": [], "before": {side}, "after": {side}, "shares": [], "stack": []}],
//  "hidden_rows", "ranking", "long_lived_ns",
//  "clusters": [{"rank", "rows": [ranks of rows], "bytes", "bytes_standard_error", "rate_bytes_per_s", "score", "volatility",
//                "long_lived", "weight", "shared_frames"}],
//  "metrics": {"columns": [], "rows": [{"name", "unit", "values"}]}}
// The last two where they are handed in. long_lived is null where no record tells ages.
[[nodiscard]] std::string render_json(const delta& d, const std::vector<cluster>* clusters = nullptr,
                                      const metric_table* metrics = nullptr);

// {"kind": "memwatch.sites" .., "version": 1, "snapshot": {info}, "total_rows", "cursor": text or null, "rows": [{column:
// cell}]}
[[nodiscard]] std::string render_json(const view& v);

// Of which process and moment a document tells: its `snapshot`, `before`, `after`.
void write_json(json_writer& json, const snapshot_info& info);

// "name=value" lines, as the control socket answers, as one flat object of strings; whole numbers become numbers.
[[nodiscard]] std::string fields_to_json(std::string_view lines);

}  // namespace v1
}  // namespace memwatch
