// SPDX-License-Identifier: Apache-2.0
// An interface in C takes ownership of what it accepts. The caller releases its unique_ptr before it asks, also when the answer
// is no.

#include <memory>

#include "zoo.hpp"

namespace {

struct request {
    char header[360];
};

// The library: 48 requests at once, done in order.
struct library {
    request* accepted[48];
    std::size_t first = 0;
    std::size_t count = 0;
};

bool library_submit(library* to, request* submitted) {
    if (to->count == 48) { return false; }
    to->accepted[(to->first + to->count++) % 48] = submitted;
    return true;
}

void library_finish(library* of) {
    for (; of->count > 0; --of->count) { delete of->accepted[of->first++ % 48]; }
}

ZOO_FUNCTION std::unique_ptr<request> build_request() {
    auto built = std::make_unique<request>();
    zoo::fill(built->header, sizeof built->header, 'h');
    return built;
}

ZOO_FUNCTION bool submit(library& to) { return library_submit(&to, build_request().release()); }

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& refused = zoo.leaks("build_request", "refused_ownership");
    const std::uint64_t most = zoo.random().between(70U, 110U);
    zoo.on_threads([&](zoo::worker& self) {
        library queue;
        while (self.tick(std::chrono::milliseconds(40) * zoo.threads())) {
            for (std::uint64_t i = self.random().below(most); i > 0; --i) {
                if (!submit(queue)) { refused.lost(sizeof(request)); }
            }
            library_finish(&queue);
        }
    });
    return zoo.end();
}
