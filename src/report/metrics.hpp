// SPDX-License-Identifier: Apache-2.0
#pragma once
// The key metrics of several snapshots side by side (diff/key_metrics.hpp), as every renderer shows them: a column a snapshot.
// What is not known is "-", in JSON null.
//
// In: snapshots. Out: words. Threads: any.

#include <string>
#include <vector>

#include <memwatch/diff/key_metrics.hpp>

#include "base/json_writer.hpp"

namespace memwatch {
inline namespace v1 {

struct metric_table {
    std::vector<std::string> columns;  // labels where snapshots have one each, else "before", "during", "after"
    std::vector<key_metric> rows;      // names with '_', values a column
};

[[nodiscard]] metric_table make_metric_table(const std::vector<const snapshot*>& of);

// "1.2 MiB", "93 %", "every block"; "-" for what is unknown.
[[nodiscard]] std::string metric_words(const key_metric& metric, std::size_t column);

// "bytes per thread".
[[nodiscard]] std::string metric_title(const key_metric& metric);

// Rows worth reading: of two snapshots not what stands in their lines already, nor what neither knows or lost.
[[nodiscard]] std::vector<const key_metric*> shown_metrics(const metric_table& table);

// Text, with an empty line before it; "" when there is nothing to show.
[[nodiscard]] std::string render_text(const metric_table& table, bool colour);
[[nodiscard]] std::string render_markdown(const metric_table& table);

// {"columns": [], "rows": [{"name", "unit", "values": []}]}
void write_json(json_writer& json, const metric_table& table);

}  // namespace v1
}  // namespace memwatch
