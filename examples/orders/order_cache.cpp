// SPDX-License-Identifier: Apache-2.0
#include "order_cache.hpp"

namespace orders {

std::optional<receipt> order_cache::find(std::string_view request_id) const {
    const std::scoped_lock lock{mutex_};
    const auto found = answers_.find(request_id);
    if (found == answers_.end()) { return std::nullopt; }
    const stored_receipt& stored = found->second;
    return receipt{stored.order_id, stored.total_cents, stored.is_in_stock, {stored.lines.begin(), stored.lines.end()}};
}

void order_cache::remember(std::string_view request_id, const receipt& answer) {
    tracked_vector<order_line> lines{answer.lines.begin(), answer.lines.end(), tracked<order_line>{tag_}};
    const std::scoped_lock lock{mutex_};
    answers_.try_emplace(tracked_string{request_id, tracked<char>{tag_}},
                         stored_receipt{answer.order_id, answer.total_cents, answer.is_in_stock, std::move(lines)});
}

void order_cache::forget_after(std::string_view request_id, clock::duration window) {
    const std::scoped_lock lock{mutex_};
    expiries_.push_back({clock::now() + window, tracked_string{request_id, tracked<char>{tag_}}});
}

void order_cache::sweep(clock::time_point now) {
    const std::scoped_lock lock{mutex_};
    while (!expiries_.empty() && expiries_.front().when <= now) {
        answers_.erase(expiries_.front().request_id);
        expiries_.pop_front();
    }
}

std::size_t order_cache::size() const {
    const std::scoped_lock lock{mutex_};
    return answers_.size();
}

}  // namespace orders
