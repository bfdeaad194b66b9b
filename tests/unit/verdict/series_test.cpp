// SPDX-License-Identifier: Apache-2.0
// Rows of one name in a series of snapshots: each pool is its own, sites of one key are one.
#include <catch2/catch.hpp>

#include "verdict/series.hpp"

using namespace memwatch;

namespace {

constexpr std::uint64_t second = 1'000'000'000;

snapshot empty_at(std::uint64_t epoch) {
    snapshot s;
    s.info.session = "one";
    s.info.sampler = "full";
    s.info.epoch_ns = 10 * second;
    s.info.taken_ns = epoch * 10 * second;
    s.stacks.resize(1);
    s.tags.resize(1);
    return s;
}

void add_pool(snapshot& s, std::uint64_t in_use, std::uint64_t acquires) {
    s.pools.emplace_back();
    s.pools.back().name = "twins";
    s.pools.back().capacity = 1'000'000;
    s.pools.back().object_bytes = 1000;
    s.pools.back().in_use = in_use;
    s.pools.back().acquires = acquires;
}

}  // namespace

TEST_CASE("series: of two pools of one name each is judged by its own figures") {
    series judge;
    for (std::uint64_t epoch = 1; epoch <= 60; ++epoch) {
        snapshot s = empty_at(epoch);
        add_pool(s, 20, 2000 * epoch);
        add_pool(s, 100 * epoch, 2000 * epoch + 7);
        REQUIRE(judge.add(s).has_value());
    }
    const std::vector<verdict> all = judge.verdicts();
    REQUIRE(all.size() == 2);
    CHECK(all[0].index == 0);
    CHECK(level_of(all[0].kind) == verdict_level::none);
    CHECK(all[1].index == 1);
    CHECK(all[1].kind == verdict_class::pool_leak);
}

// Two types that redaction made the same. One frees all it takes, 100 blocks an epoch: with the totals of the other alone, or
// of either in turn, what was born and freed would be wrong.
TEST_CASE("series: sites of one key are one site with the sum of their totals") {
    series judge;
    for (std::uint64_t epoch = 1; epoch <= 30; ++epoch) {
        snapshot s = empty_at(epoch);
        s.sites.resize(2);
        for (site& each : s.sites) {
            for (std::uint64_t i = 0; i < 100 * epoch; ++i) { each.allocated.add(64, 0); }
            each.freed = each.allocated;
        }
        for (int i = 0; i < 3; ++i) {  // of the second: three blocks, always young
            live_record record;
            record.site = 1;
            record.size_bytes = 64;
            record.birth_ns = s.info.taken_ns - second;
            s.live.push_back(record);
            s.sites[1].live.add(64, 0);
        }
        REQUIRE(judge.add(s).has_value());
    }
    const std::vector<verdict> all = judge.verdicts();
    REQUIRE(all.size() == 1);
    CHECK(all[0].freed_objects == Approx(2 * 100 * 30));
}
