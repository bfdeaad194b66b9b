// SPDX-License-Identifier: Apache-2.0
// Linked: orders are worked on in objects of a bounded pool; most are done in no time, some wait for a payment for a while. At
// rush hours the pool runs dry and customers are sent away.

#include <memwatch/memwatch.hpp>

#include <array>
#include <map>
#include <vector>

#include "zoo.hpp"

namespace {

struct order {
    std::uint64_t number{};
    std::array<char, 700> lines{};
};

using order_pool = memwatch::object_pool<order>;

order_pool& orders() {
    static auto* const pool = new order_pool("zoo/orders", {.capacity = 2000});
    return *pool;
}

class desk {
public:
    ZOO_FUNCTION void open_order(double done_s) {
        order_pool::handle opened = orders().acquire();
        if (opened) { waiting_.emplace(done_s, std::move(opened)); }
    }
    void close_until(double now_s) { waiting_.erase(waiting_.begin(), waiting_.upper_bound(now_s)); }

private:
    std::multimap<double, order_pool::handle> waiting_;
};

}  // namespace

int main(int argc, char** argv) {
    auto session = memwatch::session::start({});
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("desk::open_order", "pool_high_water").also("zoo/orders");
    const double payment_s = zoo.seconds() / zoo.random().between(20.0, 40.0), paying_share = zoo.random().between(0.2, 0.5);
    const double usual = 2000 * 0.4 * 0.004 / (payment_s * paying_share) / zoo.threads();  // a beat of 4 ms and thread
    const double rushes = zoo.random().between(3.0, 6.0);
    static std::vector<desk> desks(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(4))) {
            const bool is_rush = std::fmod(self.progress() * rushes, 1.0) < 0.2;
            for (double left = is_rush ? 3 * usual : usual; self.random().chance(left); --left) {
                const double work_s =
                    self.random().exponential(self.random().chance(paying_share) ? payment_s : payment_s / 50);
                desks[self.index()].open_order(self.elapsed_s() + std::min(work_s, 4 * payment_s));
            }
            desks[self.index()].close_until(self.elapsed_s());
        }
    });
    return zoo.end();
}
