// SPDX-License-Identifier: Apache-2.0
#pragma once
// What customers of the order service do: a seeded stream of requests with the mix of a shop in business.

#include <cstdint>
#include <random>
#include <string>

namespace orders::load {

struct planned_request {
    bool is_post{};
    std::string target;
    std::string idempotency_key;  // orders only
    std::string body;
    bool is_login{};  // the answer holds the session token for later requests
};

// One customer's side of a connection. Two streams with the same seed and stream number ask for the same things.
class traffic {
public:
    traffic(std::uint64_t seed, unsigned stream) : random_(seed * 1'000'003 + stream), stream_(stream) {}

    [[nodiscard]] planned_request next();
    [[nodiscard]] std::string traceparent();

private:
    [[nodiscard]] std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random_() % limit); }
    [[nodiscard]] std::string customer() { return "customer-" + std::to_string(10'000 + below(10'000)); }
    [[nodiscard]] planned_request order();
    [[nodiscard]] planned_request login();

    std::mt19937_64 random_;
    const unsigned stream_;
    std::uint64_t orders_{};
    bool is_logged_in_{};
    planned_request last_order_;
};

}  // namespace orders::load
