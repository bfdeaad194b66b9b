// SPDX-License-Identifier: Apache-2.0
#pragma once
// Request counters by customer, under interned labels. Healthy: a warm-up curve that ends when every customer was seen once.

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string_view>

#include "tracked.hpp"

namespace orders {

// Threads: any.
class label_table {
public:
    // `customer` beyond the limit counts as "other".
    void count(std::string_view customer);
    [[nodiscard]] std::size_t size() const;

private:
    static constexpr std::size_t limit = 20'000;

    memwatch::tag tag_{"metric-labels"};
    mutable std::mutex mutex_;
    tracked_text_map<std::uint64_t> counts_{tracked<char>{tag_}};
};

}  // namespace orders
