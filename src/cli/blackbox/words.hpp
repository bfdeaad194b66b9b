// SPDX-License-Identifier: Apache-2.0
#pragma once
// A black box's story for people and for scripts.

#include <cstddef>
#include <string>
#include <vector>

#include "cli/blackbox/story.hpp"
#include "report/verdicts.hpp"
#include "report/view.hpp"

namespace memwatch {
inline namespace v1 {

// The first screen says how it ended, how near the limit it was and what is accused; then the curve backwards from the end,
// what happened, what was alive, for whom. `top`: rows a table.
[[nodiscard]] std::string render_text(const story& told, std::size_t top, bool colour);

// What is accused and what was alive, with the routes and trace ids that the last requests know: no shares, no ages.
[[nodiscard]] verdict_list told_verdicts(const story& told, std::size_t top);
[[nodiscard]] result<view> told_sites(const story& told, std::size_t top);

// {"kind": "memwatch.blackbox", "version": 1, "path", "process": {"pid", "session", "service", "host", "executable", "version",
//  "started_unix_ns"}, "end", "end_text", "first_unix_ns", "last_unix_ns", "records", "damaged_sectors", "incomplete_records",
//  "is_cut_short", "curve": [{figures}], "events": [{"unix_ns", "event", "text"}], "situations", "situation": {"unix_ns",
//  "verdicts": {memwatch.verdicts}, "sites": {the view}, "requests": [{"unix_ns", "trace", "route", "bytes", "site",
//  "thread"}]}}
[[nodiscard]] std::string render_json(const story& told, std::size_t top);

[[nodiscard]] std::string render_text(const std::vector<listed_box>& all, bool colour);
// {"kind": "memwatch.blackboxes", "version": 1, "files": [...]}
[[nodiscard]] std::string render_json(const std::vector<listed_box>& all);

}  // namespace v1
}  // namespace memwatch
