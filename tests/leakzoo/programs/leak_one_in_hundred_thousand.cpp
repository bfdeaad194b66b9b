// SPDX-License-Identifier: Apache-2.0
// A router that allocates nothing for a packet, but for the one in a hundred thousand that must be put together again from
// fragments: that buffer has no owner once it was forwarded.

#include "zoo.hpp"

namespace {

ZOO_FUNCTION char* reassemble(std::size_t bytes) {
    char* const whole = new char[bytes];
    zoo::fill(whole, bytes);
    return whole;
}

ZOO_FUNCTION std::uint64_t forward(zoo::rng& random, int packets, std::size_t bytes, zoo::truth& whole) {
    std::uint64_t hops = 0;
    for (int i = 0; i < packets; ++i) {
        const std::uint64_t packet = random.next();
        hops += packet >> 60U;
        if (packet % 100'000 == 0) {
            hops += static_cast<std::uint64_t>(reassemble(bytes)[0]);
            whole.lost(bytes);
        }
    }
    return hops;
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& whole = zoo.leaks("reassemble", "rare_path_1e5");
    const std::size_t bytes = zoo.random().between(8U, 64U) << 10U;
    const int packets = zoo.random().between(2000, 4000);
    zoo.on_threads([&](zoo::worker& self) {
        std::uint64_t hops = 0;
        while (self.tick(std::chrono::milliseconds(4) * zoo.threads())) {
            hops += forward(self.random(), packets, bytes, whole);
            zoo::use(&hops);
        }
    });
    return zoo.end();
}
