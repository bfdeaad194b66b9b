// SPDX-License-Identifier: Apache-2.0
// Linked: the state of each request is found by its trace. The end of a request erases it, the end of a request that was
// redirected does not.

#include <memwatch/memwatch.hpp>

#include <mutex>
#include <unordered_map>

#include "zoo.hpp"

namespace {

struct request_state {
    char headers[500];
};

using entry = std::pair<const std::uint64_t, request_state>;
using state_map = std::unordered_map<std::uint64_t, request_state, std::hash<std::uint64_t>, std::equal_to<>,
                                     memwatch::tracked_allocator<entry>>;

std::mutex guard;
state_map& states() {
    static auto* all = new state_map(memwatch::tracked_allocator<entry>{memwatch::tag{"zoo/requests"}});
    return *all;
}

ZOO_FUNCTION void begin_request(std::uint64_t id) {
    const std::lock_guard<std::mutex> lock(guard);
    zoo::fill(states()[id].headers, sizeof(request_state), 'h');
}

ZOO_FUNCTION void end_request(std::uint64_t id) {
    const std::lock_guard<std::mutex> lock(guard);
    states().erase(id);
}

}  // namespace

int main(int argc, char** argv) {
    auto session = memwatch::session::start({});
    zoo::scenario zoo(argc, argv);
    zoo::truth& redirected = zoo.leaks("begin_request", "trace_escape");
    const double share_redirected = zoo.random().between(0.05, 0.25);
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(2) * zoo.threads())) {
            const std::uint64_t id = self.random().next();
            const memwatch::trace_scope request{memwatch::trace_id{id, id}, "/login"};
            begin_request(id);
            if (self.random().chance(share_redirected)) {
                redirected.lost(sizeof(request_state) + 24);
            } else {
                end_request(id);
            }
        }
    });
    return zoo.end();
}
