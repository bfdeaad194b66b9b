// SPDX-License-Identifier: Apache-2.0
// A session and its channels point to each other with shared pointers: cycles, all of which are cut by hand when the session is
// closed. Sessions last for an exponential while.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

struct session;

struct channel {
    std::shared_ptr<session> owner;
    std::string queue;
};

struct session {
    std::vector<std::shared_ptr<channel>> channels;
};

class broker {
public:
    ZOO_FUNCTION void open_session(double closes_s, unsigned channels, std::size_t queue_bytes) {
        auto opened = std::make_shared<session>();
        for (unsigned i = 0; i < channels; ++i) {
            opened->channels.push_back(std::make_shared<channel>());
            opened->channels.back()->owner = opened;
            opened->channels.back()->queue.assign(queue_bytes, 'q');
        }
        by_end_.emplace(closes_s, std::move(opened));
    }
    void close_until(double now_s) {
        for (; !by_end_.empty() && by_end_.begin()->first <= now_s; by_end_.erase(by_end_.begin())) {
            for (const auto& one : by_end_.begin()->second->channels) { one->owner.reset(); }
        }
    }

private:
    std::multimap<double, std::shared_ptr<session>> by_end_;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("broker::open_session", "cycles_cut");
    const double sessions = zoo.random().between(0.5, 2.0) / zoo.threads();  // a beat of 4 ms and thread
    const double mean_s = zoo.seconds() / zoo.random().between(10.0, 60.0);
    static std::vector<broker> brokers(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(4))) {
            for (double left = sessions; self.random().chance(left); --left) {
                const double stay_s = std::min(4 * mean_s, self.random().exponential(mean_s));
                brokers[self.index()].open_session(self.elapsed_s() + stay_s, self.random().between(1U, 6U),
                                                   self.random().between(50U, 1200U));
            }
            brokers[self.index()].close_until(self.elapsed_s());
        }
    });
    return zoo.end();
}
