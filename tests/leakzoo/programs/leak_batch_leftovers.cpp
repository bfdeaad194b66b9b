// SPDX-License-Identifier: Apache-2.0
// Records are collected into batches and written every second or two; the batch is cleared. Records that were rejected are
// taken out of the batch before, into nothing.

#include <mutex>
#include <vector>

#include "zoo.hpp"

namespace {

struct record {
    std::uint64_t key;
    char values[400];
};

std::mutex guard;
std::vector<record*> batch;

ZOO_FUNCTION void collect(std::uint64_t key) {
    auto* const collected = new record{key, {}};
    zoo::use(collected->values);
    const std::lock_guard<std::mutex> lock(guard);
    batch.push_back(collected);
}

ZOO_FUNCTION void write_batch(zoo::rng& random, double share_rejected, zoo::truth& rejected) {
    const std::lock_guard<std::mutex> lock(guard);
    for (record* each : batch) {
        if (random.chance(share_rejected)) {
            rejected.lost(sizeof(record));
        } else {
            delete each;
        }
    }
    batch.clear();
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& rejected = zoo.leaks("collect", "sawtooth");
    const double share_rejected = zoo.random().between(0.05, 0.3);
    const double period_s = zoo.seconds() * zoo.random().between(0.03, 0.08);
    zoo.on_threads([&](zoo::worker& self) {
        double due_s = period_s;
        for (std::uint64_t key = 0; self.tick(std::chrono::milliseconds(2) * zoo.threads()); ++key) {
            collect(key);
            if (self.index() != 0 || self.elapsed_s() < due_s) { continue; }
            write_batch(self.random(), share_rejected, rejected);
            due_s += period_s;
        }
    });
    return zoo.end();
}
