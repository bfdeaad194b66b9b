// SPDX-License-Identifier: Apache-2.0
// Work is taken from the end it was put at, newest first. A little more comes than is done, so what is old starves for ever.

#include <mutex>
#include <vector>

#include "zoo.hpp"

namespace {

struct ticket {
    char* body;
    std::size_t bytes;
};

std::mutex guard;
std::vector<ticket> pile;

ZOO_FUNCTION void file_ticket(std::size_t bytes) {
    const ticket filed{static_cast<char*>(std::malloc(bytes)), bytes};
    zoo::fill(filed.body, bytes);
    const std::lock_guard<std::mutex> lock(guard);
    pile.push_back(filed);
}

ZOO_FUNCTION void work_on_newest() {
    const std::lock_guard<std::mutex> lock(guard);
    if (pile.empty()) { return; }
    std::free(pile.back().body);
    pile.pop_back();
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& starved = zoo.leaks("file_ticket", "starvation");
    const double share_done = zoo.random().between(0.6, 0.85);
    const std::size_t bytes = zoo.random().between(400U, 2000U);
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(2) * zoo.threads())) {
            file_ticket(bytes);
            if (self.random().chance(share_done)) {
                work_on_newest();
            } else {
                starved.lost(bytes);
            }
        }
    });
    return zoo.end();
}
