// SPDX-License-Identifier: Apache-2.0
#pragma once
// The snapshot drawn in model/snapshot.hpp, with one of everything: what FORMAT.md's example and the golden dumps hold. It
// never changes: tests/golden must decode to it for ever.

#include <memwatch/model/snapshot.hpp>

namespace memwatch_test {

inline memwatch::snapshot example_snapshot() {
    using namespace memwatch;
    snapshot s;
    s.info = {"before",
              "orders",
              "host-1",
              "/usr/bin/orders",
              "0.1.0",
              "0123456789abcdef0123456789abcdef",
              4711,
              1'700'000'000'000'000'000,
              30'000'000'000,
              10'000'000'000,
              0,
              1 << 20,
              52'428'800,
              0,
              0,
              {}};
    s.modules = {{"/usr/bin/orders", "ab12cd34", 0x55d000001000, 0x55d000009000, 0x1000},
                 {"/lib/x86_64-linux-gnu/libc.so.6", "ef56", 0x7f0000026000, 0x7f000017b000, 0x26000}};
    s.frames = {
        {0, 0x1a40, {{"orders::cache::insert(orders::request const&)", "cache.cpp", 42}, {"orders::handle()", "main.cpp", 7}}},
        {0, 0x2210, {{"main", "main.cpp", 99}}},
        {1, 0x29d90, {}},
        {no_module, 0xdeadbeef, {}}};
    s.stacks = {{{0, 1, 2}, false}, {{3}, true}};
    s.tags = {{"untagged", 0, 0, 0, 0}, {"order-cache", 8192, 3, 2048, 1}};
    s.routes = {"", "/api/v2/orders"};
    s.threads = {{"other", 0, false}, {"worker-1", 4712, true}};
    s.pools = {{"conn", "order-cache", 64, 16, 3, 9, 100, 95, 1, 0}};
    s.drops = {{"ring_full", 3}};
    s.degradations = {{"rate_raised", 1}};
    s.self_bytes = {{"live_table", 262'144}};
    s.live = {{17, 2048, 1'000'000'000, 0, {0x4bf92f3577b34da6, 0xa3ce929d0e0e4736}, 0, 1, 1},
              {23, 4096, 21'500'000'000, 0, {0x4bf92f3577b34da6, 0xa3ce929d0e0e4736}, 0, 1, 1},
              {900, 100, 21'400'000'000, 1 << 20, {}, 1, 0, 0}};
    s.sites.resize(2);
    s.sites[0].tag = 1;
    s.sites[0].type = "Order";
    s.sites[0].allocated = {8192, 3, 0, 0, 3};
    s.sites[0].freed = {2048, 1, 0, 0, 1};
    s.sites[0].freed_by_other_thread = {2048, 1, 0, 0, 1};
    s.sites[0].cohorts = {{0, 4096, 2, true}, {2, 4096, 1, false}};
    s.sites[0].lifetimes.objects[3] = 1;
    s.sites[0].lifetimes.sum_seconds = 0.05;
    s.sites[1].stack = 1;
    // Written out rather than computed: exp() may round differently on another machine.
    s.sites[0].live = {6144, 2, 0, 0, 2};
    s.sites[1].live = {1048626.0, 10486.25, 1099511627776.0, 109951162.5, 1};
    s.sites[1].allocated = s.sites[1].live;
    return s;
}

// The same, judged: what dumps since 1.4 hold besides. Never changes either.
inline memwatch::snapshot judged_example() {
    using namespace memwatch;
    snapshot s = example_snapshot();
    s.verdicts.resize(3);
    verdict& cache = s.verdicts[0];
    cache.kind = verdict_class::leak_retained;
    cache.severity = verdict_severity::warning;
    cache.confidence = 0.96875;
    cache.since_ns = 1'000'000'000;
    cache.decided_ns = 20'000'000'000;
    cache.looks = 3;
    cache.generations = 2;
    cache.retained_bytes = 6144;
    cache.retained_objects = 2;
    cache.rate_bytes_per_second = 204.5;
    cache.rate_error = 10.25;
    cache.kept_share = 0.75;
    cache.kept_share_low = 0.5;
    cache.kept_share_high = 1;
    cache.freed_objects = 1;
    cache.follow_up = 6.5;
    cache.bytes_per_trace = 2048;
    cache.escaped_share = 1;
    cache.other_thread_share = 0.25;
    cache.features = {{verdict_feature_kind::amount, 2, -1.5}, {verdict_feature_kind::plateau, 0.5, 2.25}};
    verdict& main = s.verdicts[1];
    main.index = 1;
    main.doubt = verdict_doubt::too_few_samples;
    verdict& conn = s.verdicts[2];
    conn.subject = verdict_subject::pool;
    conn.kind = verdict_class::pool_bloat;
    conn.is_exact = true;
    conn.rate_bytes_per_second = -64;
    return s;
}

}  // namespace memwatch_test
