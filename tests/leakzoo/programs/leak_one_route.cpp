// SPDX-License-Identifier: Apache-2.0
// Linked: five routes go through the same code. Under one of them, and only for clients that ask for gzip, the answer's buffer
// is handed to a compressor that does not own it.

#include <memwatch/memwatch.hpp>

#include <array>
#include <string>

#include "zoo.hpp"

namespace {

ZOO_FUNCTION char* answer_buffer(std::size_t bytes) {
    auto* const buffer = static_cast<char*>(std::malloc(bytes));
    zoo::fill(buffer, bytes, 'a');
    return buffer;
}

ZOO_FUNCTION bool answer(std::size_t route, std::size_t bytes, bool wants_gzip) {
    char* const buffer = answer_buffer(bytes);
    const bool is_handed_over = route == 3 && wants_gzip;
    if (!is_handed_over) { std::free(buffer); }
    return is_handed_over;
}

ZOO_FUNCTION void log_access(const char* route, std::uint64_t id) {
    const std::string line = std::string("GET ") + route + " -> 200, request " + std::to_string(id);
    zoo::use(line.data());
}

}  // namespace

int main(int argc, char** argv) {
    auto session = memwatch::session::start({});
    zoo::scenario zoo(argc, argv);
    zoo::truth& handed_over = zoo.leaks("answer_buffer", "one_route");
    zoo.is_clean("log_access", "churn");
    static constexpr std::array<const char*, 5> routes{"/", "/orders", "/orders/items", "/customers/export", "/health"};
    const double share_gzip = zoo.random().between(0.2, 0.9);
    const std::size_t bytes = zoo.random().between(600U, 3000U);
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(2) * zoo.threads())) {
            const std::size_t route = self.random().below(routes.size());
            const std::uint64_t id = self.random().next();
            const memwatch::trace_scope request{memwatch::trace_id{id, id}, routes[route]};
            if (answer(route, bytes, self.random().chance(share_gzip))) { handed_over.lost(bytes); }
            log_access(routes[route], id);
        }
    });
    return zoo.end();
}
