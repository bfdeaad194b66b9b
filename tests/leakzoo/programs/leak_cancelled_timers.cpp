// SPDX-License-Identifier: Apache-2.0
// Each request sets a timer an hour away and cancels it when the answer is there. Cancelling only marks: the entry and what its
// callback captured wait in the heap for their hour.

#include <functional>
#include <memory>
#include <queue>
#include <vector>

#include "zoo.hpp"

namespace {

struct timer {
    double due_s;
    std::shared_ptr<bool> is_cancelled;
    std::function<void()> fire;
};
struct later {
    bool operator()(const timer& a, const timer& b) const { return a.due_s > b.due_s; }
};

std::priority_queue<timer, std::vector<timer>, later> timers;

ZOO_FUNCTION std::shared_ptr<bool> give_up_at(double due_s, std::vector<char> request) {
    auto is_cancelled = std::make_shared<bool>(false);
    timers.push(timer{due_s, is_cancelled, [held = std::move(request)] { zoo::use(held.data()); }});
    return is_cancelled;
}

ZOO_FUNCTION std::vector<char> receive(std::size_t bytes) { return std::vector<char>(bytes, 'q'); }

ZOO_FUNCTION void fire_due(double now_s) {
    while (!timers.empty() && timers.top().due_s <= now_s) {
        if (!*timers.top().is_cancelled) { timers.top().fire(); }
        timers.pop();
    }
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& bodies = zoo.leaks("receive", "cancelled_timers");
    zoo::truth& entries = zoo.leaks("give_up_at", "cancelled_timers");
    const std::size_t mean_bytes = zoo.random().between(100U, 500U);
    while (zoo.tick(std::chrono::milliseconds(2))) {
        const std::size_t bytes = zoo.random().between(mean_bytes / 2, mean_bytes * 2);
        const auto is_cancelled = give_up_at(zoo.elapsed_s() + 3600, receive(bytes));
        *is_cancelled = true;
        bodies.lost(bytes);
        entries.lost(24);
        fire_due(zoo.elapsed_s());
    }
    return zoo.end();
}
