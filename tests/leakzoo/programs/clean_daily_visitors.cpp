// SPDX-License-Identifier: Apache-2.0
// Visitors come by the time of day: four to six days of traffic in one run, noon a dozen times the night. Each visit keeps its
// state until the visitor leaves, so memory follows the sun.

#include <map>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

class visits {
public:
    ZOO_FUNCTION void begin_visit(double leaves_s, std::size_t clicks) {
        std::vector<std::string>& trail = by_end_.emplace(leaves_s, std::vector<std::string>{})->second;
        for (std::size_t i = 0; i < clicks; ++i) { trail.push_back("/shop/department/" + std::to_string(i) + "?campaign=sun"); }
    }
    void end_until(double now_s) { by_end_.erase(by_end_.begin(), by_end_.upper_bound(now_s)); }

private:
    std::multimap<double, std::vector<std::string>> by_end_;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("visits::begin_visit", "diurnal_load");
    constexpr double pi = 3.14159265358979;
    const double at_noon = zoo.random().between(3.0, 6.0) / zoo.threads();  // a beat of 4 ms and thread
    const double day_s = zoo.seconds() / zoo.random().between(4.0, 6.0), phase = zoo.random().between(0.0, 2 * pi);
    static std::vector<visits> sites(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(4))) {
            const double sun = 0.54 + 0.46 * std::sin(2 * pi * self.elapsed_s() / day_s + phase);
            for (double left = at_noon * sun; self.random().chance(left); --left) {
                const double stay_s = std::min(day_s / 2, self.random().exponential(day_s / 10));
                sites[self.index()].begin_visit(self.elapsed_s() + stay_s, self.random().between(3U, 30U));
            }
            sites[self.index()].end_until(self.elapsed_s());
        }
    });
    return zoo.end();
}
