// SPDX-License-Identifier: Apache-2.0
// Nothing is wrong for the first part of the run. Then the configuration is read again, with tracing switched on, and each
// request leaves its trace behind.

#include <string>

#include "zoo.hpp"

namespace {

struct configuration {
    bool is_tracing;
};

ZOO_FUNCTION char* start_trace(std::size_t bytes) {
    char* const started = new char[bytes];
    zoo::fill(started, bytes, 't');
    return started;
}

ZOO_FUNCTION void serve(zoo::rng& random, const configuration& now, zoo::truth& kept) {
    const std::size_t bytes = random.between(200U, 1000U);
    char* const trace = start_trace(bytes);
    const std::string answer(random.between(100U, 3000U), 'a');
    zoo::use(answer.data());
    if (now.is_tracing) {
        kept.lost(bytes);
        return;
    }
    delete[] trace;
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& kept = zoo.leaks("start_trace", "late_start");
    zoo.is_clean("serve", "churn");
    const double reload_at = zoo.random().between(0.3, 0.45);
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(2) * zoo.threads())) {
            serve(self.random(), configuration{self.progress() > reload_at}, kept);
        }
    });
    return zoo.end();
}
