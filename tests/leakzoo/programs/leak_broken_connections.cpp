// SPDX-License-Identifier: Apache-2.0
// Linked: a connection pool of the program's own, registered with memwatch. Idle connections are used again; those that broke
// are counted as busy for ever, and new ones are opened in their place.

#include <memwatch/memwatch.hpp>

#include <mutex>
#include <vector>

#include "zoo.hpp"

namespace {

struct connection {
    char buffer[2000];
};

class connection_pool {
public:
    ZOO_FUNCTION connection* open_connection() {
        const std::lock_guard<std::mutex> lock(guard_);
        ++busy_;
        if (!idle_.empty()) {
            connection* const reused = idle_.back();
            idle_.pop_back();
            return reused;
        }
        ++opened_;
        auto* const opened = new connection;
        zoo::fill(opened->buffer, sizeof opened->buffer);
        return opened;
    }
    ZOO_FUNCTION void put_back(connection* idle) {
        const std::lock_guard<std::mutex> lock(guard_);
        --busy_;
        idle_.push_back(idle);
    }
    memwatch::pool_stats stats() {
        const std::lock_guard<std::mutex> lock(guard_);
        memwatch::pool_stats now;
        now.capacity = opened_;
        now.in_use = busy_;
        now.object_bytes = sizeof(connection);
        return now;
    }

private:
    std::mutex guard_;
    std::vector<connection*> idle_;
    std::uint64_t busy_ = 0;
    std::uint64_t opened_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    auto session = memwatch::session::start({});
    zoo::scenario zoo(argc, argv);
    zoo::truth& broken = zoo.leaks("connection_pool::open_connection", "pool_not_returned").also("connection-pool");
    static auto* const pool = new connection_pool;
    const auto shown = memwatch::register_pool("connection-pool", [] { return pool->stats(); });
    const double share_broken = zoo.random().between(0.03, 0.2);
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(3) * zoo.threads())) {
            connection* const used = pool->open_connection();
            zoo::use(used);
            if (self.random().chance(share_broken)) {
                broken.lost(sizeof(connection));
            } else {
                pool->put_back(used);
            }
        }
    });
    return zoo.end();
}
