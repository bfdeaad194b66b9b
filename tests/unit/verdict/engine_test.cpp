// SPDX-License-Identifier: Apache-2.0
#include "verdict/engine.hpp"

#include <functional>
#include <random>

#include <catch2/catch.hpp>

#include "support/seed.hpp"

using namespace memwatch;

namespace {

constexpr std::uint64_t epoch = 250'000'000;

// One site, every block known: births and deaths as a program makes them, looked at each epoch.
struct program {
    struct block {
        double birth;  // epochs
        double death;  // epochs; far away: never
    };
    static constexpr double never = 1e9;

    engine judge{engine_settings{epoch, {}}};
    std::vector<block> blocks;
    double now{0};

    void run(unsigned epochs, const std::function<void(program&, double)>& each) {
        for (unsigned i = 0; i < epochs; ++i) {
            each(*this, now);
            now += 1;
            look_once();
        }
    }
    void born(double at, double lifetime) { blocks.push_back({at, at + lifetime}); }

    void look_once() {
        const auto ns = [](double epochs) { return static_cast<std::uint64_t>(epochs * static_cast<double>(epoch)); };
        judge.begin_look({ns(now), 1, true, 0, 0});
        site_totals totals;
        for (const block& each : blocks) {
            if (each.birth >= now) { continue; }
            totals.allocated.add(64, 0);
            if (each.death <= now) {
                totals.freed.add(64, 0);
            } else {
                judge.count_block(0, {ns(each.birth), 64, 0, false});
            }
        }
        judge.count_site(0, totals);
        judge.end_look();
    }
    verdict said() const {
        const auto all = judge.verdicts();
        REQUIRE(all.size() == 1);
        return all[0];
    }
};

}  // namespace

TEST_CASE(
    "engine: what is never freed from the start on is a leak after seventeen epochs, and until then a fill that may end") {
    program p;
    const auto keep_ten = [](program& self, double now) {
        for (int i = 0; i < 10; ++i) { self.born(now + i * 0.1, program::never); }
    };
    p.run(14, keep_ten);
    CHECK(level_of(p.said().kind) == verdict_level::none);
    p.run(5, keep_ten);
    const verdict v = p.said();
    CHECK(v.kind == verdict_class::leak_retained);
    CHECK(v.is_exact);
    CHECK(v.kept_share == Approx(1));
    CHECK(v.confidence > 0.5);
    CHECK(v.rate_bytes_per_second == Approx(10 * 64 / 0.25).epsilon(0.1));
}

TEST_CASE("engine: where nearly all is freed at once, what stays is a leak after nine epochs and not before the sixth") {
    program p;
    const auto keep_some = [](program& self, double now) {
        for (int i = 0; i < 100; ++i) { self.born(now + i * 0.01, i % 10 == 0 ? program::never : 0.05); }
    };
    p.run(5, keep_some);
    CHECK(level_of(p.said().kind) == verdict_level::none);
    p.run(4, keep_some);
    CHECK(p.said().kind == verdict_class::leak_retained);
}

TEST_CASE("engine: a site that begins to keep things in a process that was long watched is a leak after nine epochs") {
    program p;
    p.run(80, [](program&, double) {});
    p.run(10, [](program& self, double now) {
        for (int i = 0; i < 10; ++i) { self.born(now + i * 0.1, program::never); }
    });
    CHECK(p.said().kind == verdict_class::leak_retained);
}

TEST_CASE("engine: a tenth that stays among blocks that go is a leak, at the rate of the tenth") {
    program p;
    const std::uint64_t seed = test_support::seed();
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    std::exponential_distribution<double> lifetime(5);
    p.run(60, [&](program& self, double now) {
        for (int i = 0; i < 100; ++i) { self.born(now + i * 0.01, i % 10 == 0 ? program::never : lifetime(random)); }
    });
    const verdict v = p.said();
    CHECK(v.kind == verdict_class::leak_retained);
    CHECK(v.kept_share == Approx(0.1).epsilon(0.1));
}

TEST_CASE("engine: a cache that was full half way through is none") {
    program p;
    p.run(80, [](program& self, double now) {
        for (int i = 0; i < 20; ++i) { self.born(now + i * 0.05, 40); }
    });
    CHECK(level_of(p.said().kind) == verdict_level::none);
}

TEST_CASE("engine: what was made at the start and stays is steady") {
    program p;
    p.run(40, [](program& self, double now) {
        for (int i = 0; now < 3 && i < 100; ++i) { self.born(now, program::never); }
    });
    CHECK(p.said().kind == verdict_class::steady);
}

TEST_CASE("engine: a queue that is filled faster than it is emptied is a leak") {
    program p;
    p.run(80, [](program& self, double now) {
        for (int i = 0; i < 20; ++i) {
            const double at = now + i * 0.05;
            self.born(at, 0.5 * at + 0.1);  // emptied at two thirds of the pace
        }
    });
    CHECK(p.said().kind == verdict_class::leak_retained);
}

TEST_CASE("engine: load that doubles and halves is none") {
    program p;
    p.run(80, [](program& self, double now) {
        const int load = static_cast<int>(100 + 80 * std::sin(now / 80 * 6.283 * 1.75));
        for (int i = 0; i < load; ++i) { self.born(now + i / static_cast<double>(load), 3); }
    });
    CHECK(level_of(p.said().kind) == verdict_level::none);
}

namespace {

// A pool of 200 objects: `out(epoch)` are in use, the oldest since `oldest(epoch)` epochs.
verdict pool_after(unsigned epochs, const std::function<std::uint64_t(unsigned)>& out,
                   const std::function<double(unsigned)>& oldest) {
    engine judge{engine_settings{epoch, {}}};
    for (unsigned now = 1; now <= epochs; ++now) {
        judge.begin_look({now * epoch, 0, false, 0, 0});
        pool_totals pool;
        pool.name = "connections";
        pool.object_bytes = 1024;
        pool.capacity = 200;
        pool.in_use = out(now);
        pool.acquires = 100ULL * now;
        pool.oldest_checkout_ns = static_cast<std::uint64_t>(oldest(now) * static_cast<double>(epoch));
        judge.count_pool(0, pool);
        judge.end_look();
    }
    return judge.verdict_of(verdict_subject::pool, 0);
}

}  // namespace

TEST_CASE("engine: a pool whose objects do not come back leaks, one that is busy does not") {
    const auto all_the_time = [](unsigned now) { return static_cast<double>(now); };
    CHECK(pool_after(
              40, [](unsigned now) { return 2 * now; }, all_the_time)
              .kind == verdict_class::pool_leak);
    // As many out, but for a moment each.
    CHECK(pool_after(
              40, [](unsigned now) { return 40 + now * 7 % 13; }, [](unsigned) { return 0.5; })
              .kind == verdict_class::steady);
    // One object that is kept for good is no leak.
    CHECK(level_of(pool_after(
                       40, [](unsigned now) { return 10 + now * 5 % 7; }, all_the_time)
                       .kind) == verdict_level::none);
}

TEST_CASE("engine: while records are lost nothing is called quiet") {
    engine judge{engine_settings{epoch, {}}};
    for (unsigned now = 1; now <= 20; ++now) {
        judge.begin_look({now * epoch, 1, true, 0, now > 10 ? 1000ULL * now : 0});
        site_totals totals;
        for (unsigned i = 0; i < 100; ++i) {
            totals.allocated.add(64, 0);
            judge.count_block(0, {epoch / 2, 64, 0, false});
        }
        judge.count_site(0, totals);
        judge.end_look();
        const verdict said = judge.verdict_of(verdict_subject::site, 0);
        if (now == 10) { CHECK(said.kind == verdict_class::steady); }
        if (now == 20) {
            CHECK(said.kind == verdict_class::inconclusive);
            CHECK(said.doubt == verdict_doubt::records_lost);
        }
    }
}

TEST_CASE("engine: a cache that fills slowly in an old process is no leak because its history began anew") {
    engine judge{engine_settings{epoch, {}}};
    sampled_totals allocated;
    std::vector<std::uint64_t> births;
    bool is_on = false;
    // Forty blocks in the first 40 epochs, ever fewer: a fill that ends.
    for (unsigned now = 1; now <= 60; ++now) {
        if (now == 30) { judge.set_escalated(0, is_on = true, now * epoch - epoch); }
        const unsigned many = now <= 12 ? 2 : now <= 24 ? 1 : now % 4 == 0 ? 1 : 0;
        for (unsigned i = 0; i < many; ++i) {
            births.push_back(now * epoch - epoch / 2);
            allocated.add(64, 0);
        }
        judge.begin_look({now * epoch, 1, false, 0, 0});
        for (const std::uint64_t birth : births) { judge.count_block(0, {birth, 64, 0, false}); }
        judge.count_site(0, {allocated, {}, {}, 0});
        judge.end_look();
        REQUIRE(level_of(judge.verdict_of(verdict_subject::site, 0).kind) != verdict_level::leak);
    }
    CHECK(is_on);
}

namespace {

// A site that gets 64 blocks of 128 KiB an epoch and keeps them, at R = 1 MiB; from epoch 5 on it is escalated, with pages for
// a quarter of what is born.
struct fast_leak {
    static constexpr std::uint64_t size = 128U << 10U;
    static constexpr std::uint64_t interval = 1U << 20U;
    static constexpr double bytes_per_second = 64.0 * size / (static_cast<double>(epoch) * 1e-9);

    struct block {
        std::uint64_t birth_ns;
        std::uint64_t interval_bytes;
    };
    engine judge{engine_settings{epoch, {}}};
    std::mt19937_64 random{test_support::seed()};
    std::vector<block> recorded;
    sampled_totals all;
    bool is_escalated{};
    std::uint64_t of_term{};

    void live_through(std::uint64_t now) {
        for (unsigned i = 0; i < 64; ++i) {
            const std::uint64_t birth = (now - 1) * epoch + (i + 1) * epoch / 65;
            const bool has_page = is_escalated && i < 16;
            const bool is_drawn = std::uniform_real_distribution<>{}(random) < sampling_probability(size, interval);
            if (!has_page && !is_drawn) { continue; }
            recorded.push_back({birth, has_page ? 0 : interval});
            all.add(size, recorded.back().interval_bytes);
            of_term += has_page ? 1 : 0;
        }
        judge.begin_look({now * epoch, 1, false, 0, 0});
        for (const block& each : recorded) { judge.count_block(0, {each.birth_ns, size, each.interval_bytes, false}); }
        sampled_totals counted = all;
        if (is_escalated) { counted.objects = static_cast<double>(of_term); }
        judge.count_site(0, {counted, {}, {}, 0});
        judge.end_look();
    }
    void escalate(bool is_on, std::uint64_t now) {
        judge.set_escalated(0, is_escalated = is_on, now * epoch);
        if (is_on) { judge.count_site(0, {}); }
    }
    verdict said() const { return judge.verdict_of(verdict_subject::site, 0); }
};

}  // namespace

TEST_CASE("engine: a site with more births than its escalation has pages for grows by all of them") {
    fast_leak leak;
    for (std::uint64_t now = 1; now <= 5; ++now) { leak.live_through(now); }
    leak.escalate(true, 5);
    for (std::uint64_t now = 6; now <= 60; ++now) {
        leak.live_through(now);
        if (now == 40) {  // its pages are used up
            const verdict before = leak.said();
            REQUIRE(before.kind == verdict_class::leak_retained);
            leak.escalate(false, now);
            const verdict after = leak.said();
            CHECK(after.retained_bytes == Approx(before.retained_bytes));
            CHECK(after.rate_bytes_per_second == Approx(before.rate_bytes_per_second));
            CHECK(after.since_ns == before.since_ns);
        }
        if (now < 24) { continue; }
        const verdict v = leak.said();
        CAPTURE(now, v.rate_bytes_per_second, v.rate_error);
        CHECK(v.kind == verdict_class::leak_retained);
        CHECK(v.rate_bytes_per_second == Approx(fast_leak::bytes_per_second).epsilon(0.35));
        CHECK(std::abs(v.rate_bytes_per_second - fast_leak::bytes_per_second) <= 2.5 * v.rate_error);
        CHECK(v.retained_bytes == Approx(static_cast<double>(now - 2) * 64 * fast_leak::size).epsilon(0.3));
    }
}

TEST_CASE("engine: a site whose samples grow rare because R was raised is in doubt, and not steady") {
    for (const std::uint64_t raised : {std::uint64_t{64} << 10U, std::uint64_t{16} << 20U, look::no_interval}) {
        engine judge{engine_settings{epoch, {}}};
        sampled_totals allocated;
        std::vector<std::uint64_t> births;
        for (std::uint64_t now = 1; now <= 40; ++now) {
            // 25 samples an epoch at R = 64 KiB; at 16 MiB one in ten epochs, and none has come yet.
            for (std::uint64_t i = 0; now <= 5 && i < 25; ++i) {
                births.push_back((now - 1) * epoch + (i + 1) * epoch / 26);
                allocated.add(512, 64U << 10U);
            }
            look at{now * epoch, 1, false, 0, 0};
            at.interval_bytes = 64U << 10U;
            at.small_interval_bytes = now <= 5 ? at.interval_bytes : raised;
            judge.begin_look(at);
            for (const std::uint64_t birth : births) { judge.count_block(0, {birth, 512, 64U << 10U, false}); }
            judge.count_site(0, {allocated, {}, {}, 0});
            judge.end_look();
        }
        const verdict v = judge.verdict_of(verdict_subject::site, 0);
        CAPTURE(raised);
        if (raised == 64U << 10U) {
            CHECK(v.kind == verdict_class::steady);
        } else {
            CHECK(v.kind == verdict_class::inconclusive);
            CHECK(v.doubt == verdict_doubt::records_lost);
        }
    }
}

TEST_CASE("engine: what is called a leak keeps something and grows, at each look") {
    // Half of what is born dies in its ninth epoch; from the thirtieth on, at once.
    program p;
    for (int i = 1; i <= 300; ++i) {
        p.run(1, [&](program& self, double now) {
            for (int k = 0; k < 4; ++k) { self.born(now + k * 0.2, k % 2 == 0 ? program::never : i < 30 ? 8.5 : 0.1); }
        });
        const verdict v = p.said();
        CAPTURE(i);
        if (level_of(v.kind) != verdict_level::none) {
            CHECK(v.retained_bytes > 0);
            CHECK(v.rate_bytes_per_second > 0);
        }
    }
    CHECK(p.said().kind == verdict_class::leak_retained);
}
