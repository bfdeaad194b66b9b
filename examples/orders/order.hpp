// SPDX-License-Identifier: Apache-2.0
#pragma once
// What an order is: the words the components share.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace orders {

// Short text stored in place; longer text is cut.
template <std::size_t Capacity>
struct short_text {
    std::array<char, Capacity> characters{};  // zero-padded

    short_text() = default;
    explicit short_text(std::string_view text) {
        std::copy_n(text.data(), std::min(text.size(), Capacity), characters.begin());
    }
    [[nodiscard]] std::string_view view() const {
        return {characters.data(),
                static_cast<std::size_t>(std::find(characters.begin(), characters.end(), '\0') - characters.begin())};
    }
};

struct order_line {
    std::uint32_t sku{};
    std::uint32_t quantity{};
    std::int64_t unit_price_cents{};
    short_text<48> title;
    short_text<64> shipping;
};
static_assert(sizeof(order_line) == 128, "docs and load figures count 128 bytes a line");

// The answer to a placed order, kept so that a client's retry gets the same one.
struct receipt {
    std::uint64_t order_id{};
    std::int64_t total_cents{};
    bool is_in_stock{};
    std::vector<order_line> lines;
};

}  // namespace orders
