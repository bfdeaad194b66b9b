// SPDX-License-Identifier: Apache-2.0
// Each worker thread has an arena of chunks, listed centrally so that it can be inspected. Workers are replaced after a few
// tasks; their arenas stay on the list.

#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "zoo.hpp"

namespace {

struct arena {
    std::vector<std::unique_ptr<char[]>> chunks;
};

std::mutex guard;
std::vector<std::unique_ptr<arena>> arenas;

ZOO_FUNCTION arena* register_arena() {
    const std::lock_guard<std::mutex> lock(guard);
    arenas.push_back(std::make_unique<arena>());
    return arenas.back().get();
}

ZOO_FUNCTION void add_chunk(arena& to, std::size_t bytes) {
    to.chunks.push_back(std::make_unique<char[]>(bytes));
    zoo::fill(to.chunks.back().get(), bytes);
}

ZOO_FUNCTION void run_worker(std::size_t chunk_bytes, int tasks) {
    arena* const mine = register_arena();
    for (int task = 0; task < tasks; ++task) { add_chunk(*mine, chunk_bytes); }
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& chunks = zoo.leaks("add_chunk", "thread_churn_arenas");
    zoo::truth& lists = zoo.leaks("register_arena", "thread_churn_arenas");
    const std::size_t chunk_bytes = zoo.random().between(1000U, 4000U);
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(50) * zoo.threads())) {
            const int tasks = self.random().between(1, 5);
            std::thread(run_worker, chunk_bytes, tasks).join();
            lists.lost(sizeof(arena));
            for (int task = 0; task < tasks; ++task) { chunks.lost(chunk_bytes); }
        }
    });
    return zoo.end();
}
