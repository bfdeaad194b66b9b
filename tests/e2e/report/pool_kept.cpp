// SPDX-License-Identifier: Apache-2.0
// Connections are taken from a pool, and an error path does not give them back. The rule: pool_not_returned.
#include "two_dumps.hpp"

namespace db {

struct connection {
    char buffers[1024];
};

memwatch::object_pool<connection>& connections() {
    static memwatch::object_pool<connection> pool{"connections", {4096}};
    return pool;
}

[[gnu::noinline]] void query(long id) {
    connection* const taken = connections().acquire_raw();
    if (taken == nullptr || id % 4 == 0) { return; }  // the bug
    connections().release(taken);
}

}  // namespace db

int main(int count, char** arguments) {
    long next = 0;
    return leaks::run(count, arguments, 2000, [&](int) { db::query(++next); });
}
