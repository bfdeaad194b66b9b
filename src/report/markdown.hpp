// SPDX-License-Identifier: Apache-2.0
#pragma once
// A delta for a pull request or an incident page: one sentence, one table, the stack of the first rows. GitHub's Markdown.
//
// In: a delta. Out: UTF-8 text. Threads: any. Every name from the snapshot stands in a code span, where Markdown and HTML mean
// nothing; line breaks, pipes and backticks cannot leave it.

#include <string>

#include <memwatch/model/delta.hpp>

#include "report/metrics.hpp"

namespace memwatch {
inline namespace v1 {

// `metrics` of the snapshots compared, may be null.
[[nodiscard]] std::string render_markdown(const delta& d, const metric_table* metrics = nullptr);

}  // namespace v1
}  // namespace memwatch
