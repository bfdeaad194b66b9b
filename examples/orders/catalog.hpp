// SPDX-License-Identifier: Apache-2.0
#pragma once
// Rendered catalog pages, least recently used out first. Healthy: fills to its capacity, then each new page evicts one.

#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <utility>

#include "price_table.hpp"
#include "tracked.hpp"

namespace orders {

// Threads: any.
class catalog {
public:
    catalog(std::size_t capacity_pages, const price_table& prices) : capacity_pages_(capacity_pages), prices_(prices) {}

    [[nodiscard]] std::string page(std::uint32_t number);
    [[nodiscard]] std::size_t size() const;

private:
    struct cached_page {
        std::uint32_t number{};
        tracked_string text;
    };
    using page_list = std::list<cached_page, tracked<cached_page>>;

    [[nodiscard]] tracked_string render(std::uint32_t number) const;

    const std::size_t capacity_pages_;
    const price_table& prices_;
    memwatch::tag tag_{"catalog-cache"};
    mutable std::mutex mutex_;
    page_list pages_{tracked<cached_page>{tag_}};  // most recently used first
    tracked_map<std::uint32_t, page_list::iterator> by_number_{tracked<char>{tag_}};
};

}  // namespace orders
