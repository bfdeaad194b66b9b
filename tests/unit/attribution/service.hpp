// SPDX-License-Identifier: Apache-2.0
#pragma once
// A service with one of each: a map whose entries one path forgets, a cache that filled up, a pool whose objects stay out, a
// site that only noise moved. Small enough to check by hand: 130 s, 175 s and 220 s after its start.

#include <string>
#include <vector>

#include <memwatch/model/snapshot.hpp>

#include "unit/report/sample.hpp"

namespace service {

using memwatch::snapshot;
using sample::second;

constexpr std::uint32_t order_site = 0;
constexpr std::uint32_t session_site = 1;
constexpr std::uint32_t price_site = 2;

// The tables: who is who, nothing alive yet.
inline snapshot empty_service(const char* label, std::uint64_t taken_s) {
    snapshot s = sample::orders();
    s.info.label = label;
    s.info.taken_ns = taken_s * second;
    s.live.clear();
    s.frames.push_back({0,
                        0x4000,
                        {{"std::map<int, orders::price>::operator[](int const&)", "/usr/include/c++/12/bits/stl_map.h", 511},
                         {"orders::price_table::load(int)", "src/orders/price_table.cpp", 31}}});
    // The order cache is a map of nodes, not the vector that sample.hpp has.
    s.frames[1].lines[0] = {"std::unordered_map<long, orders::order>::emplace<long&, orders::order>(long&, orders::order&&)",
                            "/usr/include/c++/12/bits/unordered_map.h", 388};
    s.stacks.push_back({{0, 4, 2}, false});
    s.sites.resize(3);
    s.sites[price_site].stack = 2;
    s.sites[price_site].tag = 2;
    s.sites[price_site].type = "orders::price";
    for (auto& each : s.sites) { each.live = each.allocated = each.freed = each.freed_by_other_thread = {}; }
    return s;
}

inline void add_block(snapshot& s, std::uint32_t site, std::uint64_t sequence, std::uint64_t birth_ns, std::uint64_t bytes,
                      std::uint64_t trace) {
    s.live.push_back({sequence, bytes, birth_ns, 65536, trace == 0 ? memwatch::trace_id{} : sample::trace(trace), site,
                      trace == 0 ? 0U : 1U, 1 + static_cast<std::uint32_t>(sequence % 2)});
    s.sites[site].live.add(bytes, 65536);
    s.sites[site].allocated.add(bytes, 65536);
}

// The blocks that are alive `until_s` after the start. The leak began at 100 s and keeps 5 samples a second.
inline snapshot at(const char* label, std::uint64_t until_s) {
    snapshot s = empty_service(label, until_s);
    add_block(s, session_site, 1, 2 * second, 4096, 0);
    add_block(s, order_site, 2, 3 * second, 512, 1);
    std::uint64_t sequence = 100;
    for (std::uint64_t tenth = 1000; tenth < until_s * 10; tenth += 2) {
        add_block(s, order_site, sequence++, tenth * second / 10, 512, 1 + tenth % 50);
        if (tenth >= 1302 && tenth < 1340) {  // the price table is loaded in four seconds behind BEFORE
            for (int i = 0; i < 3; ++i) { add_block(s, price_site, sequence++, tenth * second / 10 + 1, 2048, 0); }
        }
    }
    if (until_s > 200) { add_block(s, session_site, sequence++, 210 * second, 4096, 0); }
    // Of what the order cache was given, most was erased again.
    for (std::uint64_t i = 0; i < until_s * 15; ++i) {
        s.sites[order_site].allocated.add(512, 65536);
        s.sites[order_site].freed.add(512, 65536);
        s.sites[order_site].lifetimes.objects[2] += 128;
    }
    s.sites[order_site].cohorts = {{0, 512, 1, true}, {10, 5e6, 1e4, false}};
    auto& tag = s.tags[1];
    tag.allocated_bytes = until_s * 2'000'000;
    tag.freed_bytes = tag.allocated_bytes - (until_s > 100 ? (until_s - 100) * 330'000 : 0);
    auto& pool = s.pools[0];
    pool.in_use = until_s;
    pool.oldest_checkout_ns = until_s * second * 9 / 10;
    s.info.resident_bytes = (100 + until_s / 2) << 20U;
    return s;
}

inline const snapshot& before() {
    static const snapshot s = at("before", 130);
    return s;
}
inline const snapshot& during() {
    static const snapshot s = at("during", 175);
    return s;
}
inline const snapshot& after() {
    static const snapshot s = at("after", 220);
    return s;
}

// What a hostile program could be called: an escape sequence, a line break, a direction override, broken UTF-8, and the ends of
// comments, code spans, elements, scalars and string literals.
inline const std::string hostile =
    "evil\x1b[2J\x07\n---\nname\xE2\x80\xAE`|</script><b onclick='x'>\"*/ ?\?/\\\xFF\xEF\xBF\xBF\\";

inline snapshot made_hostile(snapshot s) {
    s.info.service = s.info.label = s.info.host = s.info.executable = hostile;
    for (auto& each : s.tags) { each.name += hostile; }
    for (auto& each : s.routes) { each += hostile; }
    for (auto& each : s.threads) { each.name = hostile; }
    for (auto& each : s.pools) { each.name = each.upstream = each.tag = hostile; }
    for (auto& each : s.sites) { each.type += hostile; }
    for (auto& each : s.modules) { each.path = each.build_id = hostile; }
    for (auto& each : s.frames) { each.lines = {{hostile, hostile, 7}}; }
    return s;
}

}  // namespace service
