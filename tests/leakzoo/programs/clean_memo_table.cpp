// SPDX-License-Identifier: Apache-2.0
// Results of an expensive function are remembered for good, per pair of arguments; there are a few thousand pairs. Each is
// asked for four to eight times by the middle of the run, so that the table is all but full then and a straggler comes now and
// then.

#include <map>
#include <mutex>
#include <vector>

#include "zoo.hpp"

namespace {

class route_planner {
public:
    ZOO_FUNCTION const std::vector<std::uint32_t>& shortest_route(std::uint64_t from, std::uint64_t to) {
        const std::lock_guard lock(mutex_);
        const auto [at, is_new] = routes_.try_emplace(std::pair{from, to});
        if (is_new) {
            for (std::uint64_t hop = 0; hop < 20 + (from * 31 + to * 17) % 200; ++hop) {
                at->second.push_back(static_cast<std::uint32_t>(from + hop));
            }
        }
        return at->second;
    }

private:
    std::mutex mutex_;
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::vector<std::uint32_t>> routes_;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("route_planner::shortest_route", "memoization");
    const double requests = zoo.random().between(6.0, 14.0) / zoo.threads();  // a beat of 4 ms and thread
    const double pairs = requests * zoo.threads() * 125 * zoo.seconds() / zoo.random().between(4.0, 8.0);
    const auto towns = static_cast<std::uint64_t>(std::sqrt(pairs)) + 1;
    static route_planner planner;
    zoo.on_threads([&](zoo::worker& self) {
        double made = 0;  // by the clock, so that a machine that is busy changes nothing
        while (self.tick(std::chrono::milliseconds(4))) {
            for (; made < requests * 250 * self.elapsed_s(); ++made) {
                planner.shortest_route(self.random().below(towns), self.random().below(towns));
            }
        }
    });
    return zoo.end();
}
