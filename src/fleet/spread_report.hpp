// SPDX-License-Identifier: Apache-2.0
#pragma once
// A merged fleet in words: what it holds, how that spreads over the hosts, and which hosts stand out.
//
// Out: text, or JSON (kind memwatch.fleet, version 1). Threads: any.

#include <cstddef>
#include <string>

#include "fleet/merge.hpp"

namespace memwatch::inline v1 {

// The `top` largest sites (0 = all), and all sites with outliers.
[[nodiscard]] std::string render_text(const merged_fleet& fleet, std::size_t top, bool colour);
[[nodiscard]] std::string render_json(const merged_fleet& fleet, std::size_t top);

}  // namespace memwatch::inline v1
