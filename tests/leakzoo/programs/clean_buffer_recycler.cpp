// SPDX-License-Identifier: Apache-2.0
// Buffers are never given back to the allocator: a stack of used ones waits for the next burst. Bursts are of all sizes up to
// what the uplink lets through, so the high water rises in ever smaller and rarer steps.

#include <memory>
#include <mutex>
#include <vector>

#include "zoo.hpp"

namespace {

using buffer = std::vector<std::byte>;

class buffer_recycler {
public:
    ZOO_FUNCTION std::unique_ptr<buffer> take_buffer() {
        const std::lock_guard lock(mutex_);
        if (used_.empty()) { return std::make_unique<buffer>(4000); }
        auto taken = std::move(used_.back());
        used_.pop_back();
        return taken;
    }
    ZOO_FUNCTION void give_back(std::unique_ptr<buffer> done) {
        const std::lock_guard lock(mutex_);
        used_.push_back(std::move(done));
    }

private:
    std::mutex mutex_;
    std::vector<std::unique_ptr<buffer>> used_;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("buffer_recycler::take_buffer", "pool_high_water");
    zoo.is_clean("buffer_recycler::give_back", "pool_high_water");
    const unsigned largest_burst = zoo.random().between(200U, 1500U) / static_cast<unsigned>(zoo.threads()) + 10;
    const double burst_every_s = zoo.seconds() / zoo.random().between(60.0, 120.0);
    static buffer_recycler recycler;
    zoo.on_threads([&](zoo::worker& self) {
        std::vector<std::unique_ptr<buffer>> in_flight;
        double next_burst_s = self.random().unit() * burst_every_s;
        while (self.tick(std::chrono::milliseconds(4))) {
            if (self.elapsed_s() >= next_burst_s) {
                for (auto packets = self.random().between(1U, largest_burst); packets > 0; --packets) {
                    in_flight.push_back(recycler.take_buffer());
                }
                next_burst_s += burst_every_s;
            }
            for (std::size_t sent = in_flight.size() / 8 + 1; sent > 0 && !in_flight.empty(); --sent) {
                recycler.give_back(std::move(in_flight.back()));
                in_flight.pop_back();
            }
        }
    });
    return zoo.end();
}
