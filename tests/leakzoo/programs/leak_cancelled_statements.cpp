// SPDX-License-Identifier: Apache-2.0
// Linked: prepared statements come from a bounded pool. A query that is cancelled while it waits for the lock does not give its
// statement back.

#include <memwatch/memwatch.hpp>

#include "zoo.hpp"

namespace {

struct statement {
    explicit statement(std::uint64_t its_number) : number(its_number) {}
    std::uint64_t number;
    char plan[248]{};
};

memwatch::object_pool<statement>& statements() {
    static auto* pool = new memwatch::object_pool<statement>("statements", {.capacity = 16384});
    return *pool;
}

ZOO_FUNCTION statement* prepare(std::uint64_t number) {
    statement* const prepared = statements().acquire_raw(number);
    zoo::use(prepared);
    return prepared;
}

ZOO_FUNCTION bool execute(statement* prepared, bool is_cancelled) {
    if (is_cancelled) { return false; }
    statements().release(prepared);
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    auto session = memwatch::session::start({});
    zoo::scenario zoo(argc, argv);
    zoo::truth& cancelled = zoo.leaks("prepare", "pool_not_returned").also("statements");
    const double share_cancelled = zoo.random().between(0.1, 0.3);
    zoo.on_threads([&](zoo::worker& self) {
        for (std::uint64_t number = 0; self.tick(std::chrono::milliseconds(2) * zoo.threads()); ++number) {
            statement* const prepared = prepare(number);
            if (prepared != nullptr && !execute(prepared, self.random().chance(share_cancelled))) {
                cancelled.lost(sizeof(statement));
            }
        }
    });
    return zoo.end();
}
