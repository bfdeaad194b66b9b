// SPDX-License-Identifier: Apache-2.0
// Linked: each request has a trace and builds its answer under a tag; answers are handed over and freed two beats later.

#include <memwatch/memwatch.hpp>

#include <deque>
#include <vector>

#include "zoo.hpp"

namespace {

using answer = std::vector<char, memwatch::tracked_allocator<char>>;

memwatch::tag answers_tag{"zoo/answers"};

ZOO_FUNCTION answer build_answer(std::size_t bytes) {
    answer built(bytes, 'a', memwatch::tracked_allocator<char>{answers_tag});
    zoo::use(built.data());
    return built;
}

ZOO_FUNCTION void hand_over(std::deque<answer>& outgoing, answer built) {
    outgoing.push_back(std::move(built));
    if (outgoing.size() > 2) { outgoing.pop_front(); }
}

}  // namespace

int main(int argc, char** argv) {
    auto session = memwatch::session::start({});
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("build_answer", "delayed_hand_off");
    zoo.is_clean("hand_over", "queue");
    zoo.on_threads([&](zoo::worker& self) {
        std::deque<answer> outgoing;
        for (std::uint64_t request = 1; self.tick(); ++request) {
            char traceparent[56];
            std::snprintf(traceparent, sizeof traceparent, "00-%030llx%02x-%016llx-01",
                          static_cast<unsigned long long>(request), static_cast<unsigned>(self.index() & 0xff),
                          static_cast<unsigned long long>(request));
            const memwatch::trace_scope scope{traceparent, "/answers"};
            hand_over(outgoing, build_answer(self.random().between(100U, 5000U)));
        }
    });
    return zoo.end();
}
