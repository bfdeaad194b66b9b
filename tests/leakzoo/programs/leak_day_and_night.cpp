// SPDX-License-Identifier: Apache-2.0
// Load goes up and down like day and night, four times in the run. Whatever the load, the same share of the baskets is never
// picked up; the rest leaves after a while.

#include <array>

#include "zoo.hpp"

namespace {

struct basket {
    char* items = nullptr;
    bool is_abandoned = false;
};

ZOO_FUNCTION char* fill_basket(std::size_t bytes) {
    char* const filled = new char[bytes];
    zoo::fill(filled, bytes, 'i');
    return filled;
}

ZOO_FUNCTION void check_out(basket& done) {
    if (!done.is_abandoned) { delete[] done.items; }
    done.items = nullptr;
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& abandoned = zoo.leaks("fill_basket", "diurnal");
    const double share_abandoned = zoo.random().between(0.05, 0.2);
    const double phase = zoo.random().between(0.0, 6.28);
    const std::size_t bytes = zoo.random().between(500U, 2000U);
    zoo.on_threads([&](zoo::worker& self) {
        std::array<basket, 48> shopping;  // 48 of all threads together
        const std::size_t places = std::max<std::size_t>(2, shopping.size() / static_cast<std::size_t>(zoo.threads()));
        for (std::size_t visit = 0; self.tick(std::chrono::milliseconds(2) * zoo.threads());) {
            const double load = 0.55 + 0.45 * std::sin(phase + 4 * 6.2832 * self.progress());
            if (!self.random().chance(load)) { continue; }
            basket& place = shopping[visit++ % places];
            check_out(place);
            place = basket{fill_basket(bytes), self.random().chance(share_abandoned)};
            if (place.is_abandoned) { abandoned.lost(bytes); }
        }
    });
    return zoo.end();
}
