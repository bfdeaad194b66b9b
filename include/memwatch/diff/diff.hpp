// SPDX-License-Identifier: Apache-2.0
#pragma once
// Two snapshots -> delta. A pure function: no clock, no file, no symbolizer. Sites are matched by build id + offset of each
// frame, type and tag; where builds differ, by function names when both sides have them.

#include <cstddef>
#include <string>

#include <memwatch/base/export.hpp>
#include <memwatch/base/result.hpp>
#include <memwatch/model/delta.hpp>
#include <memwatch/model/snapshot.hpp>

namespace memwatch {
inline namespace v1 {

// What to compare by, and what to leave out.
struct diff_options {
    dimension by{dimension::site};
    double threshold_bytes{};  // rows whose |bytes| is below are hidden, not dropped from the total
    // Glob over name, tag, type, route and frames ("*api/v2/*"; without a wildcard any part matches), or "re:" + ECMAScript
    // regex.
    std::string focus{};
    std::size_t top{};         // 0 = all
    bool include_unchanged{};  // also rows without any change
};

// diff(a, a) has no rows. Errors: invalid_argument (a bad focus expression, `where` is the expression; a snapshot that breaks
// validate()). Cost: linear in sites and records but for the sorting of traces and shares; two snapshots of 1 M records < 1 s.
[[nodiscard]] MEMWATCH_API result<delta> diff(const snapshot& before, const snapshot& after, const diff_options& options = {});

}  // namespace v1
}  // namespace memwatch
