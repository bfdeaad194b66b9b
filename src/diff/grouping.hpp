// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which row of a delta each site and each live record belongs to, for one dimension. Rows are numbered 0.. and hold no strings
// of their own, because a diff by trace can have more rows than anybody looks at; label() makes the words for those shown.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <memwatch/model/delta.hpp>

#include "diff/match.hpp"

namespace memwatch::inline v1 {

inline constexpr std::uint32_t no_row = 0xFFFF'FFFF;

struct grouping {
    struct words {
        std::string name;
        std::string key;
    };

    dimension by{};
    std::size_t rows{};
    std::array<std::vector<std::uint32_t>, 2> row_of_site;    // empty when a site's records spread over rows
    std::array<std::vector<std::uint32_t>, 2> row_of_record;  // empty for pools
    std::array<std::vector<std::uint32_t>, 2> row_of_entry;   // tags and pools: of the exact counters' table
    std::vector<words> labels;                                // unless by site or trace
    std::vector<trace_id> traces;                             // by trace
};

[[nodiscard]] grouping group(dimension by, snapshot_pair sides, const site_match& match);

// What a person calls these; the same words wherever they appear.
[[nodiscard]] std::string route_name(const std::string& route);
[[nodiscard]] std::string trace_name(trace_id id);
[[nodiscard]] std::string thread_name(const thread_info& thread);

}  // namespace memwatch::inline v1
