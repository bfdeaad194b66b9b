// SPDX-License-Identifier: Apache-2.0
// Deliveries that fail are tried again, each time after twice the wait, and are dropped after the sixth attempt. The receiver
// is down for a while now and then: then all wait, and later all go.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

struct delivery {
    unsigned attempts{};
    std::string payload;
};

class retry_queue {
public:
    ZOO_FUNCTION void enqueue(double now_s, std::size_t payload_bytes) {
        auto fresh = std::make_unique<delivery>();
        fresh->payload.assign(payload_bytes, 'd');
        by_time_.emplace(now_s, std::move(fresh));
    }
    ZOO_FUNCTION void try_all(double now_s, double first_wait_s, double failing_share, zoo::rng& random) {
        while (!by_time_.empty() && by_time_.begin()->first <= now_s) {
            auto one = std::move(by_time_.begin()->second);
            by_time_.erase(by_time_.begin());
            if (!random.chance(failing_share) || ++one->attempts == 6) { continue; }
            by_time_.emplace(now_s + first_wait_s * static_cast<double>(1U << one->attempts), std::move(one));
        }
    }

private:
    std::multimap<double, std::unique_ptr<delivery>> by_time_;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("retry_queue::enqueue", "retry_queue");
    zoo.is_clean("retry_queue::try_all", "retry_queue");
    const double deliveries = zoo.random().between(2.0, 6.0) / zoo.threads();  // a beat of 4 ms and thread
    const double first_wait_s = zoo.seconds() / 600, outages = zoo.random().between(3.0, 6.0);
    static std::vector<retry_queue> queues(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(4))) {
            for (double left = deliveries; self.random().chance(left); --left) {
                queues[self.index()].enqueue(self.elapsed_s(), self.random().between(100U, 3000U));
            }
            const bool is_down = std::fmod(self.progress() * outages, 1.0) < 0.3;
            queues[self.index()].try_all(self.elapsed_s(), first_wait_s, is_down ? 1.0 : 0.1, self.random());
        }
    });
    return zoo.end();
}
