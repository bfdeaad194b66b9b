// SPDX-License-Identifier: Apache-2.0
#pragma once
// How much of a snapshot names no trace: said wherever traces are shown, so that nobody takes what is labelled for all there
// is.
//
// In: a snapshot. Out: sums and one sentence. Threads: any. Of the live blocks when there are records; a summary has none, so
// it answers for everything that was sampled since the start (activity); full mode counts no such sums.

#include <string>

#include <memwatch/model/delta.hpp>
#include <memwatch/model/snapshot.hpp>

#include "base/json_writer.hpp"

namespace memwatch {
inline namespace v1 {

struct context_share {
    enum class of { nothing, live_blocks, sampled_since_start };
    of what{of::nothing};
    double bytes{};  // estimated
    double untraced_bytes{};
    double objects{};
    double untraced_objects{};
};

[[nodiscard]] context_share measure_context(const snapshot& s);

// "12.3 % of live bytes and 40 % of objects name no trace", "no live block names a trace"; empty when nothing is known.
[[nodiscard]] std::string to_words(const context_share& share);

// The same of one side of a delta.
[[nodiscard]] std::string untraced_words(const delta_side& side);

// {"of": "live" | "sampled", "bytes", "bytes_without_trace", "objects", "objects_without_trace"}, or null.
void write_json(json_writer& json, const context_share& share);

// For who drops the live records of `s`: the share stays readable.
void keep_context_share(snapshot& s);

}  // namespace v1
}  // namespace memwatch
