// SPDX-License-Identifier: Apache-2.0
// Linked: each worker leases a few database handles when it starts and keeps them for good, as a service does with its
// connections; its queries borrow others from the same pool, through the same function, for a moment.

#include <memwatch/memwatch.hpp>

#include <array>
#include <vector>

#include "zoo.hpp"

namespace {

struct database_handle {
    std::array<char, 2000> state{};
};

using handle_pool = memwatch::object_pool<database_handle>;

handle_pool& handles() {
    static auto* const pool = new handle_pool("zoo/database-handles", {.capacity = 1024});
    return *pool;
}

ZOO_FUNCTION handle_pool::handle borrow_handle() { return handles().acquire(); }

ZOO_FUNCTION std::size_t query(std::size_t rows) {
    const handle_pool::handle used = borrow_handle();
    std::vector<std::uint64_t> result(rows, rows);
    zoo::use(used.get());
    zoo::use(result.data());
    return result.size();
}

}  // namespace

int main(int argc, char** argv) {
    auto session = memwatch::session::start({});
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("borrow_handle", "pool_leases").also("zoo/database-handles");
    zoo.is_clean("query", "churn");
    const auto leases = zoo.random().between(5U, 40U);
    static std::vector<std::vector<handle_pool::handle>> kept(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        for (unsigned i = 0; i < leases; ++i) { kept[self.index()].push_back(borrow_handle()); }
        std::uint64_t number = 0;
        while (self.tick(std::chrono::milliseconds(4))) {
            const memwatch::trace_scope scope{"query-" + std::to_string(++number), "/query"};
            query(self.random().between(10U, 1000U));
        }
    });
    return zoo.end();
}
