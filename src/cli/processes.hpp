// SPDX-License-Identifier: Apache-2.0
#pragma once
// What is live in some processes, site by site: dumps and processes that run become the report that `memwatch run` ends with.

#include <cstddef>
#include <string>
#include <vector>

#include "cli/source.hpp"
#include "report/process_report.hpp"

namespace memwatch {
inline namespace v1 {

// Errors: of the first input that cannot be loaded.
[[nodiscard]] result<process_report> read_processes(const std::vector<std::string>& inputs, std::size_t top,
                                                    const source_options& source);

// Names and lines for the sites that are left in the largest processes; what is missing becomes a remark.
void name_sites(process_report& report, const source_options& source);

}  // namespace v1
}  // namespace memwatch
