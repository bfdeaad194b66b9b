// SPDX-License-Identifier: Apache-2.0
#include "order_store.hpp"

namespace orders {

std::uint64_t order_store::add(const receipt& placed) {
    tracked_vector<order_line> lines{placed.lines.begin(), placed.lines.end(), tracked<order_line>{tag_}};
    const std::scoped_lock lock{mutex_};
    const std::uint64_t id = ++last_id_;
    orders_.emplace(id, stored_order{placed.total_cents, placed.is_in_stock, std::move(lines)});
    if (orders_.size() > capacity_) { orders_.erase(id - capacity_); }
    return id;
}

std::optional<receipt> order_store::find(std::uint64_t order_id) const {
    const std::scoped_lock lock{mutex_};
    const auto found = orders_.find(order_id);
    if (found == orders_.end()) { return std::nullopt; }
    const stored_order& order = found->second;
    return receipt{order_id, order.total_cents, order.is_in_stock, {order.lines.begin(), order.lines.end()}};
}

std::size_t order_store::size() const {
    const std::scoped_lock lock{mutex_};
    return orders_.size();
}

}  // namespace orders
