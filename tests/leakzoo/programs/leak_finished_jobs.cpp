// SPDX-License-Identifier: Apache-2.0
// A scheduler moves jobs that are done to a second list, once wanted for a status page that nobody kept.

#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "zoo.hpp"

namespace {

struct job {
    std::uint64_t number{};
    std::string output;
};

std::mutex guard;
std::list<std::unique_ptr<job>> running;
std::list<std::unique_ptr<job>> finished;

ZOO_FUNCTION void start_job(std::uint64_t number, std::size_t output_bytes) {
    auto started = std::make_unique<job>();
    started->number = number;
    started->output.assign(output_bytes, 'o');
    const std::lock_guard<std::mutex> lock(guard);
    running.push_back(std::move(started));
}

ZOO_FUNCTION std::size_t finish_oldest(std::size_t queue_length) {
    const std::lock_guard<std::mutex> lock(guard);
    if (running.size() <= queue_length) { return 0; }
    const std::size_t bytes = running.front()->output.capacity() + sizeof(job) + 24;
    finished.splice(finished.end(), running, running.begin());
    return bytes;
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& kept = zoo.leaks("start_job", "graveyard");
    const std::size_t queue_length = zoo.random().between(10U, 60U);
    const double mean_bytes = zoo.random().between(200.0, 1000.0);
    zoo.on_threads([&](zoo::worker& self) {
        for (std::uint64_t number = 0; self.tick(std::chrono::milliseconds(8) * zoo.threads()); ++number) {
            start_job(number, 32 + static_cast<std::size_t>(self.random().exponential(mean_bytes)));
            const std::size_t bytes = finish_oldest(queue_length);
            if (bytes != 0) { kept.lost(bytes); }
        }
    });
    return zoo.end();
}
