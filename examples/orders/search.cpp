// SPDX-License-Identifier: Apache-2.0
#include "search.hpp"

#include <algorithm>

namespace orders {
namespace {

constexpr std::size_t ranked_hits = 100;  // kept for paging
constexpr std::size_t shown_hits = 10;
constexpr std::uint32_t sku_count = 100'000;

}  // namespace

std::string search_index::find(std::string_view query) {
    const std::scoped_lock lock{mutex_};
    auto found = results_.find(query);
    if (found == results_.end()) {
        tracked_string key{query, tracked<char>{tag_}};
        order_.push_back(key);
        found = results_.emplace(std::move(key), rank(query)).first;
        if (results_.size() > capacity_queries_) {
            results_.erase(order_.front());  // never the one just added: it is the youngest
            order_.pop_front();
        }
    }
    std::string out{"{\"hits\":["};
    for (std::size_t i = 0; i < shown_hits; ++i) {
        const hit& h = found->second[i];
        out += i == 0 ? "" : ",";
        out += "{\"sku\":" + std::to_string(h.sku) + ",\"snippet\":\"" + std::string{h.snippet.view()} + "\"}";
    }
    return out + "]}";
}

search_index::hits search_index::rank(std::string_view query) const {
    hits ranked{tracked<hit>{tag_}};
    ranked.reserve(ranked_hits);
    auto state = static_cast<std::uint32_t>(text_hash{}(query));
    for (std::size_t i = 0; i < ranked_hits; ++i) {
        state = state * 1'664'525U + 1'013'904'223U;  // stands for an index: the same query finds the same products
        const std::uint32_t sku = state % sku_count;
        ranked.push_back({sku, 1.0F / static_cast<float>(i + 1), short_text<88>{"product " + std::to_string(sku)}});
    }
    return ranked;
}

std::size_t search_index::size() const {
    const std::scoped_lock lock{mutex_};
    return results_.size();
}

}  // namespace orders
