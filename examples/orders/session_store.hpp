// SPDX-License-Identifier: Apache-2.0
#pragma once
// Logged-in customers and their carts. Healthy: a session ends `time_to_live` after its login, so the store levels off at
// logins per second x time to live.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "tracked.hpp"

namespace orders {

// Threads: any.
class session_store {
public:
    using clock = std::chrono::steady_clock;

    explicit session_store(clock::duration time_to_live) : time_to_live_(time_to_live) {}

    // Returns the token of the new session.
    [[nodiscard]] std::string log_in(std::string_view customer);

    // Puts a product into the session's cart; false when the session is unknown or has ended. A full cart drops its oldest
    // line.
    bool add_to_cart(std::string_view token, std::uint32_t sku, std::uint32_t quantity);

    void sweep(clock::time_point now);
    [[nodiscard]] std::size_t size() const;

private:
    struct cart_line {
        std::uint32_t sku{};
        std::uint32_t quantity{};
    };
    struct customer_session {
        clock::time_point ends;
        tracked_string customer;
        tracked_vector<char> profile;  // preferences and recently viewed products, as loaded at login
        tracked_vector<cart_line> cart;
    };

    const clock::duration time_to_live_;
    memwatch::tag tag_{"sessions"};
    mutable std::mutex mutex_;
    tracked_text_map<customer_session> sessions_{tracked<char>{tag_}};
};

}  // namespace orders
