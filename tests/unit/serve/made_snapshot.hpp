// SPDX-License-Identifier: Apache-2.0
#pragma once
// A small service, frozen by hand: two tags, two sites, one pool. Numbers are chosen so that each shows up once.

#include <memwatch/model/snapshot.hpp>

namespace memwatch_test {

inline memwatch::snapshot made_snapshot() {
    memwatch::snapshot s;
    s.info.service = "orders";
    s.info.version = "0.1.0";
    s.info.interval_bytes = 65536;
    s.info.taken_ns = 5'000'000'000;
    s.modules.push_back({"/usr/bin/orders", "abcd1234", 0x1000, 0x9000, 0});
    s.frames.push_back({0, 0x1a40, {}});
    s.frames.push_back({0, 0x2210, {}});
    s.stacks.push_back({{0, 1}, false});
    s.stacks.push_back({{1}, false});
    s.tags.push_back({"untagged", 900, 9, 100, 1});
    s.tags.push_back({"order-cache", 4096, 2, 1024, 1});
    s.routes = {"", "/api/v2/orders"};
    s.threads = {{"other", 0, false}, {"worker-1", 4711, true}};
    s.pools.push_back({"sessions", "", 64, 128, 100, 120, 5000, 4990, 3, 1});

    memwatch::site cache;
    cache.stack = 0;
    cache.tag = 1;
    cache.type = "Order";
    cache.live.bytes = 3072;
    cache.live.objects = 1;
    cache.live.samples = 1;
    cache.live.bytes_variance = 160000;  // standard error 400
    cache.freed_by_other_thread.objects = 7;
    cache.lifetimes.objects[0] = 2;
    cache.lifetimes.objects[11] = 1;
    cache.lifetimes.sum_seconds = 2000.5;
    s.sites.push_back(cache);
    memwatch::site small;
    small.stack = 1;
    small.tag = 0;
    small.live.bytes = 800;
    small.live.objects = 8;
    small.live.samples = 2;
    s.sites.push_back(small);

    s.drops.push_back({"table_full", 11});
    s.activity = {{"lifecycle_events", 77},
                  {"short_lived_permille", 250},
                  {"lifetime_p50_ns", 5},
                  {"samples", 42},
                  {"self_ns", 1'500'000'000}};
    s.self_bytes.push_back({"tables", 1000});
    s.self_bytes.push_back({"stacks", 234});
    return s;
}

}  // namespace memwatch_test
