// SPDX-License-Identifier: Apache-2.0
// The stages of a pipeline know the next one, and the last one knows the first, to report back. No pipeline is ever taken down.

#include <memory>
#include <vector>

#include "zoo.hpp"

namespace {

struct stage {
    std::shared_ptr<stage> next;
    std::vector<char> window;
};

ZOO_FUNCTION std::shared_ptr<stage> build_pipeline(std::size_t window_bytes) {
    const auto first = std::make_shared<stage>();
    auto last = first;
    for (int i = 1; i < 5; ++i) {
        last->next = std::make_shared<stage>();
        last = last->next;
        last->window.assign(window_bytes, 'w');
    }
    last->next = first;
    return first;
}

ZOO_FUNCTION std::size_t run_pipeline(const stage* first) {
    std::size_t bytes = 0;
    for (const stage* at = first->next.get(); at != first; at = at->next.get()) { bytes += at->window.size(); }
    const std::vector<char> result(bytes, 'r');
    zoo::use(result.data());
    return result.size();
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& standing = zoo.leaks("build_pipeline", "cycle_5");
    zoo.is_clean("run_pipeline", "churn");
    const std::size_t window_bytes = zoo.random().between(100U, 700U);
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(10) * zoo.threads())) {
            const auto pipeline = build_pipeline(window_bytes);
            for (int i = 0; i < 5; ++i) { run_pipeline(pipeline.get()); }
            standing.lost(5 * (sizeof(stage) + 16), 5);
            standing.lost(4 * window_bytes, 4);
        }
    });
    return zoo.end();
}
