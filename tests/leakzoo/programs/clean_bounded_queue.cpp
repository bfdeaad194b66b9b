// SPDX-License-Identifier: Apache-2.0
// A queue with a bound between threads that produce and one that consumes. The consumer is slower than they are for long
// stretches: then the queue is full and what comes is turned away; later it runs empty.

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "zoo.hpp"

namespace {

struct sample {
    std::vector<float> values;
};

class sample_queue {
public:
    explicit sample_queue(std::size_t most) : most_(most) {}

    ZOO_FUNCTION bool offer(std::size_t values) {
        auto fresh = std::make_unique<sample>();
        fresh->values.resize(values);
        const std::lock_guard lock(mutex_);
        if (waiting_.size() >= most_) { return false; }
        waiting_.push_back(std::move(fresh));
        return true;
    }
    void consume(std::size_t samples) {
        const std::lock_guard lock(mutex_);
        for (; samples > 0 && !waiting_.empty(); --samples) { waiting_.pop_front(); }
    }

private:
    std::size_t most_;
    std::mutex mutex_;
    std::deque<std::unique_ptr<sample>> waiting_;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("sample_queue::offer", "bounded_queue");
    const double samples = zoo.random().between(3.0, 8.0);  // a beat of 4 ms
    const double cycle_s = zoo.seconds() / zoo.random().between(2.5, 6.0);
    // What a fifth to a third of a cycle brings too much fills the queue.
    static sample_queue queue(static_cast<std::size_t>(0.5 * samples * 250 * cycle_s * zoo.random().between(0.2, 0.33)) + 1);
    std::atomic<bool> is_open{true};
    std::thread consumer([&] {
        for (; is_open; std::this_thread::sleep_for(std::chrono::milliseconds(4))) {
            const bool is_slow = std::fmod(zoo.elapsed_s(), cycle_s) < 0.5 * cycle_s;
            queue.consume(static_cast<std::size_t>(std::lround(is_slow ? 0.5 * samples : 2.2 * samples)));
        }
    });
    zoo.on_threads([&](zoo::worker& self) {
        double made = 0;  // by the clock, so that a machine that is busy changes nothing
        while (self.tick(std::chrono::milliseconds(4))) {
            for (; made < (samples / zoo.threads()) * 250 * self.elapsed_s(); ++made) {
                queue.offer(self.random().between(50U, 1000U));
            }
        }
    });
    is_open = false;
    consumer.join();
    return zoo.end();
}
