// SPDX-License-Identifier: Apache-2.0
// Messages that cannot be delivered go to a queue for somebody to look at. Nobody does.

#include <deque>
#include <mutex>
#include <string>

#include "zoo.hpp"

namespace {

std::mutex guard;
std::deque<std::string> dead_letters;

ZOO_FUNCTION std::string compose(std::size_t bytes) {
    std::string letter(bytes, 'm');
    zoo::use(letter.data());
    return letter;
}

ZOO_FUNCTION void set_aside(const std::string& letter) {
    const std::lock_guard<std::mutex> lock(guard);
    dead_letters.push_back("undeliverable: " + letter);
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& unread = zoo.leaks("set_aside", "unbounded_queue");
    zoo.is_clean("compose", "churn");
    const double share_undeliverable = zoo.random().between(0.05, 0.3);
    const double mean_bytes = zoo.random().between(300.0, 1200.0);
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(2) * zoo.threads())) {
            const std::string letter = compose(64 + static_cast<std::size_t>(self.random().exponential(mean_bytes)));
            if (!self.random().chance(share_undeliverable)) { continue; }
            set_aside(letter);
            unread.lost(letter.size() + 16);
        }
    });
    return zoo.end();
}
