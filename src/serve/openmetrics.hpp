// SPDX-License-Identifier: Apache-2.0
#pragma once
// The metrics page as OpenMetrics 1.0, for whoever asks for it by Accept (Prometheus does): the same families as the text page,
// and exemplars, which that format has no room for. Rendered here because prometheus-cpp 1.0 knows the text format only.
//
//   # TYPE memwatch_allocated_bytes counter
//   # UNIT memwatch_allocated_bytes bytes
//   # HELP memwatch_allocated_bytes Bytes allocated under the tag, exact.
//   memwatch_allocated_bytes_total{tag="cache"} 8192 # {trace_id="4bf92f3577b34da6a3ce929d0e0e4736"} 2048 1700000021.5
//
// An exemplar of the counter is the youngest sampled block of the tag that was born in a trace: the request to look up when it
// rises; of a bucket of memwatch_object_lifetime_seconds the last that died in it. Labels are 40 characters (the format allows
// 128). `_created` is optional and left out. Threads: any. Specification:
// https://github.com/OpenObservability/OpenMetrics/blob/main/specification/OpenMetrics.md

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <prometheus/metric_family.h>

#include <memwatch/model/snapshot.hpp>

#include "serve/metrics.hpp"

namespace memwatch {
inline namespace v1 {
namespace serve {

inline constexpr const char* openmetrics_content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";

struct exemplar {
    trace_id trace;
    double value{};
    double unix_s{};  // 0 = unknown
};

struct tag_exemplars {
    exemplar born;                         // of the counter; no trace: none
    exemplar died[lifetime_bucket_count];  // of the buckets
};

// By `tag` label, as collect_metrics() names them with the same options.
using exemplars_by_tag = std::unordered_map<std::string, tag_exemplars>;
[[nodiscard]] exemplars_by_tag collect_exemplars(const snapshot& s, const metrics_options& options);

[[nodiscard]] std::string render_openmetrics(const std::vector<prometheus::MetricFamily>& families,
                                             const exemplars_by_tag& exemplars);

// Whether an Accept header asks for OpenMetrics by name (version 1.0.0, 0.0.1 or none), and for text/plain no more than that.
[[nodiscard]] bool wants_openmetrics(std::string_view accept) noexcept;

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
