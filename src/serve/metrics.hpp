// SPDX-License-Identifier: Apache-2.0
#pragma once
// A summary snapshot as Prometheus metrics.
//
// In: a snapshot without live records, its top sites named. Out: metric families, or the text page. Threads: any.
// Exact and estimated figures never share a name: memwatch_live_bytes{tag} and its five siblings come from exact counters;
// memwatch_heap_live_bytes, memwatch_site_live_bytes, memwatch_cross_thread_frees_total and memwatch_object_lifetime_seconds
// are estimates from samples, and their HELP says so.
//
// What keeps the page small and valid:
// - cardinality: at most `max_tags` tags and `max_pools` pools (in the order they were created, so that a series never moves
//   in or out of `other` and counters never fall), the top `max_sites` sites and one `other`;
// - verdicts: of at most `max_sites` accused sites and pools, all classes each, so that a change of mind changes values only;
// - series are unique whatever the names are: pools of one name are added up, a tag called "other" joins `other`;
// - label values are UTF-8 and at most 200 bytes. HELP texts are literals: the text format's writer does not escape them.
// Values are doubles, as everywhere in Prometheus: exact up to 2^53.

#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <memwatch/base/result.hpp>
#include <memwatch/model/footprint.hpp>
#include <memwatch/model/snapshot.hpp>

namespace memwatch {
inline namespace v1 {
namespace serve {

// What a person calls a site: the innermost function of their own code. Handed in, because it is model/'s knowledge.
using site_namer = std::function<std::string(const snapshot&, const site&)>;

struct metrics_options {
    site_namer name_site;                                // empty: "unknown"
    std::function<result<footprint>()> measure_cheaply;  // where the memory is; empty, or an error: no series of it
    std::size_t max_tags{200};
    std::size_t max_pools{200};
    std::size_t max_sites{20};
};

[[nodiscard]] std::vector<prometheus::MetricFamily> collect_metrics(const snapshot& s, const metrics_options& options = {});

// The same for a snapshot that may have failed: then memwatch_up is 0 and stands alone.
[[nodiscard]] std::vector<prometheus::MetricFamily> collect_metrics_or_down(const result<snapshot>& s,
                                                                            const metrics_options& options = {});

// Text exposition format 0.0.4.
[[nodiscard]] std::string render_metrics(const std::vector<prometheus::MetricFamily>& families);

inline constexpr const char* metrics_content_type = "text/plain; version=0.0.4; charset=utf-8";

// Identity of a site across scrapes and restarts of the same build: 16 hex digits over build ids, offsets, type and tag.
[[nodiscard]] std::string site_label(const snapshot& s, const site& of);

// The page as a Collectable: every Collect() asks `source` anew. Threads: Collect() from any.
class snapshot_collectable final : public prometheus::Collectable {
public:
    using source_function = std::function<result<snapshot>()>;

    snapshot_collectable(source_function source, metrics_options options)
        : source_(std::move(source)), options_(std::move(options)) {}

    [[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const override {
        return collect_metrics_or_down(source_(), options_);
    }

private:
    source_function source_;
    metrics_options options_;
};

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
