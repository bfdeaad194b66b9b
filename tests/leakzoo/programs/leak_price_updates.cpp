// SPDX-License-Identifier: Apache-2.0
// The current price of each share, replaced by each update. For some shares updates come through a second feed, whose table
// allows equal keys: there, insert adds.

#include <unordered_map>

#include "zoo.hpp"

namespace {

struct price {
    double bid;
    double ask;
    char venue[96];
};

std::unordered_map<std::uint64_t, price> first_feed;
std::unordered_multimap<std::uint64_t, price> second_feed;

ZOO_FUNCTION void update_first(std::uint64_t share, double bid) {
    first_feed.insert_or_assign(share, price{bid, bid + 0.01, {}});
}

ZOO_FUNCTION void update_second(std::uint64_t share, double bid) { second_feed.emplace(share, price{bid, bid + 0.01, {}}); }

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& added = zoo.leaks("update_second", "equal_keys");
    zoo.is_clean("update_first", "replaced_slots");
    const std::uint64_t shares = zoo.random().between(100U, 2000U);
    while (zoo.tick(std::chrono::milliseconds(2))) {
        for (int i = 0; i < 3; ++i) { update_first(zoo.random().below(shares), zoo.random().unit()); }
        if (!zoo.random().chance(0.5)) { continue; }
        update_second(zoo.random().below(shares), zoo.random().unit());
        added.lost(sizeof(price) + 16);
    }
    return zoo.end();
}
