// SPDX-License-Identifier: Apache-2.0
// Requests are noted while they run; the early return of every fourth forgets to cross them out. The rule: erase_skipped.
#include <unordered_map>

#include "two_dumps.hpp"

namespace shop {

struct request {
    char body[496];
};

std::unordered_map<long, request>& running() {
    static std::unordered_map<long, request> all;
    return all;
}

[[gnu::noinline]] void begin_request(long id) { running().emplace(id, request{}); }

bool serve(long id) {
    const memwatch::trace_scope scope{memwatch::trace_id{7, static_cast<std::uint64_t>(id)}, "/api/v2/orders"};
    begin_request(id);
    if (id % 4 == 0) { return false; }  // the bug
    running().erase(id);
    return true;
}

}  // namespace shop

int main(int count, char** arguments) {
    long next = 0;
    return leaks::run(count, arguments, 4000, [&](int) { shop::serve(++next); });
}
