// SPDX-License-Identifier: Apache-2.0
#pragma once
// The latest orders, for GET /api/v2/orders/{id}; older ones would come from a database. Healthy, and the hardest neighbour of
// the leak: same route, same worker, same size an order - but bounded, so its growth ends at `capacity` orders.

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>

#include "order.hpp"
#include "tracked.hpp"

namespace orders {

// Threads: any.
class order_store {
public:
    explicit order_store(std::size_t capacity) : capacity_(capacity) {}

    // Numbers the order, keeps it, and drops the oldest one beyond the capacity. Returns the number.
    std::uint64_t add(const receipt& placed);
    [[nodiscard]] std::optional<receipt> find(std::uint64_t order_id) const;
    [[nodiscard]] std::size_t size() const;

private:
    struct stored_order {
        std::int64_t total_cents{};
        bool is_in_stock{};
        tracked_vector<order_line> lines;
    };

    const std::size_t capacity_;
    memwatch::tag tag_{"recent-orders"};
    mutable std::mutex mutex_;
    tracked_map<std::uint64_t, stored_order> orders_{tracked<char>{tag_}};  // numbers (last_id_ - size, last_id_]
    std::uint64_t last_id_{};
};

}  // namespace orders
