// SPDX-License-Identifier: Apache-2.0
// Pages stay in a cache for seconds, until newer ones push them out. A page that is pinned is passed over; readers that fail do
// not unpin, so more and more of the pages in memory are not in the cache.

#include <list>
#include <vector>

#include "zoo.hpp"

namespace {

struct page {
    std::vector<char> body;
    int pins = 0;
};

std::list<page> cached;
std::list<page> pinned;

ZOO_FUNCTION page& load_page(std::size_t bytes) {
    cached.emplace_front();
    cached.front().body.assign(bytes, 'p');
    return cached.front();
}

ZOO_FUNCTION std::size_t evict_oldest() {
    if (cached.back().pins == 0) {
        cached.pop_back();
        return 0;
    }
    const std::size_t bytes = cached.back().body.size();
    pinned.splice(pinned.begin(), cached, std::prev(cached.end()));
    return bytes;
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& unreachable = zoo.leaks("load_page", "pinned");
    const std::size_t capacity = zoo.random().between(300U, 900U);
    const std::size_t bytes = zoo.random().between(500U, 2500U);
    const double share_failing = zoo.random().between(0.08, 0.25);
    while (zoo.tick(std::chrono::milliseconds(2))) {
        page& loaded = load_page(bytes);
        if (zoo.random().chance(share_failing)) { ++loaded.pins; }
        if (cached.size() <= capacity) { continue; }
        const std::size_t lost = evict_oldest();
        if (lost != 0) { unreachable.lost(lost); }
    }
    return zoo.end();
}
