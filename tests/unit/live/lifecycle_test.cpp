// SPDX-License-Identifier: Apache-2.0
// The seed of the random test is printed with it; the thinning case compares at 4 standard errors (1 in 15,800 by chance, one
// check with a fixed seed).
#include "live/lifecycle.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "live/live_state.hpp"
#include "support/fake_clock.hpp"
#include "support/memory_block.hpp"
#include "support/seed.hpp"

using namespace memwatch;
using test_support::second;

namespace {

constexpr epoch_clock tens{0, 10 * second};

lifecycle_event make_birth(std::uint32_t site, std::uint64_t birth_ns, std::uint64_t size = 1U << 20U,
                           std::uint32_t trace = 0) {
    return {size, 0, birth_ns, birth_ns, site, trace, 100, 0, lifecycle_kind::birth};
}
lifecycle_event make_death(std::uint32_t site, std::uint64_t birth_ns, std::uint64_t time_ns, std::uint32_t from = 100,
                           std::uint32_t to = 100, std::uint64_t size = 1U << 20U) {
    return {size, 0, birth_ns, time_ns, site, 0, from, to, lifecycle_kind::death};
}

struct totals_under_test {
    totals_under_test() : memory(lifecycle_totals::memory_bytes(16)), totals(memory.get(), 16) {}
    test_support::memory_block memory;
    lifecycle_totals totals;

    survival of(std::uint32_t site) const {
        for (const survival& s : totals.survivals()) {
            if (s.site == site) { return s; }
        }
        return {};
    }
};

std::atomic<int> wakes{0};

struct lifecycle_under_test {
    explicit lifecycle_under_test(std::size_t events)
        : memory(lifecycle::memory_bytes(events, 256)), told(memory.get(), events, 256, losses) {
        wakes = 0;
        told.set_waker([]() noexcept { ++wakes; });
    }
    loss_counters losses;
    test_support::memory_block memory;
    lifecycle told;

    std::uint64_t turn() { return told.turn(tens, 0); }
};

}  // namespace

TEST_CASE("lifecycle_totals: what is alive two boundaries after its birth has survived", "[live]") {
    totals_under_test t;
    for (int i = 0; i < 10; ++i) { t.totals.add(make_birth(3, 61 * second), tens); }
    for (int i = 0; i < 4; ++i) { t.totals.add(make_death(3, 61 * second, 62 * second), tens); }  // in the epoch of birth
    t.totals.close_epochs(7);
    CHECK(t.of(3).survived.objects == 0);
    for (int i = 0; i < 3; ++i) { t.totals.add(make_death(3, 61 * second, 79 * second), tens); }  // in the next one
    CHECK(t.of(3).survived.objects == 0);
    t.totals.close_epochs(8);
    CHECK(t.of(3).survived.objects == 3);
    CHECK(t.of(3).survived.bytes == 3 << 20);
    t.totals.add(make_death(3, 61 * second, 200 * second), tens);
    CHECK(t.of(3).survived.objects == 3);  // once a survivor, always one
    CHECK(t.of(3).ended.objects == 1);
    CHECK(t.of(3).short_lived.objects == 4);
}

TEST_CASE("lifecycle_totals: a death closes epochs by itself, and events told of late find theirs closed", "[live]") {
    totals_under_test t;
    t.totals.add(make_birth(1, 5 * second, 1024, 77), tens);
    t.totals.add(make_birth(1, 5 * second, 1024), tens);
    t.totals.add(make_death(1, 5 * second, 25 * second, 100, 100, 1024), tens);  // nobody called close_epochs()
    CHECK(t.of(1).survived.objects == 2);
    CHECK(t.of(1).survived_traced_bytes == 1024);
    CHECK(t.of(1).ended.objects == 1);
    t.totals.add(make_birth(1, 45 * second, 1024), tens);
    t.totals.add(make_birth(1, 24 * second, 1024), tens);  // epoch 2, told of in epoch 4: its slot is the younger one's
    CHECK(t.of(1).survived.objects == 3);
    t.totals.close_epochs(6);
    CHECK(t.of(1).survived.objects == 4);
}

TEST_CASE("lifecycle_totals: survivors agree with a plain count, whatever the order of births and deaths", "[live]") {
    const std::uint64_t seed = test_support::seed();
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    totals_under_test t;
    struct block {
        std::uint64_t birth;
        std::uint32_t site;
    };
    std::vector<block> alive;
    std::vector<double> expected(16);
    std::vector<double> ended(16);
    std::uint64_t epoch = 0;
    for (std::uint64_t now = 0; now < 2000 * second; now += 1 + random() % second / 4) {
        if (now / (10 * second) != epoch) {
            epoch = now / (10 * second);
            for (const block& b : alive) { expected[b.site] += b.birth / (10 * second) + 2 == epoch; }
        }
        if (random() % 3 != 0 || alive.empty()) {
            alive.push_back({now, static_cast<std::uint32_t>(random() % 16)});
            t.totals.add(make_birth(alive.back().site, now), tens);
        } else {
            std::swap(alive[random() % alive.size()], alive.back());
            ended[alive.back().site] += alive.back().birth / (10 * second) + 2 <= epoch;
            t.totals.add(make_death(alive.back().site, alive.back().birth, now), tens);
            alive.pop_back();
        }
    }
    t.totals.close_epochs(epoch);
    for (std::uint32_t site = 0; site < 16; ++site) {
        CAPTURE(site);
        CHECK(t.of(site).survived.objects == Approx(expected[site]));
        CHECK(t.of(site).ended.objects == Approx(ended[site]));
    }
}

TEST_CASE("lifecycle_totals: lifetimes come back within an eighth, from nanoseconds to years", "[live]") {
    for (std::uint64_t lifetime = 1; lifetime < 1ULL << 58U; lifetime = lifetime * 3 / 2 + 1) {
        totals_under_test t;
        t.totals.add(make_death(0, 1000, 1000 + lifetime), tens);
        const std::uint64_t bound = t.totals.lifetime_quantile_ns(0.5);
        CAPTURE(lifetime, bound);
        CHECK(bound >= lifetime);
        CHECK(bound - lifetime <= lifetime / 8);
    }
    totals_under_test t;
    for (std::uint64_t i = 1; i <= 1000; ++i) { t.totals.add(make_death(0, 0, i * 1'000'000), tens); }
    CHECK(t.totals.lifetime_quantile_ns(0.9) == Approx(900e6).epsilon(0.125));
    std::vector<named_value> shown;
    t.totals.add_activity(shown);
    CHECK(shown.front().name == "lifecycle_events");
    CHECK(shown.front().value == 1000);
}

TEST_CASE("lifecycle_totals: hand-offs are counted by pair, and what finds no room still adds up", "[live]") {
    totals_under_test t;
    t.totals.set_thread_namer(
        [](void*, std::uint32_t tid, char* name) { std::strcpy(name, tid == 7 ? "producer" : "consumer"); }, nullptr);
    t.totals.add(make_death(0, 0, 1, 7, 7), tens);  // its own thread: no hand-off
    t.totals.add(make_death(0, 0, 1, 0, 7), tens);  // unknown: none
    for (int i = 0; i < 1000; ++i) { t.totals.add(make_death(0, 0, 1, 7, 8), tens); }
    for (std::uint32_t i = 0; i < 2 * lifecycle_totals::max_pairs; ++i) {
        t.totals.add(make_death(0, 0, 1, 1000 + i, 8), tens);
    }
    const std::vector<hand_off> pairs = t.totals.hand_offs();
    REQUIRE(pairs.size() == lifecycle_totals::max_pairs + 1);
    CHECK(pairs.front().from == "producer");
    CHECK(pairs.front().to == "consumer");
    CHECK(pairs.front().freed.samples == 1000);
    CHECK(pairs.back().from_tid == 0);
    std::uint64_t samples = 0;
    for (const hand_off& pair : pairs) { samples += pair.freed.samples; }
    CHECK(samples == 1000 + 2 * lifecycle_totals::max_pairs);
}

TEST_CASE("lifecycle: pushed == added up + counted as lost", "[live]") {
    lifecycle_under_test t(8);
    for (std::uint64_t i = 0; i < 20; ++i) { t.told.push(make_birth(1, i)); }
    CHECK(t.losses.of(drop_reason::telemetry_ring_full) == 12);
    CHECK(t.told.drain(tens, 0) == 8);
    CHECK(t.told.drain(tens, 0) == 0);
    t.told.push(make_birth(1, 0));
    CHECK(t.told.drain(tens, 0) == 1);
}

TEST_CASE("lifecycle: one wake-up a batch's beginning and one when half of the ring is taken, none while idle", "[live]") {
    lifecycle_under_test t(100);
    CHECK(t.turn() == lifecycle::never);  // nothing there, nothing to come back for
    t.told.push(make_birth(1, 0));
    CHECK(wakes == 1);
    CHECK(t.turn() == lifecycle::batch_interval_ns);  // a batch gathers
    for (int i = 0; i < 40; ++i) { t.told.push(make_birth(1, 0)); }
    CHECK(wakes == 1);
    CHECK(t.turn() == lifecycle::batch_interval_ns);  // added up: 41
    for (int i = 0; i < 49; ++i) { t.told.push(make_birth(1, 0)); }
    CHECK(wakes == 1);
    for (int i = 0; i < 10; ++i) { t.told.push(make_birth(1, 0)); }
    CHECK(wakes == 2);  // half
    CHECK(t.turn() == lifecycle::batch_interval_ns);
    CHECK(t.turn() == lifecycle::never);
    CHECK(t.losses.of(drop_reason::telemetry_ring_full) == 0);
    t.told.push(make_birth(1, 0));
    CHECK(wakes == 3);
    t.told.drain_and_read(tens, 0, [](const lifecycle_totals& totals) {
        std::vector<named_value> shown;
        totals.add_activity(shown);
        CHECK(shown.front().value == 101);
    });
}

TEST_CASE("lifecycle: a forked child starts with an empty ring and its parent's totals", "[live]") {
    lifecycle_under_test t(64);
    for (int i = 0; i < 10; ++i) { t.told.push(make_birth(1, 0)); }
    CHECK(t.told.drain(tens, 0) == 10);
    for (int i = 0; i < 20; ++i) { t.told.push(make_birth(1, 0)); }
    t.told.lock_for_fork();
    t.told.unlock_after_fork();
    t.told.enter_child();
    CHECK(t.told.drain(tens, 2) == 0);
    for (int i = 0; i < 64; ++i) { t.told.push(make_birth(1, 30 * second)); }
    CHECK(t.losses.of(drop_reason::telemetry_ring_full) == 0);
    CHECK(t.told.drain(tens, 3) == 64);
    t.told.drain_and_read(tens, 5, [](const lifecycle_totals& totals) {
        REQUIRE(totals.survivals().size() == 1);
        CHECK(totals.survivals().front().survived.objects == 74);
    });
}

TEST_CASE("lifecycle: threads that push while one drains lose nothing but what is counted", "[live]") {
    constexpr std::uint64_t producers = 4;
    constexpr std::uint64_t each = 40'000;
    lifecycle_under_test t(128);
    std::atomic<std::uint64_t> running{producers};
    std::vector<std::thread> threads;
    for (std::uint64_t p = 0; p < producers; ++p) {
        threads.emplace_back([&] {
            for (std::uint64_t i = 0; i < each; ++i) { t.told.push(make_birth(1, i)); }
            --running;
        });
    }
    std::uint64_t drained = 0;
    while (running.load() != 0) { drained += t.told.drain(tens, 0); }
    for (std::thread& thread : threads) { thread.join(); }
    drained += t.told.drain(tens, 0);
    drained += t.told.drain(tens, 0);
    CHECK(drained + t.losses.of(drop_reason::telemetry_ring_full) == producers * each);
}

TEST_CASE("live_state: a ring of 8 and 10^6 events: telemetry is lost and counted, the live set is exact", "[live]") {
    loss_counters losses;
    const live_sizes sizes = live_sizes::for_budget(4U << 20U);
    const test_support::memory_block memory(sizes.memory_bytes());
    live_state live(memory.get(), sizes, losses);
    const test_support::memory_block telemetry_memory(lifecycle::memory_bytes(8, sizes.sites));
    lifecycle telemetry(telemetry_memory.get(), 8, sizes.sites, losses);
    live.set_timeline(0, 10 * second);
    live.configure(0, nullptr);
    live.set_lifecycle(&telemetry);
    const std::uint64_t frames[] = {1, 2, 3};
    std::uint64_t random_state = 42;
    const auto key = [](std::uint64_t i) { return make_block_key(reinterpret_cast<void*>(4096 * (i + 1)), 0); };
    const auto insert = [&](std::uint64_t i) {
        record r;
        r.key = key(i);
        r.size_bytes = 100;
        r.frames = frames;
        r.depth = 3;
        live.insert(r, random_state);
    };
    constexpr std::uint64_t churn = 500'000;
    constexpr std::uint64_t kept = 1000;
    std::uint64_t freed = 0;
    for (std::uint64_t i = 0; i < churn; ++i) {
        insert(i);
        if (i >= kept) { freed += live.remove(key(i - kept), 0, 1); }
    }
    CHECK(freed == churn - kept);
    snapshot s;
    live.freeze(s, live_state::detail::records);
    CHECK(s.live.size() == kept);
    CHECK(live_totals(s).bytes == kept * 100);
    CHECK(losses.of(drop_reason::telemetry_ring_full) == churn + freed - 8);
    for (std::uint64_t i = churn - kept; i < churn; ++i) { REQUIRE(live.remove(key(i), 0, 1)); }
    snapshot empty;
    live.freeze(empty, live_state::detail::records);
    CHECK(empty.live.empty());
}

TEST_CASE("live_state: thinning moves weight, and survivors stay unbiased", "[live]") {
    loss_counters losses;
    const live_sizes sizes = live_sizes::for_budget(2U << 20U);  // 16,384 places: thinned several times below
    const test_support::memory_block memory(sizes.memory_bytes());
    live_state live(memory.get(), sizes, losses);
    const test_support::memory_block telemetry_memory(lifecycle::memory_bytes(lifecycle::max_events, sizes.sites));
    lifecycle telemetry(telemetry_memory.get(), lifecycle::max_events, sizes.sites, losses);
    live.set_timeline(0, 10 * second);
    live.configure(0, nullptr);
    live.set_lifecycle(&telemetry);
    const std::uint64_t frames[] = {1, 2, 3};
    std::uint64_t random_state = 20261122;
    constexpr std::uint64_t blocks = 60'000;
    for (std::uint64_t i = 0; i < blocks; ++i) {
        record r;
        r.key = make_block_key(reinterpret_cast<void*>(4096 * (i + 1)), 0);
        r.size_bytes = 64;
        r.time_ns = 0;
        r.frames = frames;
        r.depth = 3;
        live.insert(r, random_state);
        if (i % 1000 == 0) { static_cast<void>(telemetry.drain({0, 10 * second}, 0)); }
    }
    snapshot s;
    s.info.taken_ns = 25 * second;
    live.freeze(s, live_state::detail::records);
    REQUIRE(s.survivals.size() == 1);
    CHECK(losses.of(drop_reason::telemetry_ring_full) == 0);
    CHECK(losses.of(degradation::interval_raised) > 64);
    const sampled_totals truth = live_totals(s);
    CAPTURE(truth.objects, truth.objects_standard_error(), s.survivals[0].survived.objects);
    CHECK(std::abs(s.survivals[0].survived.objects - static_cast<double>(blocks)) <= 4 * truth.objects_standard_error());
}
