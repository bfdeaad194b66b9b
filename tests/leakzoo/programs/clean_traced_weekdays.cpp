// SPDX-License-Identifier: Apache-2.0
// Linked: baskets live as long as their shopper shops, under a tag and for a trace; shoppers come by the time of day, several
// days a run, and the last day ends at its height.

#include <memwatch/memwatch.hpp>

#include <map>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

memwatch::tag baskets_tag{"zoo/baskets"};

using basket = std::vector<std::uint64_t, memwatch::tracked_allocator<std::uint64_t>>;

class shop {
public:
    ZOO_FUNCTION void fill_basket(double leaves_s, unsigned articles) {
        basket fresh{memwatch::tracked_allocator<std::uint64_t>{baskets_tag}};
        for (unsigned i = 0; i < articles; ++i) { fresh.push_back(i); }
        by_end_.emplace(leaves_s, std::move(fresh));
    }
    void check_out_until(double now_s) { by_end_.erase(by_end_.begin(), by_end_.upper_bound(now_s)); }

private:
    std::multimap<double, basket> by_end_;
};

}  // namespace

int main(int argc, char** argv) {
    auto session = memwatch::session::start({});
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("shop::fill_basket", "diurnal_load");
    const double at_noon = zoo.random().between(2.0, 6.0) / zoo.threads();  // a beat of 4 ms and thread
    const double days = std::floor(zoo.random().between(3.0, 6.0)) + 0.5, day_s = zoo.seconds() / days;
    static std::vector<shop> shops(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        std::uint64_t number = 0;
        while (self.tick(std::chrono::milliseconds(4))) {
            const double sun = 0.5 - 0.5 * std::cos(6.2831853 * self.elapsed_s() / day_s);
            for (double left = at_noon * (0.05 + 0.95 * sun); self.random().chance(left); --left) {
                const memwatch::trace_scope scope{"shopper-" + std::to_string(++number), "/basket"};
                const double stay_s = std::min(day_s / 2, self.random().exponential(day_s / 8));
                shops[self.index()].fill_basket(self.elapsed_s() + stay_s, self.random().between(10U, 400U));
            }
            shops[self.index()].check_out_until(self.elapsed_s());
        }
    });
    return zoo.end();
}
