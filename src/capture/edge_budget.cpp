// SPDX-License-Identifier: Apache-2.0
#include "capture/edge_budget.hpp"

#include <algorithm>

#include "model/thinning.hpp"

namespace memwatch {
inline namespace v1 {

bool edge_budget::admits(std::size_t bytes, detail::sample_ticket& ticket, std::uint64_t& random_state) noexcept {
    const std::uint64_t floor = interval_floor();
    if (floor <= ticket.interval_bytes) { return true; }
    if (floor == declined) {
        losses_.count(drop_reason::edge_waste_full);
        return false;
    }
    losses_.count(degradation::edge_interval_raised);
    if (!survives_thinning(bytes, ticket.interval_bytes, floor, random_state)) { return false; }
    ticket.interval_bytes = floor;
    return true;
}

void edge_budget::limit_waste(std::size_t most_bytes, std::uint64_t base_interval, bool is_tight) noexcept {
    // relaxed, all: settings.
    is_tight_.store(is_tight, std::memory_order_relaxed);
    most_waste_bytes_.store(most_bytes, std::memory_order_relaxed);
    base_interval_.store(base_interval, std::memory_order_relaxed);
}

std::uint64_t edge_budget::interval_floor() const noexcept {
    // relaxed, both: settings.
    const std::size_t most = most_waste_bytes_.load(std::memory_order_relaxed);
    const std::uint64_t base = base_interval_.load(std::memory_order_relaxed);
    const std::size_t waste = waste_bytes();
    if (waste < most / 2) { return 0; }
    if (waste >= most) { return declined; }
    constexpr std::uint64_t least_interval = 4096;  // where doubling starts when every block is recorded (R = 0)
    const std::size_t step = 1 + (waste - most / 2) / (most / 16);
    return std::max(base, least_interval) << step;
}

}  // namespace v1
}  // namespace memwatch
