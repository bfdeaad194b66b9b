// SPDX-License-Identifier: Apache-2.0
// A debug feature keeps copies of what it saw. Towards the end of the run somebody switches it off: nothing is added any more,
// and nothing is given back.

#include <mutex>
#include <vector>

#include "zoo.hpp"

namespace {

std::mutex guard;
std::vector<std::vector<char>> captured;

ZOO_FUNCTION void capture_packet(const std::vector<char>& packet) {
    std::vector<char> copied(packet);
    const std::lock_guard<std::mutex> lock(guard);
    captured.push_back(std::move(copied));
}

ZOO_FUNCTION std::vector<char> receive_packet(std::size_t bytes) { return std::vector<char>(bytes, 'p'); }

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& kept = zoo.leaks("capture_packet", "stops");
    zoo.is_clean("receive_packet", "churn");
    const double off_at = zoo.random().between(0.75, 0.9);
    const std::size_t mtu = zoo.random().between(500U, 1500U);
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(3) * zoo.threads())) {
            const std::vector<char> packet = receive_packet(self.random().between(mtu / 2, mtu));
            if (self.progress() > off_at || self.random().chance(0.5)) { continue; }
            capture_packet(packet);
            kept.lost(packet.size());
        }
    });
    return zoo.end();
}
