// SPDX-License-Identifier: Apache-2.0
#pragma once
// A merged fleet in words: what it holds, how that spreads over the hosts, and which hosts stand out.
//
// Out: text, or JSON (kind memwatch.fleet, version 1). Threads: any.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "fleet/merge.hpp"

namespace memwatch::inline v1 {

// What is reported: the `top` largest sites (0 = all), and all sites with outliers. Indices into the merged snapshot's.
[[nodiscard]] std::vector<std::uint32_t> listed_sites(const merged_fleet& fleet, std::size_t top);

[[nodiscard]] std::string render_text(const merged_fleet& fleet, std::size_t top, bool colour);
[[nodiscard]] std::string render_json(const merged_fleet& fleet, std::size_t top);

}  // namespace memwatch::inline v1
