// SPDX-License-Identifier: Apache-2.0
// Every few seconds all peers reconnect. Each reconnect allocates receive buffers and overwrites the pointer to the old ones.

#include <array>

#include "zoo.hpp"

namespace {

struct peer {
    char* receive_buffer = nullptr;
};

std::array<peer, 20> peers;

ZOO_FUNCTION void connect_peer(peer& connected, std::size_t bytes) {
    connected.receive_buffer = static_cast<char*>(std::malloc(bytes));
    zoo::fill(connected.receive_buffer, bytes);
}

ZOO_FUNCTION void receive(const peer& from, std::size_t bytes) {
    char* const copied = static_cast<char*>(std::malloc(bytes));
    std::memcpy(copied, from.receive_buffer, bytes);
    zoo::use(copied);
    std::free(copied);
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& overwritten = zoo.leaks("connect_peer", "bursts");
    zoo.is_clean("receive", "churn");
    const std::size_t bytes = zoo.random().between(2U, 8U) << 10U;
    const double storm_every_s = zoo.random().between(1.0, 2.5);
    for (peer& each : peers) { connect_peer(each, bytes); }
    double storm_at_s = storm_every_s * zoo.random().unit();
    while (zoo.tick(std::chrono::milliseconds(2))) {
        receive(peers[zoo.random().below(peers.size())], bytes / 2);
        if (zoo.elapsed_s() < storm_at_s) { continue; }
        storm_at_s += storm_every_s;
        for (peer& each : peers) {
            connect_peer(each, bytes);
            overwritten.lost(bytes);
        }
    }
    return zoo.end();
}
