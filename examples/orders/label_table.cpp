// SPDX-License-Identifier: Apache-2.0
#include "label_table.hpp"

namespace orders {

void label_table::count(std::string_view customer) {
    tracked_string label{"orders_requests_total{service=\"orders\",customer=\"", tracked<char>{tag_}};
    label += customer;
    label += "\"}";
    const std::scoped_lock lock{mutex_};
    if (const auto known = counts_.find(label); known != counts_.end()) {
        ++known->second;
    } else if (counts_.size() < limit) {
        counts_.emplace(std::move(label), 1);
    } else {
        ++counts_[tracked_string{"other", tracked<char>{tag_}}];
    }
}

std::size_t label_table::size() const {
    const std::scoped_lock lock{mutex_};
    return counts_.size();
}

}  // namespace orders
