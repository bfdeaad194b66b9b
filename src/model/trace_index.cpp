// SPDX-License-Identifier: Apache-2.0
#include "model/trace_index.hpp"

#include <algorithm>

namespace memwatch::inline v1 {
namespace {

struct occurrence {
    trace_id id;
    std::uint32_t record;
};

std::vector<occurrence> sorted_occurrences(std::span<const std::span<const live_record>> lists) {
    std::vector<occurrence> all;
    std::size_t count = 0;
    for (const auto list : lists) { count += list.size(); }
    all.reserve(count);
    for (const auto list : lists) {
        for (const auto& row : list) { all.push_back({row.trace, static_cast<std::uint32_t>(all.size())}); }
    }
    std::sort(all.begin(), all.end(),
              [](const occurrence& a, const occurrence& b) { return a.id != b.id ? a.id < b.id : a.record < b.record; });
    return all;
}

}  // namespace

trace_index index_traces(std::span<const std::span<const live_record>> lists) {
    const auto all = sorted_occurrences(lists);
    trace_index index;
    index.of_record.resize(all.size());
    // First every record points at the record its trace appeared in first; then those firsts are numbered in order.
    std::uint32_t first = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (i == 0 || all[i].id != all[i - 1].id) { first = all[i].record; }
        index.of_record[all[i].record] = first;
    }
    std::size_t at = 0;
    for (const auto list : lists) {
        for (const auto& row : list) {
            auto& mine = index.of_record[at];
            if (mine == at) {
                mine = static_cast<std::uint32_t>(index.ids.size());
                index.ids.push_back(row.trace);
            } else {
                mine = index.of_record[mine];  // numbered already: it stands before us
            }
            ++at;
        }
    }
    return index;
}

}  // namespace memwatch::inline v1
