// SPDX-License-Identifier: Apache-2.0
#pragma once
// The attribution report for scripts: everything the page says and everything it was shortened from. docs/report.schema.json
// describes it; a test validates against that. Member names are public: added, never renamed. Strings are as the program wrote
// them, made valid UTF-8.
//
// In: an attribution. Out: one JSON document, newline at the end. Threads: any.

#include <string>
#include <string_view>

#include "attribution/attribution.hpp"

namespace memwatch {
inline namespace v1 {

// {"kind": "memwatch.attribution", "version": 1, "tool_version", "summary", "snapshots": [..], "thresholds", "metrics": [..],
//  "warnings": [..], "findings": [{.., "likely_fix": "erase_skipped" | null, "hints": [..]}], "more_findings",
//  "delta": a document of kind memwatch.delta (json.hpp) with every row and stack}
[[nodiscard]] std::string render_json(const attribution& a, std::string_view tool_version);

}  // namespace v1
}  // namespace memwatch
