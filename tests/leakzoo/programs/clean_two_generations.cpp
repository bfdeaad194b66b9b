// SPDX-License-Identifier: Apache-2.0
// A cache of two generations: new entries go into the young one; every seventh of the run the old generation is dropped and the
// young one becomes old. What is used again is copied into the young one, so favourites live on under new addresses.

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "zoo.hpp"

namespace {

class generations {
public:
    ZOO_FUNCTION const std::string& look_up(std::uint64_t key, std::size_t size_bytes) {
        if (const auto found = young_.find(key); found != young_.end()) { return found->second; }
        const auto aged = old_.find(key);
        return young_.emplace(key, aged != old_.end() ? aged->second : std::string(size_bytes, 'g')).first->second;
    }
    void age() {
        old_ = std::move(young_);
        young_ = {};
    }

private:
    std::unordered_map<std::uint64_t, std::string> young_, old_;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("generations::look_up", "generational_cache");
    const double look_ups = zoo.random().between(4.0, 10.0) / zoo.threads();  // a beat of 4 ms and thread
    const double favourite_share = zoo.random().between(0.1, 0.5), age_s = zoo.seconds() / zoo.random().between(6.0, 10.0);
    static std::vector<generations> caches(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        double next_age_s = age_s;
        std::uint64_t newest = 100;
        while (self.tick(std::chrono::milliseconds(4))) {
            for (double left = look_ups; self.random().chance(left); --left) {
                const std::uint64_t key = self.random().chance(favourite_share) ? self.random().below(100) : ++newest;
                caches[self.index()].look_up(key, self.random().between(100U, 2000U));
            }
            if (self.elapsed_s() < next_age_s) { continue; }
            caches[self.index()].age();
            next_age_s += age_s;
        }
    });
    return zoo.end();
}
