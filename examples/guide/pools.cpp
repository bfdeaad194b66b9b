// SPDX-License-Identifier: Apache-2.0
// What docs/pools.md shows: a bounded pool that can be waited for, a pool of the user's own, pools over tags and over pools.
#include <memwatch/memwatch.hpp>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <memory_resource>
#include <vector>

using namespace std::chrono_literals;

namespace {

struct order {
    explicit order(int number) : id(number) {}
    int id;
    char name[60]{};
};

struct connections {
    std::size_t busy = 3;
};

int bounded() {
    // [pool]
    memwatch::object_pool<order> pool{"orders", {.capacity = 1024}};

    auto one = pool.acquire(1);                // constructs; the handle gives it back. Empty: all 1024 are out
    auto patient = pool.acquire_for(50ms, 2);  // waits for a release, up to 50 ms
    order* raw = pool.acquire_raw(3);          // without a handle
    pool.release(raw);

    memwatch::object_pool<order> growing{"spare-orders", {.capacity = 64, .can_grow = true}};  // doubles instead of failing
    // [/pool]
    return one && patient && pool.totals().high_water == 3 && growing.totals().capacity == 64 ? 0 : 1;
}

int registered() {
    const connections conns;
    const memwatch::tag cache{"conn-buffers"};
    // [register]
    auto shown = memwatch::register_pool(
        "conn", [&] { return memwatch::pool_stats{.capacity = 64, .in_use = conns.busy, .object_bytes = 16384}; },
        {.upstream = cache});  // its storage is counted under this tag already; a pool can be named as well
    // [/register]
    return 0;
}

int stacked(const memwatch::session& session) {
    // [upstream]
    const memwatch::tag storage{"order-storage"};
    std::pmr::vector<char> index(1 << 20, 0, memwatch::resource(storage));  // 1 MiB under the tag, exactly

    struct page {
        alignas(64) std::byte bytes[65536];
    };
    memwatch::object_pool<page> pages{"pages", {.capacity = 4, .upstream = memwatch::resource(storage)}};
    memwatch::pool_resource from_pages{pages};
    memwatch::object_pool<order> orders{"paged-orders", {.capacity = 512, .upstream = &from_pages}};  // is one page
    // [/upstream]
    const auto held = orders.acquire(1);
    const auto seen = session.snapshot();
    return held && seen && storage.totals().live_bytes() == (1U << 20U) + 4U * 65536U ? 0 : 1;
}

}  // namespace

int main() {
    const auto session = memwatch::session::start({.service = "orders"});
    const int failed = bounded() + registered() + stacked(session);
    std::printf("%d failed\n", failed);
    return failed;
}
