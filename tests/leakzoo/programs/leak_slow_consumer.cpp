// SPDX-License-Identifier: Apache-2.0
// Producers are faster than the one consumer, and the queue between them has no bound: each message waits longer than the one
// before.

#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "zoo.hpp"

namespace {

using message = std::vector<char>;

std::mutex guard;
std::deque<message> queue;

ZOO_FUNCTION void produce(std::size_t bytes) {
    message produced(bytes, 'p');
    const std::lock_guard<std::mutex> lock(guard);
    queue.push_back(std::move(produced));
}

ZOO_FUNCTION std::size_t consume() {
    message consumed;
    {
        const std::lock_guard<std::mutex> lock(guard);
        if (queue.empty()) { return 0; }
        consumed = std::move(queue.front());
        queue.pop_front();
    }
    return consumed.size();
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& waiting = zoo.leaks("produce", "unbounded_queue");
    const double share_consumed = zoo.random().between(0.3, 0.75);
    const std::size_t bytes = zoo.random().between(300U, 1500U);
    std::atomic<std::int64_t> affordable{0};
    std::thread consumer([&] {
        while (zoo.is_running()) {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
            for (std::int64_t left = affordable.exchange(0); left > 0; --left) { consume(); }
        }
    });
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(2) * zoo.threads())) {
            produce(bytes);
            if (self.random().chance(share_consumed)) {
                affordable.fetch_add(1);
            } else {
                waiting.lost(bytes);
            }
        }
    });
    consumer.join();
    return zoo.end();
}
