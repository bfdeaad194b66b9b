// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <cmath>

#include <memwatch/diff/key_metrics.hpp>

#include "small_service.hpp"
#include "support/random_snapshot.hpp"
#include "support/seed.hpp"

using namespace memwatch_test;

namespace {

const std::vector<double>& values_of(const std::vector<key_metric>& metrics, const std::string& name) {
    const auto found = std::find_if(metrics.begin(), metrics.end(), [&](const key_metric& m) { return m.name == name; });
    REQUIRE(found != metrics.end());
    return found->values;
}

double value_of(const snapshot& s, const std::string& name) { return values_of(key_metrics({&s}), name).at(0); }

}  // namespace

TEST_CASE("key_metrics: what a snapshot does not know is no number") {
    const snapshot empty;
    for (const key_metric& each : key_metrics({&empty, &empty})) {
        INFO(each.name);
        REQUIRE(each.values.size() == 2);
        CHECK_FALSE(each.unit.empty());
        if (each.name == "live_bytes") { continue; }  // nothing is alive: that is known
        CHECK(std::isnan(each.values[0]));
        CHECK(std::isnan(each.values[1]));
    }
    for (const key_metric& each : key_metrics({})) { CHECK(each.values.empty()); }
}

TEST_CASE("key_metrics: each is what its definition says") {
    small_service service{4096};
    const auto shallow = service.add_site({"a"});
    const auto deep = service.add_site({"a", "b", "c", "d"});
    for (int i = 0; i < 3; ++i) { service.allocate(shallow, 1 << 20, 1); }
    service.allocate(deep, 1 << 20, 1);
    service.state.threads.push_back({"w1", 1, true});
    service.state.threads.push_back({"w2", 2, true});
    service.state.threads.push_back({"w3", 3, false});
    service.state.pools.push_back({"p", "", 64, 10, 3, 0, 100, 90, 0, 0});
    service.state.pools.push_back({"q", "", 64, 10, 3, 0, 100, 100, 0, 0});
    service.state.drops = {{"table_full", 2}, {"ring_full", 3}};
    service.state.info.resident_bytes = 12'345'678;
    service.state.sites[shallow].allocated = {8e6, 0, 0, 0, 8};
    service.state.sites[shallow].freed = {4e6, 0, 0, 0, 4};
    service.state.sites[shallow].freed_by_other_thread = {1e6, 0, 0, 0, 1};
    service.state.live[0].trace = {1, 2};
    snapshot s = service.take(10);
    CHECK(value_of(s, "live_bytes") == Approx(4 << 20));
    CHECK(value_of(s, "resident_bytes") == 12'345'678);
    CHECK(value_of(s, "bytes_per_thread") == Approx(2 << 20));
    CHECK(value_of(s, "pool_hit_rate") == Approx(0.95));
    CHECK(value_of(s, "leak_stack_depth") == Approx(1.75));
    CHECK(value_of(s, "allocation_rate") == Approx(8e5));
    CHECK(value_of(s, "cross_thread_share") == Approx(0.25));
    CHECK(std::isnan(value_of(s, "fragmentation")));
    CHECK(value_of(s, "interval_bytes") == 4096);
    CHECK(value_of(s, "relative_error") == Approx(std::sqrt(live_totals(s).bytes_variance) / live_totals(s).bytes));
    CHECK(value_of(s, "untraced_share") == Approx(0.75));
    CHECK(value_of(s, "dropped_records") == 5);
    s.info.sampler = "full";
    CHECK(value_of(s, "interval_bytes") == 0);
    s.live.clear();
    CHECK(std::isnan(value_of(s, "untraced_share")));
    CHECK(value_of(s, "live_bytes") == Approx(4 << 20));  // a summary knows its sums
}

TEST_CASE("key_metrics: the allocation rate is that of the time since the snapshot before") {
    small_service service;
    service.add_site({"a"});
    service.state.info.epoch_ns = small_service::second_ns;
    service.state.info.first_epoch = 10;
    const auto at = [&](double seconds, double allocated) {
        service.state.sites[0].allocated = {allocated, 1, 0, 0, 1};
        return service.take(seconds);
    };
    const auto first = at(20, 1000);
    const auto second = at(30, 3000);
    auto third = at(40, 3000);
    CHECK(values_of(key_metrics({&first, &second, &third}), "allocation_rate") == std::vector<double>{100, 200, 0});
    third.info.session = "restarted";
    CHECK(values_of(key_metrics({&second, &third}), "allocation_rate") == std::vector<double>{150, 100});
    third.info.window_ns = 5 * small_service::second_ns;
    CHECK(value_of(third, "allocation_rate") == 600);
}

TEST_CASE("key_metrics: shares stay within 0 and 1 and nothing is infinite, whatever comes") {
    for (int round = 0; round < 30; ++round) {
        const std::uint64_t seed = test_support::seed();
        INFO("seed " << seed);
        random_source random{seed};
        const auto a = random_snapshot(random);
        const auto b = random_snapshot(random);
        for (const key_metric& each : key_metrics({&a, &b})) {
            INFO(each.name);
            for (const double value : each.values) {
                if (std::isnan(value)) { continue; }
                CHECK(std::isfinite(value));
                CHECK(value >= 0);
                // Random totals keep no law between what was freed and by whom.
                if (each.unit == "ratio" && each.name != "cross_thread_share" && each.name != "relative_error") {
                    CHECK(value <= 1.0000001);
                }
            }
        }
    }
}
