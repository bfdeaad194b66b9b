// SPDX-License-Identifier: Apache-2.0
// A discrete event simulation: each event that is due schedules another one. The priority queue is in balance, though some
// events are scheduled far ahead and wait for a quarter of the run, while most pass at once.

#include <memory>
#include <queue>
#include <vector>

#include "zoo.hpp"

namespace {

struct sim_event {
    double due_s{};
    std::vector<std::uint32_t> operands;
};

struct later {
    bool operator()(const std::unique_ptr<sim_event>& a, const std::unique_ptr<sim_event>& b) const {
        return a->due_s > b->due_s;
    }
};

class simulation {
public:
    ZOO_FUNCTION void schedule(double due_s, std::size_t operands) {
        auto fresh = std::make_unique<sim_event>();
        fresh->due_s = due_s;
        fresh->operands.resize(operands);
        events_.push(std::move(fresh));
    }
    // How many were due.
    unsigned run_until(double now_s) {
        unsigned due = 0;
        for (; !events_.empty() && events_.top()->due_s <= now_s; events_.pop()) { ++due; }
        return due;
    }

private:
    std::priority_queue<std::unique_ptr<sim_event>, std::vector<std::unique_ptr<sim_event>>, later> events_;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("simulation::schedule", "priority_queue");
    const unsigned population = zoo.random().between(400U, 1500U) / static_cast<unsigned>(zoo.threads()) + 1;
    const double far_share = zoo.random().between(0.01, 0.05), near_s = zoo.seconds() / 60, far_s = zoo.seconds() / 4;
    static std::vector<simulation> worlds(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        simulation& world = worlds[self.index()];
        unsigned due = population;
        do {
            for (; due > 0; --due) {
                const double ahead_s = self.random().chance(far_share) ? far_s : self.random().exponential(near_s);
                world.schedule(self.elapsed_s() + std::min(ahead_s, far_s), self.random().between(20U, 500U));
            }
            due = world.run_until(self.elapsed_s());
        } while (self.tick(std::chrono::milliseconds(4)));
    });
    return zoo.end();
}
