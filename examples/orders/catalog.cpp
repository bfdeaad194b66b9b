// SPDX-License-Identifier: Apache-2.0
#include "catalog.hpp"

namespace orders {
namespace {

constexpr std::uint32_t products_per_page = 80;
constexpr std::size_t page_bytes = 8 * 1024;  // what 80 products take as JSON, reserved at once

}  // namespace

std::string catalog::page(std::uint32_t number) {
    const std::scoped_lock lock{mutex_};
    if (const auto hit = by_number_.find(number); hit != by_number_.end()) {
        pages_.splice(pages_.begin(), pages_, hit->second);
        return std::string{pages_.front().text};
    }
    pages_.push_front({number, render(number)});
    by_number_.emplace(number, pages_.begin());
    if (pages_.size() > capacity_pages_) {
        by_number_.erase(pages_.back().number);
        pages_.pop_back();
    }
    return std::string{pages_.front().text};
}

tracked_string catalog::render(std::uint32_t number) const {
    tracked_string text{tracked<char>{tag_}};
    text.reserve(page_bytes);
    text += "{\"page\":" + std::to_string(number) + ",\"products\":[";
    for (std::uint32_t i = 0; i < products_per_page; ++i) {
        const std::uint32_t sku = number * products_per_page + i;
        text += i == 0 ? "" : ",";
        text += "{\"sku\":" + std::to_string(sku) + ",\"title\":\"product " + std::to_string(sku) +
                "\",\"price_cents\":" + std::to_string(prices_.price_cents(sku)) + "}";
    }
    text += "]}";
    return text;
}

std::size_t catalog::size() const {
    const std::scoped_lock lock{mutex_};
    return pages_.size();
}

}  // namespace orders
