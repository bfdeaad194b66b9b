// SPDX-License-Identifier: Apache-2.0
// Routing tables are replaced as a whole, and readers pin the version they started with. One reader pins in each round and
// unpins only when the round succeeds.

#include <memory>
#include <vector>

#include "zoo.hpp"

namespace {

struct routing_table {
    std::vector<std::uint64_t> routes;
};

std::shared_ptr<const routing_table> current;
std::vector<std::shared_ptr<const routing_table>> pinned;

ZOO_FUNCTION void publish(std::size_t routes) {
    auto next = std::make_shared<routing_table>();
    next->routes.assign(routes, 1);
    current = std::move(next);
}

ZOO_FUNCTION bool read_round(bool succeeds) {
    pinned.push_back(current);
    if (!succeeds) { return false; }
    pinned.pop_back();
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& versions = zoo.leaks("publish", "pinned_versions");
    const double share_failing = zoo.random().between(0.03, 0.3);
    const std::size_t routes = zoo.random().between(300U, 1500U);
    pinned.reserve(100'000);
    while (zoo.tick(std::chrono::milliseconds(5))) {
        publish(routes);
        if (read_round(!zoo.random().chance(share_failing))) { continue; }
        versions.lost(routes * sizeof(std::uint64_t));
    }
    return zoo.end();
}
