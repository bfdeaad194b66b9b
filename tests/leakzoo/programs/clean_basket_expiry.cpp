// SPDX-License-Identifier: Apache-2.0
// Baskets of a shop expire after a time that is nearly as long as half of the run. Until then nothing ever goes; afterwards
// each basket that comes sees one go.

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "zoo.hpp"

namespace {

struct basket {
    std::string customer;
    std::vector<std::uint64_t> articles;
};

class basket_store {
public:
    ZOO_FUNCTION void fill_basket(std::uint64_t id, std::size_t articles, double expires_s) {
        auto fresh = std::make_shared<basket>();
        fresh->customer = "customer-number-" + std::to_string(id) + "-of-this-shop";
        fresh->articles.assign(articles, id);
        baskets_[id] = std::move(fresh);
        expiries_.emplace_back(expires_s, id);
    }
    void expire(double now_s) {
        for (; !expiries_.empty() && expiries_.front().first <= now_s; expiries_.pop_front()) {
            baskets_.erase(expiries_.front().second);
        }
    }

private:
    std::unordered_map<std::uint64_t, std::shared_ptr<basket>> baskets_;
    std::deque<std::pair<double, std::uint64_t>> expiries_;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("basket_store::fill_basket", "ttl_cache");
    const double ttl_s = zoo.seconds() * zoo.random().between(0.38, 0.5);
    const double baskets = zoo.random().between(1.0, 4.0) / zoo.threads();  // a beat of 4 ms and thread
    static std::vector<basket_store> stores(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        std::uint64_t id = 0;
        while (self.tick(std::chrono::milliseconds(4))) {
            for (double left = baskets; self.random().chance(left); --left) {
                stores[self.index()].fill_basket(++id, self.random().between(10U, 300U), self.elapsed_s() + ttl_s);
            }
            stores[self.index()].expire(self.elapsed_s());
        }
    });
    return zoo.end();
}
