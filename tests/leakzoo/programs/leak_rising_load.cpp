// SPDX-License-Identifier: Apache-2.0
// Load rises to six times of what it was at the start. Each request leaves its measurements in a list for a report that was
// switched off.

#include <list>
#include <mutex>
#include <string>

#include "zoo.hpp"

namespace {

std::mutex guard;
std::list<std::string> measured;

ZOO_FUNCTION void measure(std::size_t bytes) {
    std::string text(bytes, 'm');
    const std::lock_guard<std::mutex> lock(guard);
    measured.push_back(std::move(text));
}

ZOO_FUNCTION void serve(std::size_t bytes) {
    const std::string answer(bytes, 'a');
    zoo::use(answer.data());
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& kept = zoo.leaks("measure", "rising_load");
    zoo.is_clean("serve", "churn");
    const std::size_t bytes = zoo.random().between(200U, 800U);
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(3) * zoo.threads())) {
            if (!self.random().chance((1 + 5 * self.progress()) / 6)) { continue; }
            serve(self.random().between(bytes, 4 * bytes));
            measure(bytes);
            kept.lost(bytes);
        }
    });
    return zoo.end();
}
