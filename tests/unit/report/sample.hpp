// SPDX-License-Identifier: Apache-2.0
#pragma once
// One order service, small enough to check by hand, that leaks in one place for one route. Shared by the report tests.

#include <memwatch/model/delta.hpp>
#include <memwatch/model/snapshot.hpp>

namespace sample {

constexpr std::uint64_t second = 1'000'000'000;

inline memwatch::trace_id trace(std::uint64_t n) { return {0x4bf92f3577b34da6, 0xa3ce929d0e0e4700 + n}; }

inline memwatch::snapshot orders() {
    memwatch::snapshot s;
    s.info.label = "after";
    s.info.service = "orders";
    s.info.host = "web-1";
    s.info.executable = "/srv/orders/orders";
    s.info.version = "0.1.0";
    s.info.session = "0af7651916cd43dd8448eb211c80319c";
    s.info.pid = 4711;
    s.info.started_unix_ns = 1'763'766'000 * second;
    s.info.taken_ns = 220 * second;
    s.info.epoch_ns = 10 * second;
    s.info.interval_bytes = 65536;
    s.info.resident_bytes = 272'629'760;
    s.modules = {{"/srv/orders/orders", "1a2b3c4d5e6f708192a3b4c5d6e7f80910111213", 0x1000, 0x9000, 0x1000},
                 {"/lib/x86_64-linux-gnu/libstdc++.so.6", "77", 0x10000, 0x20000, 0}};
    s.frames = {{1, 0x1234, {{"operator new(unsigned long)", "", 0}}},
                {0,
                 0x1a40,
                 {{"std::vector<orders::order, std::allocator<orders::order> >::push_back(orders::order const&)",
                   "/usr/include/c++/12/bits/stl_vector.h", 1280},
                  {"orders::request_cache::remember(std::string_view, orders::order)", "src/orders/request_cache.cpp", 42}}},
                {0, 0x2210, {{"orders::handle_create(orders::request const&)", "src/orders/routes.cpp", 118}}},
                {0, 0x3000, {}}};
    s.stacks = {{{0, 1, 2}, false}, {{0, 3}, true}};
    s.tags = {{"untagged", 0, 0, 0, 0}, {"request-cache", 60'000'000, 30'000, 1'000'000, 500}, {"sessions", 4096, 2, 0, 0}};
    s.routes = {"", "/api/v2/orders", "/health"};
    s.threads = {{"other", 0, false}, {"worker-1", 4712, true}, {"worker-2", 4713, true}};
    s.pools = {{"orders", "request-cache", 512, 1024, 100, 200, 5000, 4990, 0, 0}};
    memwatch::pool_totals& first = s.pools[0];
    first.tag = "orders";
    first.storage_bytes = 524'288;
    first.waiters = 2;
    first.most_waiters = 7;
    first.waits = 40;
    first.wait_ns = 3 * second;
    first.oldest_checkout_ns = 95 * second;
    first.oldest_trace = trace(1);
    first.oldest_route = 1;
    first.oldest_frame = 3;
    s.sites.resize(2);
    s.sites[0].stack = 0;
    s.sites[0].tag = 1;
    s.sites[0].type = "orders::order";
    s.sites[1].stack = 1;
    s.sites[1].tag = 2;
    for (std::uint64_t i = 0; i < 6; ++i) {
        s.live.push_back(
            {i, 16384, (10 + i) * second, 65536, trace(i % 4), 0, i == 5 ? 2U : 1U, 1 + static_cast<std::uint32_t>(i % 2)});
        s.sites[0].live.add(16384, 65536);
    }
    s.live.push_back({9, 4096, 200 * second, 65536, {}, 1, 0, 1});
    s.sites[1].live.add(4096, 65536);
    s.sites[0].allocated = s.sites[0].live;
    s.sites[1].allocated = s.sites[1].live;
    s.self_bytes = {{"tables", 2'097'152}, {"stacks", 65536}, {"symbols", 0}};
    s.drops = {{"table_full", 0}};
    s.survivals = {{0, {6'000'000, 366, 4e10, 1e3, 8}, {131'072, 8, 1e9, 6, 2}, {524'288, 32, 3e9, 20, 9}, 3'000'000}};
    s.hand_offs = {{"worker-1", "worker-2", 4712, 4713, {1'048'576, 64, 2e10, 80, 12}},
                   {"other", "other", 0, 0, {4096, 1, 0, 0, 1}}};
    s.activity = {{"lifecycle_events", 39}, {"lifetime_p50_ns", 1'500'000}};
    return s;
}

inline memwatch::delta_row leaking_row() {
    const memwatch::snapshot s = orders();
    memwatch::delta_row row;
    row.name = "orders::request_cache::remember";
    row.key = "00c0ffee00c0ffee";
    row.tag = "request-cache";
    row.type = "orders::order";
    row.stack = {s.frames[0], s.frames[1], s.frames[2]};
    row.before.live = {4'194'304, 2'048, 4e10, 1e4, 64};
    row.after.live = {58'720'256, 28'672, 5.6e11, 1e5, 896};
    row.after.oldest_age_ns = 210 * second;
    row.bytes = 54'525'952;
    row.objects = 26'624;
    row.bytes_standard_error = 720'000;
    row.rate_bytes_per_s = 605'844;
    row.survivors_bytes = 54'000'000;
    row.survived_bytes = 4'000'000;
    row.freed_bytes = 194'304;
    row.rung = memwatch::match_rung::exact;
    row.before.sites = row.after.sites = 1;
    row.what = memwatch::change::grew;
    row.shares = {{memwatch::dimension::route, "/api/v2/orders", 54'000'000, {}},
                  {memwatch::dimension::route, "", 500'000, {}},
                  {memwatch::dimension::trace, "", 131'072, trace(1)},
                  {memwatch::dimension::trace, "", 65'536, trace(2)},
                  {memwatch::dimension::thread, "worker-1", 30'000'000, {}},
                  {memwatch::dimension::thread, "worker-2", 24'525'952, {}}};
    return row;
}

inline memwatch::delta growth() {
    const memwatch::snapshot s = orders();
    memwatch::delta d;
    d.after = s.info;
    d.before = s.info;
    d.before.label = "before";
    d.before.taken_ns = 130 * second;
    d.before.resident_bytes = 218'103'808;
    d.modules = s.modules;
    d.seconds = 90;
    d.warnings = {"sampling intervals differ: 64 KiB and 1 MiB"};
    memwatch::delta_row doubtful;
    doubtful.name = "orders+0x3000";
    doubtful.tag = "sessions";
    doubtful.stack = {s.frames[0], s.frames[3]};
    doubtful.bytes = 70'000;
    doubtful.bytes_standard_error = 66'000;
    doubtful.objects = 17;
    doubtful.rate_bytes_per_s = 777;
    doubtful.after.live = {70'000, 17, 66'000.0 * 66'000, 17, 1};
    doubtful.what = memwatch::change::appeared;
    memwatch::delta_row shrunk;
    shrunk.name = "orders::price_list::load(std::filesystem::path const&)";
    shrunk.bytes = -9'000'000;
    shrunk.bytes_standard_error = 400'000;
    shrunk.objects = -12;
    shrunk.rate_bytes_per_s = -100'000;
    shrunk.before.live = {9'000'000, 12, 1.6e11, 12, 12};
    shrunk.what = memwatch::change::gone;
    d.rows = {leaking_row(), doubtful, shrunk};
    d.total.bytes = 45'595'952;
    d.total.bytes_standard_error = 830'000;
    d.total.objects = 26'629;
    d.total.rate_bytes_per_s = 506'621;
    d.total.before.live = {220'000'000, 100'000, 1.4e14, 1e6, 3'300};
    d.total.after.live = {265'595'952, 126'629, 1.7e14, 1e6, 4'000};
    d.total.what = memwatch::change::grew;
    d.hidden_rows = 14;
    d.ranking = "weighted";
    d.long_lived_ns = 22'500'000'000;
    d.rows[0].rank = {1, 0.98, 0.9, 0.40 + 0.35 * 0.98 + 0.25 * 0.9};
    d.rows[0].steady_bytes = 50'000'000;
    for (auto* row : {&d.rows[1], &d.rows[2]}) { row->rank.weight = 0.5; }
    d.rungs = {2, 15, 0, 0};
    return d;
}

// The same leak reached by two more callers, beside a cache that filled up and so grew more, with a snapshot in between.
inline memwatch::delta growth_by_callers() {
    memwatch::delta d = growth();
    d.warnings.clear();
    memwatch::delta_row other = leaking_row();
    other.key = "00c0ffee00c0ff0e";
    other.stack.back().offset = 0x2300;
    other.stack.back().lines = {{"orders::handle_batch(orders::request const&)", "src/orders/routes.cpp", 161}};
    other.bytes = 9'000'000;
    other.objects = 4'394;
    other.bytes_standard_error = 290'000;
    other.rate_bytes_per_s = 100'000;
    other.survivors_bytes = 9'000'000;
    other.steady_bytes = 8'500'000;
    other.before.live = {};
    other.after.live = {9'000'000, 4'394, 8.41e10, 2e4, 140};
    other.what = memwatch::change::appeared;
    other.rung = memwatch::match_rung::none;
    other.shares = {{memwatch::dimension::route, "/api/v2/batch", 9'000'000, {}},
                    {memwatch::dimension::thread, "worker-2", 9'000'000, {}}};
    other.rank = {0.6, 0.97, 0.9, 0.78};
    memwatch::delta_row cache = leaking_row();
    cache.name = "orders::price_list::fill";
    cache.key = "00000000000ca54e";
    cache.tag = "prices";
    cache.type.clear();
    cache.stack = {cache.stack[0], cache.stack[2]};
    cache.stack[1].offset = 0x4000;
    cache.stack[1].lines = {{"orders::price_list::fill(std::size_t)", "src/orders/price_list.cpp", 77}};
    cache.bytes = 190'000'000;
    cache.objects = 92'000;
    cache.bytes_standard_error = 3'400'000;
    cache.rate_bytes_per_s = 2'111'111;
    cache.survivors_bytes = 190'000'000;
    cache.steady_bytes = 0;
    cache.before.live = {};
    cache.after.live = {190'000'000, 92'000, 1.2e13, 4e5, 2'900};
    cache.what = memwatch::change::appeared;
    cache.rung = memwatch::match_rung::none;
    cache.shares.clear();
    cache.rank = {0.79, 1, 0.5, 0.79};
    d.rows.insert(d.rows.begin() + 1, {cache, other});
    d.rungs = {4, 15, 0, 0};
    d.total.bytes += cache.bytes + other.bytes;
    return d;
}

inline std::vector<memwatch::snapshot> three_moments() {
    std::vector<memwatch::snapshot> all(3, orders());
    const char* const labels[] = {"before", "under load", "after"};
    for (std::size_t i = 0; i < all.size(); ++i) {
        memwatch::snapshot& s = all[i];
        s.info.label = labels[i];
        s.info.taken_ns = (130 + 45 * i) * second;
        s.info.resident_bytes += i * 40'000'000;
        s.info.sampler = "poisson";
        for (memwatch::site& each : s.sites) {
            each.live.bytes *= static_cast<double>(i + 1);
            each.allocated.bytes *= static_cast<double>(10 * i + 1);
            each.freed.bytes = each.allocated.bytes / 2;
            each.freed_by_other_thread.bytes = each.freed.bytes / 5;
        }
    }
    return all;
}

}  // namespace sample
