// SPDX-License-Identifier: Apache-2.0
// What must hold of the engine whatever it thinks: laws over a recorded hour of a small service, replayed in other orders,
// units and companies. Nothing here is statistical: a replay is the same numbers, so equal means equal.
#include <algorithm>
#include <functional>
#include <numeric>
#include <random>
#include <vector>

#include <catch2/catch.hpp>

#include "support/seed.hpp"
#include "verdict/engine.hpp"

using namespace memwatch;

namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;

struct numbered_block {
    std::uint32_t site;
    alive_block alive;
};

struct recorded_look {
    look at;
    std::vector<numbered_block> blocks;
    std::vector<site_totals> sites;
};

struct recording {
    std::uint64_t epoch_ns{};
    std::vector<recorded_look> looks;
};

// One site's births in a look, and how long they live (seconds).
struct behaviour {
    double births_per_second;
    std::uint64_t size_bytes;
    std::function<double(double birth_s, std::mt19937_64&)> life_s;
};

constexpr double for_ever = 1e12;

std::vector<behaviour> behaviours() {
    const auto exponential = [](double mean_s) {
        return [mean_s](double, std::mt19937_64& random) { return std::exponential_distribution<double>(1 / mean_s)(random); };
    };
    return {
        {40, 64, exponential(0.5)},                                   // a request's
        {5, 4096, exponential(60)},                                   // a connection's
        {3, 512, [](double, std::mt19937_64&) { return for_ever; }},  // the leak
        {20, 256,
         [](double, std::mt19937_64& random) { return random() % 20 == 0 ? for_ever : 0.2; }},  // the leak on a rare path
        {4, 1024, [](double, std::mt19937_64&) { return 45.0; }},                               // a ring
        {2, 2048, [](double birth, std::mt19937_64&) { return 200 - std::fmod(birth, 200); }},  // batches
        {6, 128, [](double birth, std::mt19937_64&) { return birth < 15 ? for_ever : 0.1; }},   // made at the start
        {4, 300, [](double birth, std::mt19937_64&) { return 0.4 * birth + 1; }},               // a queue that falls behind
        {0.01, 8 << 20, exponential(300)},                                                      // large and rare
        {0.02, 64, exponential(1)},                                                             // hardly ever
    };
}

recording record(std::uint64_t seed, double epoch_s = 10, unsigned looks = 90) {
    std::mt19937_64 random(seed);
    const std::vector<behaviour> sites = behaviours();
    struct living {
        double birth_s;
        double death_s;
        bool is_traced;
    };
    std::vector<std::vector<living>> alive(sites.size());
    std::vector<site_totals> totals(sites.size());
    const auto ns = [](double seconds) { return second_ns + static_cast<std::uint64_t>(seconds * 1e9); };
    recording whole{static_cast<std::uint64_t>(epoch_s * 1e9), {}};
    for (unsigned i = 0; i < looks; ++i) {
        const double from_s = i * epoch_s;
        const double to_s = from_s + epoch_s;
        recorded_look now;
        now.at.time_ns = ns(to_s);
        now.at.sites = static_cast<std::uint32_t>(sites.size());
        now.at.is_exact = true;
        now.at.completed_traces = 50 * (i + 1);
        for (std::uint32_t s = 0; s < sites.size(); ++s) {
            const auto births = std::poisson_distribution<unsigned>(sites[s].births_per_second * epoch_s)(random);
            for (unsigned b = 0; b < births; ++b) {
                const double birth_s = std::uniform_real_distribution<double>(from_s, to_s)(random);
                alive[s].push_back({birth_s, birth_s + sites[s].life_s(birth_s, random), random() % 2 == 0});
                totals[s].allocated.add(sites[s].size_bytes, 0);
            }
            std::vector<living> left;
            for (const living& each : alive[s]) {
                if (each.death_s > to_s) {
                    left.push_back(each);
                    now.blocks.push_back({s, {ns(each.birth_s), sites[s].size_bytes, 0, each.is_traced}});
                } else {
                    totals[s].freed.add(sites[s].size_bytes, 0);
                }
            }
            alive[s] = std::move(left);
        }
        now.sites = totals;
        whole.looks.push_back(std::move(now));
    }
    return whole;
}

// The engine's settings scale with the recording's epoch and nothing else.
engine engine_for(const recording& of) {
    engine_settings settings;
    settings.epoch_ns = of.epoch_ns;
    return engine(settings);
}

void show(engine& to, const recorded_look& now) {
    to.begin_look(now.at);
    for (const numbered_block& each : now.blocks) { to.count_block(each.site, each.alive); }
    for (std::uint32_t s = 0; s < now.sites.size(); ++s) { to.count_site(s, now.sites[s]); }
    to.end_look();
}

// What was said of each site at each look; a site that was not judged is `inconclusive`.
using story = std::vector<std::vector<verdict_class>>;

std::vector<verdict_class> classes_of(const engine& of, std::size_t sites) {
    std::vector<verdict_class> said(sites, verdict_class::inconclusive);
    for (const verdict& each : of.verdicts()) {
        if (each.index < sites) { said[each.index] = each.kind; }
    }
    return said;
}

story replay(const recording& whole) {
    engine judge = engine_for(whole);
    story told;
    for (const recorded_look& each : whole.looks) {
        show(judge, each);
        told.push_back(classes_of(judge, each.sites.size()));
    }
    return told;
}

bool is_leak(verdict_class kind) { return level_of(kind) == verdict_level::leak; }

// Halves the sampling: what was weighted with R is weighted with 2R, the same samples.
void double_weights(sampled_totals& sum) {
    sum.bytes *= 2;
    sum.objects *= 2;
    sum.bytes_variance *= 4;
    sum.objects_variance *= 4;
}

// The same recording as samples at R, where each block stands for `weight` of its kind.
recording sampled(recording whole, std::uint64_t interval_bytes) {
    for (recorded_look& each : whole.looks) {
        each.at.is_exact = false;
        for (numbered_block& b : each.blocks) { b.alive.interval_bytes = interval_bytes; }
        for (std::uint32_t s = 0; s < each.sites.size(); ++s) {
            const std::uint64_t size = behaviours()[s].size_bytes;
            const auto weigh = [&](sampled_totals& sum) {
                sampled_totals one;
                one.add(size, interval_bytes);
                const auto n = static_cast<double>(sum.samples);
                sum = {one.bytes * n, one.objects * n, one.bytes_variance * n, one.objects_variance * n, sum.samples};
            };
            weigh(each.sites[s].allocated);
            weigh(each.sites[s].freed);
        }
    }
    return whole;
}

}  // namespace

TEST_CASE("engine laws: the recording has leaks that are found and sites that are left alone") {
    const std::uint64_t seed = test_support::seed();
    INFO("seed " << seed);
    const auto last = replay(record(seed)).back();
    CHECK(is_leak(last[2]));
    CHECK(is_leak(last[3]));
    CHECK_FALSE(is_leak(last[0]));
    CHECK_FALSE(is_leak(last[4]));
    CHECK_FALSE(is_leak(last[6]));
    CHECK_FALSE(is_leak(last[9]));
}

TEST_CASE("engine laws: a permutation of the sites permutes the verdicts") {
    const std::uint64_t seed = test_support::seed();
    INFO("seed " << seed);
    const recording plain = record(seed);
    std::vector<std::uint32_t> to(behaviours().size());
    std::iota(to.begin(), to.end(), 0U);
    std::shuffle(to.begin(), to.end(), std::mt19937_64(seed));
    recording permuted = plain;
    for (std::size_t i = 0; i < plain.looks.size(); ++i) {
        for (numbered_block& each : permuted.looks[i].blocks) { each.site = to[each.site]; }
        for (std::size_t s = 0; s < to.size(); ++s) { permuted.looks[i].sites[to[s]] = plain.looks[i].sites[s]; }
    }
    const story before = replay(plain);
    const story after = replay(permuted);
    for (std::size_t i = 0; i < before.size(); ++i) {
        for (std::size_t s = 0; s < to.size(); ++s) { REQUIRE(after[i][to[s]] == before[i][s]); }
    }
}

TEST_CASE("engine laws: the order in which blocks are counted does not matter") {
    const std::uint64_t seed = test_support::seed();
    INFO("seed " << seed);
    const recording plain = record(seed);
    recording shuffled = plain;
    std::mt19937_64 random(seed);
    for (recorded_look& each : shuffled.looks) { std::shuffle(each.blocks.begin(), each.blocks.end(), random); }
    CHECK(replay(shuffled) == replay(plain));
}

TEST_CASE("engine laws: a site that never allocated changes nothing") {
    const std::uint64_t seed = test_support::seed();
    INFO("seed " << seed);
    const recording plain = record(seed);
    recording larger = plain;
    for (recorded_look& each : larger.looks) {
        each.sites.resize(each.sites.size() + 50);
        each.at.sites += 50;
    }
    story told = replay(larger);
    for (auto& said : told) { said.resize(behaviours().size()); }
    CHECK(told == replay(plain));
}

TEST_CASE("engine laws: an epoch and all times k times as long give the same classes") {
    const std::uint64_t seed = test_support::seed();
    INFO("seed " << seed);
    const recording plain = record(seed);
    // Powers of two, so that nothing is rounded.
    for (const std::uint64_t k : {2ULL, 8ULL, 64ULL}) {
        recording longer = plain;
        longer.epoch_ns *= k;
        for (recorded_look& each : longer.looks) {
            each.at.time_ns *= k;
            for (numbered_block& b : each.blocks) { b.alive.birth_ns *= k; }
        }
        INFO("k " << k);
        CHECK(replay(longer) == replay(plain));
    }
}

TEST_CASE("engine laws: blocks that are all k times as large give the same classes") {
    const std::uint64_t seed = test_support::seed();
    INFO("seed " << seed);
    // As samples, in bytes; by a power of two, at an R as many times larger, so that the probabilities are the same.
    const recording plain = sampled(record(seed), 1U << 20U);
    recording larger = plain;
    for (recorded_look& each : larger.looks) {
        for (numbered_block& b : each.blocks) { b.alive.size_bytes *= 4, b.alive.interval_bytes *= 4; }
        for (site_totals& s : each.sites) {
            for (sampled_totals* sum : {&s.allocated, &s.freed}) { sum->bytes *= 4, sum->bytes_variance *= 16; }
        }
    }
    CHECK(replay(larger) == replay(plain));
}

TEST_CASE("engine laws: samples that stand for twice as much create no leak") {
    const std::uint64_t seed = test_support::seed();
    INFO("seed " << seed);
    recording plain = sampled(record(seed), 1U << 20U);
    recording heavier = plain;
    for (recorded_look& each : heavier.looks) {
        for (numbered_block& b : each.blocks) { b.alive.interval_bytes *= 2; }
        for (site_totals& s : each.sites) { double_weights(s.allocated), double_weights(s.freed); }
    }
    const story before = replay(plain);
    const story after = replay(heavier);
    for (std::size_t i = 0; i < before.size(); ++i) {
        for (std::size_t s = 0; s < before[i].size(); ++s) {
            // Of blocks above R the weight does not double: the large and rare one may differ.
            if (behaviours()[s].size_bytes > (1U << 20U)) { continue; }
            INFO("look " << i << " site " << s);
            if (is_leak(after[i][s])) { REQUIRE(is_leak(before[i][s])); }
        }
    }
}

TEST_CASE("engine laws: after reset() nothing is remembered") {
    const std::uint64_t seed = test_support::seed();
    INFO("seed " << seed);
    const recording other = record(seed + 1);
    const recording plain = record(seed);
    engine used = engine_for(plain);
    for (const recorded_look& each : other.looks) { show(used, each); }
    used.reset();
    CHECK(used.looks() == 0);
    // What was born before a reset is not counted, so both see the second half alone.
    engine fresh = engine_for(plain);
    fresh.reset();
    for (std::size_t i = plain.looks.size() / 2; i < plain.looks.size(); ++i) {
        show(used, plain.looks[i]);
        show(fresh, plain.looks[i]);
        REQUIRE(classes_of(used, behaviours().size()) == classes_of(fresh, behaviours().size()));
    }
}

TEST_CASE("engine laws: looks that come late, or twice, neither hide a leak nor make one") {
    const std::uint64_t seed = test_support::seed();
    INFO("seed " << seed);
    const recording plain = record(seed, 10, 180);
    std::mt19937_64 random(seed);
    recording ragged = plain;
    ragged.looks.clear();
    for (const recorded_look& each : plain.looks) {
        const auto luck = random() % 4;
        if (luck == 0) { continue; }  // late: the next one has two epochs in it
        ragged.looks.push_back(each);
        if (luck == 1) { ragged.looks.push_back(each); }  // somebody asked meanwhile
    }
    const auto last = replay(ragged).back();
    CHECK(is_leak(last[2]));
    CHECK(is_leak(last[3]));
    for (const std::size_t healthy : {0U, 4U, 6U, 9U}) {
        INFO("site " << healthy);
        CHECK_FALSE(is_leak(last[healthy]));
    }
}

TEST_CASE("engine laws: what is found stays found while it goes on") {
    const std::uint64_t seed = test_support::seed();
    INFO("seed " << seed);
    const story told = replay(record(seed, 10, 240));
    for (const std::size_t leaking : {2U, 3U}) {
        const auto first = std::find_if(told.begin(), told.end(), [&](const auto& said) { return is_leak(said[leaking]); });
        REQUIRE(first != told.end());
        CHECK(std::all_of(first, told.end(), [&](const auto& said) { return is_leak(said[leaking]); }));
    }
}

TEST_CASE("engine laws: shares are shares, and doubt and severity belong to their classes") {
    const std::uint64_t seed = test_support::seed();
    INFO("seed " << seed);
    recording plain = record(seed);
    for (recorded_look& each : plain.looks) { each.sites.resize(each.at.sites = 1000); }
    engine judge = engine_for(plain);
    for (const recorded_look& each : plain.looks) { show(judge, each); }
    for (const verdict& each : judge.verdicts()) {
        INFO("site " << each.index);
        for (const double share : {each.confidence, each.kept_share, each.kept_share_low, each.kept_share_high,
                                   each.escaped_share, each.other_thread_share}) {
            CHECK(share >= 0);
            CHECK(share <= 1);
        }
        CHECK(each.kept_share_low <= each.kept_share);
        CHECK(each.kept_share <= each.kept_share_high);
        CHECK(each.since_ns <= plain.looks.back().at.time_ns);
        CHECK((each.kind == verdict_class::inconclusive) == (each.doubt != verdict_doubt::none));
        CHECK((level_of(each.kind) == verdict_level::none) == (each.severity == verdict_severity::none));
    }
}
