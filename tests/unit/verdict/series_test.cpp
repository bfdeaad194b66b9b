// SPDX-License-Identifier: Apache-2.0
// Rows of one name in a series of snapshots: each pool is its own, sites of one key are one.
#include <catch2/catch.hpp>
#include <cmath>

#include "model/verdict_checks.hpp"
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

// What validate() lets pass: totals of 1e300, blocks as large as numbers go, times at both ends.
TEST_CASE("series: dumps with monstrous figures are judged in numbers") {
    constexpr std::uint64_t most = ~std::uint64_t{0};
    series judge;
    std::uint64_t epoch = 0;
    for (const std::uint64_t taken :
         {std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{3}, std::uint64_t{1} << 62U, most - 1, most}) {
        ++epoch;
        snapshot s = empty_at(epoch);
        s.info.epoch_ns = 1;
        s.info.taken_ns = taken;
        s.info.sampler = "poisson";
        s.sites.resize(64);
        for (std::uint32_t i = 0; i < s.sites.size(); ++i) {
            s.sites[i].type = std::string(1, static_cast<char>('A' + i));
            s.sites[i].allocated.bytes = s.sites[i].allocated.objects = (epoch + i) % 3 == 0 ? 1e300 : 0;
            s.sites[i].freed.objects = s.sites[i].freed_by_other_thread.objects = 1e300;
            for (std::uint32_t k = 0; k < 20; ++k) {
                live_record record;
                record.site = i;
                record.size_bytes = k % 2 == 0 ? most : 0;
                record.interval_bytes = k % 3 == 0 ? most : 1;
                record.birth_ns = k % 5 == 0 ? taken : 0;
                s.live.push_back(record);
                s.sites[i].live.add(record.size_bytes, record.interval_bytes);
            }
        }
        add_pool(s, most, most);
        s.pools.back().object_bytes = most;
        REQUIRE(judge.add(s).has_value());
    }
    const std::vector<verdict> all = judge.verdicts();
    REQUIRE(all.size() == 65);
    for (const verdict& each : all) {
        CHECK_FALSE(std::isnan(each.confidence));
        CHECK(is_known(each.kind));
    }
}

TEST_CASE("series: looks that come many times an epoch see what a look an epoch sees") {
    series judge;
    snapshot s = empty_at(0);
    s.sites.resize(1);
    for (std::uint64_t tenth = 1; tenth <= 400; ++tenth) {
        s.info.taken_ns = tenth * second;
        live_record record;
        record.size_bytes = 64;
        record.birth_ns = s.info.taken_ns - second / 2;
        s.live.push_back(record);
        s.sites[0].live.add(64, 0);
        s.sites[0].allocated = s.sites[0].live;
        REQUIRE(judge.add(s).has_value());
    }
    const std::vector<verdict> all = judge.verdicts();
    REQUIRE(all.size() == 1);
    CHECK(all[0].kind == verdict_class::leak_retained);
    CHECK(all[0].looks >= 26);  // 40 epochs, of up to one and a half each
    CHECK(all[0].looks <= 41);
}
