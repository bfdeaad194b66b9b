// SPDX-License-Identifier: Apache-2.0
// After an outage everybody comes back at once: bursts of connections, each of which then goes after an exponential while.
// Three to six bursts a run, the last one not so long ago when the program ends.

#include <list>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

struct connection {
    double closes_s{};
    std::vector<char> receive_buffer;
    std::string peer;
};

class listener {
public:
    ZOO_FUNCTION void accept(double closes_s, std::size_t buffer_bytes, std::uint64_t peer) {
        open_.push_back({closes_s, std::vector<char>(buffer_bytes), "peer-with-a-long-name-" + std::to_string(peer)});
    }
    void close_until(double now_s) {
        open_.remove_if([now_s](const connection& one) { return one.closes_s <= now_s; });
    }

private:
    std::list<connection> open_;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("listener::accept", "bursts");
    const double burst_every_s = zoo.seconds() / zoo.random().between(3.0, 6.0);
    const double first_s = zoo.random().between(0.0, burst_every_s);
    const auto burst = zoo.random().between(500U, 3000U) / static_cast<unsigned>(zoo.threads()) + 1;
    const double stay_s = burst_every_s / zoo.random().between(3.0, 6.0);
    static std::vector<listener> listeners(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        listener& door = listeners[self.index()];
        double next_burst_s = first_s;
        unsigned to_come = 0;
        while (self.tick(std::chrono::milliseconds(4))) {
            if (self.elapsed_s() >= next_burst_s) {
                to_come = burst;
                next_burst_s += burst_every_s;
            }
            const unsigned arrivals = std::min(to_come, burst / 50 + 1) + (self.random().chance(0.05) ? 1 : 0);
            to_come -= std::min(to_come, arrivals);
            for (unsigned i = 0; i < arrivals; ++i) {
                const double closes_s = self.elapsed_s() + std::min(burst_every_s, self.random().exponential(stay_s));
                door.accept(closes_s, self.random().between(500U, 4000U), self.random().next());
            }
            door.close_until(self.elapsed_s());
        }
    });
    return zoo.end();
}
