// SPDX-License-Identifier: Apache-2.0
// Requests wait in a table for their reply, which another thread hands over. A request that times out is sent again under a new
// number, and the old entry waits on.

#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "zoo.hpp"

namespace {

using body = std::vector<unsigned char>;

std::mutex guard;
std::map<std::uint64_t, body> pending;
std::uint64_t last_number = 0;

ZOO_FUNCTION void send_request(std::size_t bytes) {
    body sent(bytes, 0x51);
    const std::lock_guard<std::mutex> lock(guard);
    pending.emplace(++last_number, std::move(sent));
}

ZOO_FUNCTION void receive_replies(zoo::rng& random, double share_timed_out, zoo::truth& waiting, std::uint64_t& answered) {
    const std::lock_guard<std::mutex> lock(guard);
    for (; answered < last_number; ++answered) {
        const auto entry = pending.find(answered + 1);
        if (random.chance(share_timed_out)) {
            waiting.lost(entry->second.size() + 64);
        } else {
            pending.erase(entry);
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& waiting = zoo.leaks("send_request", "unique_ids");
    const double share_timed_out = zoo.random().between(0.03, 0.15);
    const std::size_t bytes = zoo.random().between(500U, 2500U);
    std::thread network([&] {
        std::uint64_t answered = 0;
        zoo::rng random(zoo.seed() + 17);
        while (zoo.is_running()) {
            std::this_thread::sleep_for(std::chrono::milliseconds(6));
            receive_replies(random, share_timed_out, waiting, answered);
        }
    });
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(2) * zoo.threads())) { send_request(bytes); }
    });
    network.join();
    return zoo.end();
}
