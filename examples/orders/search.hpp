// SPDX-License-Identifier: Apache-2.0
#pragma once
// Product search with a cache of ranked results, oldest out first. Healthy: bounded by its number of queries.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>

#include "order.hpp"
#include "tracked.hpp"

namespace orders {

// Threads: any.
class search_index {
public:
    explicit search_index(std::size_t capacity_queries) : capacity_queries_(capacity_queries) {}

    // The best results as JSON, from the cache when the query was asked lately.
    [[nodiscard]] std::string find(std::string_view query);
    [[nodiscard]] std::size_t size() const;

private:
    struct hit {
        std::uint32_t sku{};
        float score{};
        short_text<88> snippet;
    };
    using hits = tracked_vector<hit>;

    [[nodiscard]] hits rank(std::string_view query) const;

    const std::size_t capacity_queries_;
    memwatch::tag tag_{"search-results"};
    mutable std::mutex mutex_;
    tracked_text_map<hits> results_{tracked<char>{tag_}};
    std::deque<tracked_string, tracked<tracked_string>> order_{tracked<tracked_string>{tag_}};  // oldest query first
};

}  // namespace orders
