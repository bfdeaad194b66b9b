// SPDX-License-Identifier: Apache-2.0
#pragma once
// Prices with their history, read from the pricing system a chunk at a time after start-up. Healthy: grows steadily for the
// first half minute, then the table is complete.

#include <cstddef>
#include <cstdint>
#include <mutex>

#include "tracked.hpp"

namespace orders {

// Threads: any; load_chunk() from one.
class price_table {
public:
    explicit price_table(std::uint32_t sku_count) : sku_count_(sku_count) {}

    // Loads up to `count` further products; false when the table was complete before.
    bool load_chunk(std::uint32_t count);

    // The current price; a list price as long as the product's history is not loaded.
    [[nodiscard]] std::int64_t price_cents(std::uint32_t sku) const;
    [[nodiscard]] std::size_t size() const;

private:
    struct price_point {
        std::int64_t valid_from_unix_s{};
        std::int64_t cents{};
    };

    const std::uint32_t sku_count_;
    memwatch::tag tag_{"price-table"};
    mutable std::mutex mutex_;
    tracked_map<std::uint32_t, tracked_vector<price_point>> prices_{tracked<char>{tag_}};
};

}  // namespace orders
