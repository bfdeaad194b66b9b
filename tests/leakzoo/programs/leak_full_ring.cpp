// SPDX-License-Identifier: Apache-2.0
// Samples go to a writer thread through a small ring. When the ring is full the push fails, and nobody frees what was pushed.

#include <array>
#include <atomic>
#include <mutex>
#include <thread>

#include "zoo.hpp"

namespace {

std::mutex guard;
std::array<char*, 32> ring{};
std::size_t head = 0;
std::size_t tail = 0;

ZOO_FUNCTION char* take_sample(std::size_t bytes) {
    char* const taken = static_cast<char*>(std::malloc(bytes));
    zoo::fill(taken, bytes);
    return taken;
}

ZOO_FUNCTION bool push(char* sample) {
    const std::lock_guard<std::mutex> lock(guard);
    if (head - tail == ring.size()) { return false; }
    ring[head++ % ring.size()] = sample;
    return true;
}

ZOO_FUNCTION void write_out() {
    const std::lock_guard<std::mutex> lock(guard);
    while (tail != head) { std::free(ring[tail++ % ring.size()]); }
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& unpushed = zoo.leaks("take_sample", "cross_thread_loss");
    const std::size_t bytes = zoo.random().between(300U, 2000U);
    const std::uint64_t burst = zoo.random().between(36U, 48U);
    std::thread writer([&] {
        while (zoo.is_running()) {
            std::this_thread::sleep_for(std::chrono::milliseconds(4));
            write_out();
        }
    });
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(150) * zoo.threads())) {
            for (std::uint64_t i = 0; i < burst; ++i) {
                if (!push(take_sample(bytes))) { unpushed.lost(bytes); }
            }
        }
    });
    writer.join();
    return zoo.end();
}
