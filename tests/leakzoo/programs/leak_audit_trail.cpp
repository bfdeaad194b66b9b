// SPDX-License-Identifier: Apache-2.0
// Linked: each request has a trace, and leaves an entry in an audit trail that is written out "when there is time".

#include <memwatch/memwatch.hpp>

#include <mutex>
#include <vector>

#include "zoo.hpp"

namespace {

using bytes = std::vector<char, memwatch::tracked_allocator<char>>;

const memwatch::tag audit_tag{"zoo/audit"};
const memwatch::tag bodies_tag{"zoo/bodies"};
std::mutex guard;
std::vector<bytes> trail;

ZOO_FUNCTION bytes read_body(std::size_t size) { return bytes(size, 'b', memwatch::tracked_allocator<char>{bodies_tag}); }

ZOO_FUNCTION void audit(const bytes& body, std::size_t most) {
    bytes entry(body.begin(), body.begin() + static_cast<std::ptrdiff_t>(std::min(most, body.size())),
                memwatch::tracked_allocator<char>{audit_tag});
    const std::lock_guard<std::mutex> lock(guard);
    trail.push_back(std::move(entry));
}

}  // namespace

int main(int argc, char** argv) {
    auto session = memwatch::session::start({});
    zoo::scenario zoo(argc, argv);
    zoo::truth& unwritten = zoo.leaks("audit", "trace_escape");
    zoo.is_clean("read_body", "churn");
    const std::size_t most = zoo.random().between(100U, 400U);
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(3) * zoo.threads())) {
            char id[40];
            std::snprintf(id, sizeof id, "%016llx%016llx", static_cast<unsigned long long>(self.random().next()),
                          static_cast<unsigned long long>(self.random().next()));
            const memwatch::trace_scope request{id, "/api/orders"};
            const bytes body = read_body(self.random().between(most, 4 * most));
            audit(body, most);
            unwritten.lost(most);
        }
    });
    return zoo.end();
}
