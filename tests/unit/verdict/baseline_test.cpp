// SPDX-License-Identifier: Apache-2.0
#include "verdict/baseline.hpp"

#include <catch2/catch.hpp>
#include <string>

#include <memwatch/model/site_name.hpp>

using namespace memwatch;

namespace {

constexpr std::uint64_t second = 1'000'000'000;

// Two sites: app::load under tag "catalog", app::add without names. `shift` moves all code, as another build does.
snapshot made(std::uint64_t blocks, std::uint64_t shift = 0) {
    snapshot s;
    s.info.taken_ns = 100 * second;
    s.modules = {{"/bin/app", shift == 0 ? "aa" : "bb", 0x1000, 0x2000, 0}};
    s.frames = {{0, 0x10 + shift, {{"operator new(unsigned long)", "", 0}}},
                {0, 0x20 + shift, {{"app::load(int)", "load.cpp", 7}}},
                {0, 0x30 + shift, {{"main", "main.cpp", 3}}},
                {0, 0x40 + shift, {}}};
    s.stacks = {{{0, 1, 2}, false}, {{3}, false}};
    s.tags.resize(2);
    s.tags[1].name = "catalog";
    s.sites.resize(2);
    s.sites[0].tag = 1;
    s.sites[1].stack = 1;
    for (std::uint64_t i = 0; i < blocks; ++i) {
        for (std::uint32_t site = 0; site < 2; ++site) {
            live_record record;
            record.site = site;
            record.size_bytes = 1000;
            record.birth_ns = (10 + i) * second;
            s.live.push_back(record);
            s.sites[site].live.add(1000, 0);
        }
    }
    return s;
}

}  // namespace

TEST_CASE("baseline: in the same build a site may hold what it held, named or not") {
    const snapshot healthy = made(5);
    const snapshot now = made(50);
    const auto expected = expectations_of(healthy, now);
    REQUIRE(expected.size() == 2);
    const expectation& load = expected.at(site_key(now, now.sites[0]));
    CHECK(load.live_bytes == 5000);
    CHECK(load.oldest_age_s == Approx(90));
    CHECK(load.run_s == Approx(100));
    CHECK(load.covers(7500));
    CHECK_FALSE(load.covers(7501));
}

TEST_CASE("baseline: in another build a site is known by its functions, type and tag, and one without names by nothing") {
    const snapshot healthy = made(5, 0x500);
    snapshot now = made(50);
    auto expected = expectations_of(healthy, now);
    REQUIRE(expected.size() == 1);
    CHECK(expected.at(site_key(now, now.sites[0])).live_bytes == 5000);
    now.frames[1].lines[0].line = 9;  // lines move between builds
    CHECK(expectations_of(healthy, now).size() == 1);
    now.tags[1].name = "other";
    CHECK(expectations_of(healthy, now).empty());
    now = made(50);
    now.sites[0].type = "app::page";
    CHECK(expectations_of(healthy, now).empty());
}

TEST_CASE("baseline: sites that share a name are expected to hold together what they held together") {
    const snapshot healthy = made(5, 0x500);
    snapshot now = made(3);
    // A second call in app::load: another line, the same functions. It holds 6 blocks.
    now.frames.push_back(now.frames[1]);
    now.frames.back().offset += 4;
    now.stacks.push_back({{0, 4, 2}, false});
    now.sites.push_back(now.sites[0]);
    now.sites[2].stack = 2;
    now.sites[2].live.bytes = 6000;
    const auto expected = expectations_of(healthy, now);
    CHECK(expected.at(site_key(now, now.sites[0])).live_bytes == Approx(5000.0 * 3 / 9));
    CHECK(expected.at(site_key(now, now.sites[2])).live_bytes == Approx(5000.0 * 6 / 9));
    // 9000 are more than half as much again as 5000: then of neither is it expected.
    CHECK_FALSE(expected.at(site_key(now, now.sites[0])).covers(3000));
    CHECK_FALSE(expected.at(site_key(now, now.sites[2])).covers(6000));
}

TEST_CASE("baseline: what it accuses itself is expected of nobody") {
    snapshot healthy = made(5);
    verdict leak;
    leak.index = 0;
    leak.kind = verdict_class::leak_retained;
    healthy.verdicts = {leak};
    const snapshot now = made(5);
    const auto expected = expectations_of(healthy, now);
    CHECK(expected.count(site_key(now, now.sites[0])) == 0);
    CHECK(expected.count(site_key(now, now.sites[1])) == 1);
}
