// SPDX-License-Identifier: Apache-2.0
// Linked: open orders in a map under a tag, keyed by their number. Filled orders are erased; those that expire are not.

#include <memwatch/memwatch.hpp>

#include <array>
#include <map>

#include "zoo.hpp"

namespace {

struct order {
    double price;
    char terms[344];
};

using order_map =
    std::map<std::uint64_t, order, std::less<>, memwatch::tracked_allocator<std::pair<const std::uint64_t, order>>>;

order_map& open_orders() {
    static auto* orders =
        new order_map(memwatch::tracked_allocator<std::pair<const std::uint64_t, order>>{memwatch::tag{"zoo/open-orders"}});
    return *orders;
}

ZOO_FUNCTION void place_order(std::uint64_t number, double price) {
    order placed{price, {}};
    zoo::fill(placed.terms, sizeof placed.terms, 't');
    open_orders().emplace(number, placed);
}

ZOO_FUNCTION void fill_order(std::uint64_t number) { open_orders().erase(number); }

}  // namespace

int main(int argc, char** argv) {
    auto session = memwatch::session::start({});
    zoo::scenario zoo(argc, argv);
    zoo::truth& expired = zoo.leaks("place_order", "unique_ids");
    const double share_expiring = zoo.random().between(0.1, 0.4);
    std::array<std::uint64_t, 64> at_market{};
    for (std::uint64_t number = 1; zoo.tick(std::chrono::milliseconds(2)); ++number) {
        place_order(number, zoo.random().unit());
        std::uint64_t& oldest = at_market[number % at_market.size()];
        if (oldest != 0 && zoo.random().chance(share_expiring)) {
            expired.lost(sizeof(order) + 40);
        } else if (oldest != 0) {
            fill_order(oldest);
        }
        oldest = number;
    }
    return zoo.end();
}
