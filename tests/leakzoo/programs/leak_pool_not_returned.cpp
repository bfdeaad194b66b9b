// SPDX-License-Identifier: Apache-2.0
// Linked: connections come from a pool that may grow; a query that fails half way keeps its connection out for ever.

#include <memwatch/memwatch.hpp>

#include "zoo.hpp"

namespace {

struct connection {
    explicit connection(std::uint64_t its_number) : number(its_number) {}
    std::uint64_t number;
    char buffer[504]{};
};

memwatch::object_pool<connection>& connections() {
    static memwatch::pool_options options = [] {
        memwatch::pool_options wanted;
        wanted.capacity = 4096;
        wanted.can_grow = true;
        return wanted;
    }();
    static auto* pool = new memwatch::object_pool<connection>("connections", options);
    return *pool;
}

ZOO_FUNCTION void query(std::uint64_t number, bool fails, zoo::truth& kept) {
    connection* used = connections().acquire_raw(number);
    zoo::use(used);
    if (fails) {
        kept.lost(sizeof(connection));
        return;
    }
    connections().release(used);
}

}  // namespace

int main(int argc, char** argv) {
    auto session = memwatch::session::start({});
    zoo::scenario zoo(argc, argv);
    zoo::truth& kept = zoo.leaks("query", "pool_not_returned").also("connections");
    const double share_failing = zoo.random().between(0.01, 0.1);
    zoo.on_threads([&](zoo::worker& self) {
        for (std::uint64_t number = 0; self.tick(); ++number) { query(number, self.random().chance(share_failing), kept); }
    });
    return zoo.end();
}
