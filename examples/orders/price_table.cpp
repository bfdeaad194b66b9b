// SPDX-License-Identifier: Apache-2.0
#include "price_table.hpp"

#include <algorithm>

namespace orders {
namespace {

constexpr std::size_t points_per_sku = 64;  // five years of monthly prices and this month's
constexpr std::int64_t month_s = 30 * 24 * 3600;

std::int64_t list_price_cents(std::uint32_t sku) { return 199 + static_cast<std::int64_t>(sku * 2'654'435'761U % 20'000U); }

}  // namespace

bool price_table::load_chunk(std::uint32_t count) {
    const std::scoped_lock lock{mutex_};
    const auto first = static_cast<std::uint32_t>(prices_.size());
    const std::uint32_t end = std::min(first + count, sku_count_);
    for (std::uint32_t sku = first; sku < end; ++sku) {
        tracked_vector<price_point> history{points_per_sku, tracked<price_point>{tag_}};
        for (std::size_t month = 0; month < points_per_sku; ++month) {
            const auto age = static_cast<std::int64_t>(points_per_sku - 1 - month);
            history[month] = {1'700'000'000 - age * month_s, list_price_cents(sku) - age};
        }
        prices_.emplace(sku, std::move(history));
    }
    return first < end;
}

std::int64_t price_table::price_cents(std::uint32_t sku) const {
    const std::scoped_lock lock{mutex_};
    const auto found = prices_.find(sku);
    return found == prices_.end() ? list_price_cents(sku) : found->second.back().cents;
}

std::size_t price_table::size() const {
    const std::scoped_lock lock{mutex_};
    return prices_.size();
}

}  // namespace orders
