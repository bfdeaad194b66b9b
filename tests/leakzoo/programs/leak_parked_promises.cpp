// SPDX-License-Identifier: Apache-2.0
// Answers are promised, and whoever waits for one looks after it. Asking for a page that is being loaded already parks another
// promise, and only the first is kept.

#include <array>
#include <future>
#include <list>

#include "zoo.hpp"

namespace {

struct page {
    std::array<char, 500> body;
};

std::list<std::promise<page>> parked;

ZOO_FUNCTION std::promise<page>& park() {
    parked.emplace_back();
    return parked.back();
}

ZOO_FUNCTION void load_page(zoo::rng& random, double share_twice, zoo::truth& unkept) {
    std::promise<page>& first = park();
    std::future<page> answer = first.get_future();
    const auto first_at = std::prev(parked.end());
    if (random.chance(share_twice)) {
        park();
        unkept.lost(sizeof(page) + 56);
    }
    page loaded{};
    zoo::fill(loaded.body.data(), loaded.body.size());
    first.set_value(loaded);
    zoo::use(answer.get().body.data());
    parked.erase(first_at);
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& unkept = zoo.leaks("park", "parked_futures");
    const double share_twice = zoo.random().between(0.1, 0.5);
    while (zoo.tick(std::chrono::milliseconds(3))) { load_page(zoo.random(), share_twice, unkept); }
    return zoo.end();
}
