// SPDX-License-Identifier: Apache-2.0
#include "ledger/ledger.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "live/live_state.hpp"
#include "support/fake_clock.hpp"
#include "support/memory_block.hpp"

using namespace memwatch;

namespace {

constexpr std::uint64_t ms = 1'000'000;

const void* at(std::uint64_t address) { return reinterpret_cast<const void*>(address); }

struct ledger_under_test {
    explicit ledger_under_test(std::uint64_t budget = 8U << 20U, std::uint64_t epoch_ns = 10 * test_support::second)
        : sizes(live_sizes::for_budget(2U << 20U)), memory(sizes.memory_bytes()), live(memory.get(), sizes, losses) {
        test_support::fake_clock::set(0);
        settings.budget_bytes = budget;
        settings.clock = &test_support::fake_clock::now;
        settings.epoch_ns = epoch_ns;
        live.set_timeline(0, epoch_ns);
        REQUIRE(exact().open(settings));
        lane = exact().lease_lane(live.threads().add(100, "main\0\0\0\0\0\0\0\0\0\0\0"), {});
        REQUIRE(lane != nullptr);
    }
    ledger& exact() { return live.exact(); }

    std::uint32_t birth(std::uint64_t address, std::size_t bytes = 64, std::uint32_t site = 0, const trace_label& label = {}) {
        return exact().birth_at(lane, 0, at(address), bytes, site, label);
    }
    bool death(std::uint32_t index, std::uint64_t address) { return exact().death_now(lane, 0, index, at(address)); }
    // A site of its own, by the only frame of its stack.
    std::uint32_t make_site(std::uint64_t frame) {
        record r;
        r.frames = &frame;
        r.depth = 1;
        r.key = frame;
        r.size_bytes = 1;
        live.insert(r, random_state);
        live.remove(frame, 0, 0);
        return ++last_site;
    }
    snapshot freeze(live_state::detail how = live_state::detail::records) {
        snapshot s;
        live.freeze(s, how);
        s.tags.resize(1);
        s.routes.resize(8);
        REQUIRE(validate(s).has_value());
        return s;
    }

    loss_counters losses;
    live_sizes sizes;
    test_support::memory_block memory;
    live_state live;
    ledger_settings settings;
    ledger_lane* lane{};
    std::uint64_t random_state{42};
    std::uint32_t last_site{0};
};

}  // namespace

TEST_CASE("ledger: a block is there from its birth to its death, with its size, time, trace and thread", "[live]") {
    ledger_under_test t;
    test_support::fake_clock::set(5 * ms);
    const std::uint32_t index = t.birth(0x7f00'0000'1230, 48, 0, {{1, 2}, 3});
    REQUIRE(index != 0);
    snapshot s = t.freeze();
    REQUIRE(s.live.size() == 1);
    CHECK(s.live[0].size_bytes == 48);
    CHECK(s.live[0].birth_ns == 5 * ms);
    CHECK(s.live[0].interval_bytes == 0);
    CHECK(s.live[0].trace == trace_id{1, 2});
    CHECK(s.live[0].route == 3);
    CHECK(s.live[0].thread == 1);
    CHECK(s.sites[0].live == s.sites[0].allocated);
    test_support::fake_clock::set(25 * ms);
    CHECK(t.death(index, 0x7f00'0000'1230));
    s = t.freeze();
    CHECK(s.live.empty());
    CHECK(s.sites[0].live == sampled_totals{});
    CHECK(s.sites[0].freed.bytes == 48);
    CHECK(s.sites[0].lifetimes.objects[3] == 1);  // 20 ms
    CHECK(s.sites[0].lifetimes.sum_seconds == Approx(0.020));
}

TEST_CASE("ledger: any handle may be passed, only the record of that block is ended, and once", "[live]") {
    ledger_under_test t;
    std::mt19937_64 random(7);
    std::vector<std::uint32_t> indices;
    for (std::uint64_t i = 1; i <= 1000; ++i) { indices.push_back(t.birth(i * 64)); }
    for (int i = 0; i < 100'000; ++i) {
        const auto garbage = static_cast<std::uint32_t>(random());
        REQUIRE_FALSE(t.death(garbage, 0x7fff'0000'0000));
        REQUIRE_FALSE(t.death(garbage % 2000, 0x40000 + random() % 4096 * 16));
    }
    for (const std::uint32_t edge : {0U, 1U, 15U, 16U, 0x7FFF'FFFFU, 0xFFFF'FFFFU}) {
        CHECK_FALSE(t.death(edge, 0));
        CHECK_FALSE(t.death(edge, 0x12345670));
    }
    CHECK(t.freeze().live.size() == 1000);
    for (std::uint64_t i = 1; i <= 1000; ++i) {
        REQUIRE_FALSE(t.death(indices[i - 1], i * 64 + 8));
        REQUIRE(t.death(indices[i - 1], i * 64));
        REQUIRE_FALSE(t.death(indices[i - 1], i * 64));
    }
    CHECK(t.freeze().live.empty());
}

TEST_CASE("ledger: addresses that a record cannot hold are ordinary blocks", "[live]") {
    ledger_under_test t;
    CHECK(t.birth(0) == 0);
    CHECK(t.birth(0x1004) == 0);
    CHECK(t.birth(1ULL << 48U) == 0);
    CHECK(t.birth((1ULL << 48U) - 8) != 0);
}

TEST_CASE("ledger: random churn leaves what a model says, site by site", "[live]") {
    ledger_under_test t;
    std::vector<std::uint32_t> sites;
    for (std::uint64_t i = 0; i < 20; ++i) { sites.push_back(t.make_site(0x1000 + i)); }
    struct block {
        std::uint32_t index;
        std::uint64_t address;
        std::uint64_t bytes;
        std::uint32_t site;
        std::uint64_t born_ms;
    };
    struct model {
        std::uint64_t allocated{}, allocations{}, freed{}, frees{}, lifetime_ms{};
        std::uint64_t lifetimes[lifetime_bucket_count]{};
    };
    std::mt19937_64 random(11);
    std::map<std::uint32_t, model> expected;
    std::vector<block> alive;
    std::uint64_t now = 0;
    for (int i = 0; i < 200'000; ++i) {
        if (random() % 16 == 0) { test_support::fake_clock::set((now += random() % 300) * ms); }
        if (alive.size() < 3000 || random() % 2 == 0) {
            const std::uint32_t site = sites[random() % sites.size()];
            const block b{0, 0x10000 + static_cast<std::uint64_t>(i) * 16, random() % 5000, site, now};
            alive.push_back(b);
            alive.back().index = t.birth(b.address, b.bytes, b.site);
            REQUIRE(alive.back().index != 0);
            expected[site].allocated += b.bytes;
            ++expected[site].allocations;
        } else {
            std::swap(alive[random() % alive.size()], alive.back());
            const block b = alive.back();
            alive.pop_back();
            REQUIRE(t.death(b.index, b.address));
            model& m = expected[b.site];
            m.freed += b.bytes;
            ++m.frees;
            m.lifetime_ms += now - b.born_ms;
            const std::uint64_t lifetime_ns = (now - b.born_ms) * ms;
            ++m.lifetimes[std::lower_bound(std::begin(lifetime_bounds_ns), std::end(lifetime_bounds_ns), lifetime_ns) -
                          std::begin(lifetime_bounds_ns)];
        }
    }
    const snapshot s = t.freeze();
    CHECK(s.live.size() == alive.size());
    for (const std::uint32_t id : sites) {
        const site& frozen = s.sites[id - 1];
        const model& m = expected[id];
        CHECK(frozen.allocated.bytes - 1 == static_cast<double>(m.allocated));  // 1: make_site()
        CHECK(frozen.allocated.samples - 1 == m.allocations);
        CHECK(frozen.freed.bytes - 1 == static_cast<double>(m.freed));
        CHECK(frozen.live.bytes == static_cast<double>(m.allocated - m.freed));
        CHECK(frozen.live.samples == m.allocations - m.frees);
        CHECK(frozen.lifetimes.sum_seconds == Approx(static_cast<double>(m.lifetime_ms) * 1e-3));
        for (std::size_t b = 1; b < lifetime_bucket_count; ++b) {
            CHECK(frozen.lifetimes.objects[b] == static_cast<double>(m.lifetimes[b]));
        }
    }
    const snapshot summary = t.freeze(live_state::detail::summary);
    for (std::size_t i = 0; i < s.sites.size(); ++i) { CHECK(summary.sites[i].live == s.sites[i].live); }
}

TEST_CASE("ledger: when the budget ends new blocks are not recorded, the mark stays, room that appears is used", "[live]") {
    ledger_under_test t(4U << 20U);
    test_support::fake_clock::set(1000 * ms);
    std::vector<std::uint32_t> indices;
    std::uint64_t next = 0x1000;
    while (const std::uint32_t index = t.birth(next)) {
        indices.push_back(index);
        next += 16;
    }
    CHECK(indices.size() > 40'000);
    CHECK(indices.size() * 20 < 4U << 20U);
    CHECK(t.losses.of(drop_reason::ledger_full) == 1);
    CHECK(t.freeze().live.size() == indices.size());
    CHECK(t.exact().exact_until_ns() == 1000 * ms);
    for (std::size_t i = 0; i < 600; ++i) { REQUIRE(t.death(indices[i], 0x1000 + i * 16)); }
    CHECK(t.birth(next) != 0);
    CHECK(t.freeze().info.exact_until_ns == 1000 * ms);
}

TEST_CASE("ledger: leaving full mode gives up all records and their memory; stale handles never fit", "[live]") {
    ledger_under_test t;
    std::vector<std::uint32_t> indices;
    for (std::uint64_t i = 1; i <= 5000; ++i) { indices.push_back(t.birth(i * 64, 10)); }
    t.exact().close();
    CHECK(t.losses.of(drop_reason::ledger_abandoned) == 5000);
    CHECK_FALSE(t.death(indices[7], 8 * 64));
    CHECK(t.birth(0x1000) == 0);
    snapshot s = t.freeze();
    CHECK(s.live.empty());
    CHECK(s.sites[0].allocated.bytes == 50'000);
    CHECK(s.sites[0].freed.bytes == 0);
    CHECK(s.sites[0].live == sampled_totals{});
    CHECK(t.freeze(live_state::detail::summary).sites[0].live == sampled_totals{});
    REQUIRE(t.exact().open(t.settings));
    CHECK_FALSE(t.death(indices[7], 8 * 64));
    const std::uint32_t again = t.birth(0x5000, 7);
    CHECK(again != 0);
    CHECK_FALSE(t.death(again, 8 * 64));
    s = t.freeze();
    REQUIRE(s.live.size() == 1);
    CHECK(s.sites[0].live.bytes == 7);
    CHECK(t.death(again, 0x5000));
}

TEST_CASE("ledger: a drained ledger takes no births and follows every death", "[live]") {
    ledger_under_test t;
    const std::uint32_t index = t.birth(0x1000);
    t.exact().drain();
    CHECK(t.birth(0x2000) == 0);
    CHECK(t.freeze().live.size() == 1);
    CHECK(t.death(index, 0x1000));
    CHECK(t.freeze().live.empty());
    REQUIRE(t.exact().open(t.settings));
    CHECK(t.birth(0x2000) != 0);
}

TEST_CASE("ledger: sizes of 4 GiB and more are exact", "[live]") {
    ledger_under_test t;
    const std::uint32_t small = t.birth(0x1000, 0xFFFF'FFFE);
    const std::uint32_t edge = t.birth(0x2000, 0xFFFF'FFFF);
    const std::uint32_t large = t.birth(0x3000, 5ULL << 32U);
    snapshot s = t.freeze();
    REQUIRE(s.live.size() == 3);
    std::vector<std::uint64_t> sizes;
    for (const live_record& r : s.live) { sizes.push_back(r.size_bytes); }
    std::sort(sizes.begin(), sizes.end());
    CHECK(sizes == std::vector<std::uint64_t>{0xFFFF'FFFE, 0xFFFF'FFFF, 5ULL << 32U});
    CHECK(t.death(large, 0x3000));
    CHECK(t.death(edge, 0x2000));
    CHECK(t.death(small, 0x1000));
    s = t.freeze();
    CHECK(s.sites[0].freed.bytes == s.sites[0].allocated.bytes);
    // More of them than the list holds are ordinary blocks; the room comes back.
    std::vector<std::uint32_t> kept;
    while (const std::uint32_t index = t.birth(0x10000 + kept.size() * 16, 1ULL << 32U)) { kept.push_back(index); }
    CHECK(kept.size() == 256);
    REQUIRE(t.death(kept[0], 0x10000));
    CHECK(t.birth(0x20000, 1ULL << 32U) != 0);
}

TEST_CASE("ledger: sequences are unique, stable, and grow with the time of birth", "[live]") {
    ledger_under_test t;
    std::vector<std::uint32_t> indices;
    for (std::uint64_t i = 1; i <= 100; ++i) {
        test_support::fake_clock::set(i * ms);
        indices.push_back(t.birth(i * 64));
    }
    const snapshot first = t.freeze();
    // The same record again within the same tick is another block.
    REQUIRE(t.death(indices[99], 100 * 64));
    REQUIRE(t.birth(100 * 64) == indices[99]);
    const snapshot second = t.freeze();
    REQUIRE(second.live.size() == 100);
    for (std::size_t i = 0; i < 99; ++i) {
        CHECK(first.live[i].sequence == second.live[i].sequence);
        CHECK(first.live[i].birth_ns == (i + 1) * ms);
    }
    CHECK(first.live[99].sequence < second.live[99].sequence);
}

TEST_CASE("ledger: trace numbers that nobody uses come back, those of live records stay", "[live]") {
    ledger_under_test t(16U << 20U);
    const std::uint32_t kept = t.birth(0x10, 1, 0, {{77, 77}, 1});
    for (std::uint64_t i = 1; i < trace_contexts::capacity; ++i) {
        const std::uint32_t index = t.birth(0x1000, 1, 0, {{i, i}, 2});
        REQUIRE(t.death(index, 0x1000));
    }
    CHECK(t.losses.of(drop_reason::trace_context_full) == 1);  // number 0 is nobody's
    const std::uint32_t unlabelled = t.birth(0x2000, 1, 0, {{1, 12345}, 2});
    CHECK(t.losses.of(drop_reason::trace_context_full) == 2);
    t.exact().tend();
    const std::uint32_t labelled = t.birth(0x3000, 1, 0, {{1, 12345}, 2});
    CHECK(t.losses.of(drop_reason::trace_context_full) == 2);
    const snapshot s = t.freeze();
    REQUIRE(s.live.size() == 3);
    int found = 0;
    for (const live_record& r : s.live) {
        found += r.trace == trace_id{77, 77} && r.route == 1 ? 1 : 0;
        found += r.trace == trace_id{1, 12345} ? 10 : 0;
        found += !r.trace.is_valid() ? 100 : 0;
    }
    CHECK(found == 111);
    CHECK(t.death(kept, 0x10));
    CHECK(t.death(unlabelled, 0x2000));
    CHECK(t.death(labelled, 0x3000));
}

TEST_CASE("ledger: births go to the epochs they came in when it is tended", "[live]") {
    ledger_under_test t;
    for (std::uint64_t epoch = 0; epoch < 5; ++epoch) {
        test_support::fake_clock::set(epoch * 10 * test_support::second);
        t.exact().tend();
        for (std::uint64_t i = 0; i <= epoch; ++i) { static_cast<void>(t.birth(0x1000 + (epoch * 16 + i) * 16, 100)); }
    }
    const snapshot s = t.freeze();
    REQUIRE(s.sites[0].cohorts.size() == 5);
    for (std::uint64_t epoch = 0; epoch < 5; ++epoch) {
        CHECK(s.sites[0].cohorts[epoch].epoch == epoch);
        CHECK(s.sites[0].cohorts[epoch].born_objects == Approx(static_cast<double>(epoch + 1)));
    }
    CHECK(t.freeze().sites[0].cohorts.size() == 5);
}

TEST_CASE("ledger: births nobody tended are spread evenly, and their sum is exact", "[live]") {
    ledger_under_test t;
    for (std::uint64_t i = 0; i < 40; ++i) {
        test_support::fake_clock::set(i * test_support::second);
        static_cast<void>(t.birth(0x1000 + i * 16, 100));
    }
    test_support::fake_clock::set(40 * test_support::second - ms);
    const snapshot s = t.freeze();
    REQUIRE(s.sites[0].cohorts.size() == 4);
    double born = 0;
    for (const cohort& c : s.sites[0].cohorts) {
        CHECK(c.born_objects == Approx(10).epsilon(0.01));
        born += c.born_bytes;
    }
    CHECK(born == Approx(4000));
}

TEST_CASE("ledger: a free by another thread is told from one by its own, with and without a lane", "[live]") {
    ledger_under_test t;
    ledger_lane* const other = t.exact().lease_lane(t.live.threads().add(101, "worker\0\0\0\0\0\0\0\0\0"), {});
    REQUIRE(other != nullptr);
    const std::uint32_t a = t.birth(0x1000, 10);
    const std::uint32_t b = t.birth(0x2000, 20);
    const std::uint32_t c = t.exact().birth_at(nullptr, 2, at(0x3000), 40, 0, {});
    REQUIRE(c != 0);
    CHECK(t.losses.of(degradation::shared_ledger_lane) == 1);
    CHECK(t.death(a, 0x1000));
    CHECK(t.exact().death_now(other, 2, b, at(0x2000)));
    CHECK(t.exact().death_now(nullptr, 2, c, at(0x3000)));
    const snapshot s = t.freeze();
    CHECK(s.sites[0].freed.bytes == 70);
    CHECK(s.sites[0].freed_by_other_thread.bytes == 20);
    CHECK(s.sites[0].freed_by_other_thread.samples == 1);
}

TEST_CASE("ledger: a thread keeps its index while a record names it, and loses it in a sweep", "[live]") {
    ledger_under_test t(16U << 20U);
    const std::uint16_t first = t.live.threads().add(200, "short\0\0\0\0\0\0\0\0\0\0");
    const std::uint32_t kept = t.exact().birth_at(nullptr, first, at(0x1000), 1, 0, {});
    t.live.threads().retire(first, "short\0\0\0\0\0\0\0\0\0\0");
    std::uint16_t last = 0;
    for (std::uint32_t i = 0; i < 3500; ++i) {  // more than three quarters of the table
        last = t.live.threads().add(1000 + i, "short\0\0\0\0\0\0\0\0\0\0");
        REQUIRE(last != first);
        const std::uint32_t index = t.exact().birth_at(nullptr, last, at(0x2000), 1, 0, {});
        REQUIRE(t.exact().death_now(nullptr, last, index, at(0x2000)));
        t.live.threads().retire(last, "short\0\0\0\0\0\0\0\0\0\0");
    }
    CHECK(last > 3000);
    t.exact().tend();
    const std::uint16_t reused = t.live.threads().add(9000, "fresh\0\0\0\0\0\0\0\0\0\0");
    CHECK(reused < 10);
    CHECK(reused != first);
    CHECK(t.exact().death_now(nullptr, 0, kept, at(0x1000)));
}

TEST_CASE("ledger: a thread that only frees feeds one that only allocates", "[live]") {
    ledger_under_test t(4U << 20U);
    ledger_lane* const consumer = t.exact().lease_lane(t.live.threads().add(101, "consumer\0\0\0\0\0\0\0"), {});
    for (std::uint64_t i = 0; i < 500'000; ++i) {
        const std::uint32_t index = t.birth(0x1000 + i * 16);
        REQUIRE(index != 0);
        REQUIRE(index < 2000);  // no growth: three chains and what is between them
        REQUIRE(t.exact().death_now(consumer, 2, index, at(0x1000 + i * 16)));
    }
    CHECK(t.freeze().live.empty());
}

TEST_CASE("ledger: a handler that interrupts its thread's operation loses no free and corrupts nothing", "[live]") {
    ledger_under_test t;
    const std::uint32_t before = t.birth(0x1000, 10);
    // relaxed: a test with one thread. As if a signal came between enter() and leave().
    t.lane->busy.store(1, std::memory_order_relaxed);
    CHECK(t.birth(0x2000) == 0);
    CHECK(t.losses.of(drop_reason::ledger_reentered) == 1);
    CHECK(t.death(before, 0x1000));
    t.lane->busy.store(0, std::memory_order_relaxed);  // relaxed: as above
    const snapshot s = t.freeze();
    CHECK(s.live.empty());
    CHECK(s.sites[0].freed.bytes == 10);
}

namespace {

struct put_off : ledger_under_test {
    using ledger_under_test::ledger_under_test;
    void die(std::uint32_t index, std::uint64_t address) { exact().death(lane, 0, index, at(address)); }
    std::vector<std::uint32_t> births(std::uint64_t count) {
        std::vector<std::uint32_t> indices;
        for (std::uint64_t i = 1; i <= count; ++i) { indices.push_back(birth(i * 64)); }
        return indices;
    }
};

}  // namespace

TEST_CASE("ledger: deaths that were put off are complete before anybody looks, with the time at which they came", "[live]") {
    put_off t;
    const std::vector<std::uint32_t> indices = t.births(30);
    std::uint64_t dead = 0;
    for (; dead < 21; ++dead) {
        test_support::fake_clock::set(20 * ms);
        t.die(indices[dead], (dead + 1) * 64);
        test_support::fake_clock::set(9000 * ms);
        if (dead % 5 != 0) { continue; }
        const snapshot s = t.freeze();
        REQUIRE(s.live.size() == 30 - dead - 1);
        REQUIRE(s.sites[0].freed.samples == dead + 1);
        REQUIRE(s.sites[0].lifetimes.objects[3] == static_cast<double>(dead + 1));
    }
    t.die(indices[29], 30 * 64);  // the youngest
    t.die(indices[29], 30 * 64);  // twice, and what never was
    t.die(indices[28], 77 * 64);
    t.die(0xFFFF'FFFF, 64);
    const snapshot s = t.freeze();
    CHECK(s.live.size() == 8);
    CHECK(s.sites[0].freed.samples == 22);
}

TEST_CASE("ledger: a block that died and whose address lives again is counted once for each", "[live]") {
    put_off t;
    std::uint32_t index = t.birth(0x1000);
    for (std::uint64_t i = 0; i < 1000; ++i) {
        const std::uint32_t younger = t.birth(0x2000 + i * 16);  // so that the death is put off
        t.die(index, 0x1000);
        index = t.birth(0x1000);
        t.die(younger, 0x2000 + i * 16);
    }
    const snapshot s = t.freeze();
    CHECK(s.live.size() == 1);
    CHECK(s.sites[0].freed.samples == 2000);
    CHECK(s.sites[0].allocated.samples == 2001);
}

TEST_CASE("ledger: what was put off is neither abandoned nor lost with its thread, and is room where there is none", "[live]") {
    put_off t(1);
    std::vector<std::uint32_t> indices;
    for (std::uint64_t i = 1;; ++i) {
        const std::uint32_t index = t.birth(i * 64);
        if (index == 0) { break; }
        indices.push_back(index);
    }
    for (std::size_t i = 0; i < 5; ++i) { t.die(indices[i], (i + 1) * 64); }
    for (std::uint64_t i = 0; i < 5; ++i) { CHECK(t.birth(0x4000'0000 + i * 64) != 0); }
    CHECK(t.birth(0x5000'0000) == 0);
    for (std::size_t i = 5; i < 8; ++i) { t.die(indices[i], (i + 1) * 64); }
    t.exact().release_lane(*t.lane);
    CHECK(t.freeze().live.size() == indices.size() - 3);
    t.lane = t.exact().lease_lane(0, {});
    for (std::size_t i = 8; i < 12; ++i) { t.die(indices[i], (i + 1) * 64); }
    t.exact().drain();
    t.die(indices[12], 13 * 64);
    t.exact().close();
    const snapshot s = t.freeze();
    CHECK(s.live.empty());
    CHECK(s.sites[0].freed.samples == 5 + 3 + 5);
    CHECK(t.losses.of(drop_reason::ledger_abandoned) == indices.size() - 8);
}

TEST_CASE("ledger: code that is unloaded by another handler of a fork does not wait for the fork", "[live]") {
    ledger_under_test t;
    const std::uint32_t index = t.birth(0x1000);
    t.exact().hold_for_fork(t.lane);
    t.exact().lock_for_fork();
    t.exact().forget_code();
    t.exact().unlock_after_fork();
    t.exact().let_go_after_fork();
    t.exact().forget_code();
    CHECK(t.death(index, 0x1000));
}

TEST_CASE("ledger: a visit shows the records and totals that a snapshot has", "[live]") {
    struct seeing {
        std::map<std::uint64_t, live_record> by_size;
        std::map<std::uint32_t, site> sites;
        std::map<std::uint32_t, std::uint32_t> depths;
        void see(const live_record& block) { by_size[block.size_bytes] = block; }
        void see(std::uint32_t id, const site& totals, std::uint32_t depth) {
            sites[id] = totals;
            depths[id] = depth;
        }
    };
    ledger_under_test t;
    const std::uint32_t other = t.make_site(77);
    for (std::uint64_t i = 1; i <= 1000; ++i) {
        test_support::fake_clock::set(i * ms);
        const std::uint32_t index = t.birth(i * 64, i, i % 2 == 0 ? other : 0, {{i % 5, 0}, 3});
        if (i % 4 == 0) { t.death(index, i * 64); }
    }
    seeing seen;
    std::vector<exact_site_totals> scratch;
    t.live.visit(seen, scratch);
    const snapshot s = t.freeze();
    REQUIRE(seen.by_size.size() == s.live.size());
    for (const live_record& block : s.live) {
        const live_record& same = seen.by_size.at(block.size_bytes);
        CHECK(same.birth_ns == block.birth_ns);
        CHECK(same.interval_bytes == 0);
        CHECK(same.trace == block.trace);
        CHECK(same.site == block.site);
        CHECK(same.thread == block.thread);
    }
    for (const std::uint32_t id : {0U, other}) {
        CHECK(seen.sites.at(id).live == s.sites.at(id).live);
        CHECK(seen.sites.at(id).allocated == s.sites.at(id).allocated);
        CHECK(seen.sites.at(id).freed == s.sites.at(id).freed);
    }
}
