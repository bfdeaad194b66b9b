// SPDX-License-Identifier: Apache-2.0
#include "traffic.hpp"

#include <array>
#include <cstdio>

namespace orders::load {

planned_request traffic::next() {
    if (!is_logged_in_) { return login(); }
    const std::uint32_t draw = below(100);
    if (draw < 50) { return order(); }
    if (draw < 52) { return orders_ == 0 ? order() : last_order_; }  // a retry: same key, same answer
    if (draw < 62) { return {false, "/api/v2/orders/" + std::to_string(1 + below(2'000)), {}, {}, {}}; }
    if (draw < 74) { return {false, "/api/v1/catalog?page=" + std::to_string(below(4'096)), {}, {}, {}}; }
    if (draw < 86) {
        static constexpr std::array words{"red", "blue", "small", "large", "oak", "steel", "soft", "round", "plain", "bright"};
        const std::string query =
            std::string{words[below(10)]} + "+" + words[below(10)] + "+chair+" + std::to_string(below(50));
        return {false, "/api/v2/search?q=" + query, {}, {}, {}};
    }
    if (draw < 94) {
        const std::string body = "sku=" + std::to_string(below(24'000)) + "&quantity=" + std::to_string(1 + below(5));
        return {true, "/api/v2/cart", {}, body, {}};
    }
    return login();
}

planned_request traffic::login() {
    is_logged_in_ = true;
    return {true, "/login", {}, "customer=" + customer(), true};
}

// 24 to 47 lines; one order in ten asks for more of a product than the shop has in stock.
planned_request traffic::order() {
    std::string body = "customer=" + customer();
    const std::uint32_t lines = 24 + below(24);
    const bool is_bulk = below(10) == 0;
    for (std::uint32_t i = 0; i < lines; ++i) {
        const std::uint32_t quantity = is_bulk && i == 0 ? 100 : 1 + below(9);
        body += "&sku=" + std::to_string(below(24'000)) + "&quantity=" + std::to_string(quantity);
    }
    std::string key = "req-" + std::to_string(stream_) + "-" + std::to_string(++orders_) + "-" + std::to_string(random_());
    last_order_ = {true, "/api/v2/orders", std::move(key), std::move(body), {}};
    return last_order_;
}

std::string traffic::traceparent() {
    std::array<char, 56> text{};
    std::snprintf(text.data(), text.size(), "00-%016llx%016llx-%016llx-01", static_cast<unsigned long long>(random_()),
                  static_cast<unsigned long long>(random_() | 1), static_cast<unsigned long long>(random_() | 1));
    return text.data();
}

}  // namespace orders::load
