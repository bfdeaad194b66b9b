// SPDX-License-Identifier: Apache-2.0
// The forecast against simulated processes whose end is known. Eight kinds of leak, each run with parameters and a moment of
// its own; the truth is the first second in which the limit is met.
//
// Odds: of some 490 runs with forecasts, 91.4 % +- 1.3 hold the truth. A sound forecast leaves 85-95 % with 1 set of seeds in
// 300; a nominal 90 % that were 80 % would stay inside with 1 in 300. Seeds are fixed: the test always says the same.
//   build/tests/unit/footprint/unit-footprint '[coverage]'      5,000 runs, as a table (docs/memory-limits.md)
#include "footprint/time_to_oom.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdio>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "footprint/growth.hpp"

using namespace memwatch;

namespace {

constexpr double mib = 1048576;
constexpr std::uint64_t second_ns = 1'000'000'000;

struct chance {
    std::mt19937_64 bits;
    double between(double low, double high) { return std::uniform_real_distribution<>(low, high)(bits); }
    // Between them on a logarithmic scale.
    double about(double low, double high) { return std::exp(between(std::log(low), std::log(high))); }
    double normal() { return std::normal_distribution<>()(bits); }
    double waiting(double mean) { return std::exponential_distribution<>(1 / mean)(bits); }
    int count(double mean) { return std::poisson_distribution<>(mean)(bits); }
};

// A leak that would take `life_s` at a steady rate, somewhere between 10 minutes and 6 hours.
struct leak {
    double life_s, rate, start;
    double limit{};
    double first_moment_s{40};
    explicit leak(chance& c) : life_s(c.about(600, 20'000)), rate(c.about(0.01, 1) * mib), start(c.about(50, 500) * mib) {
        limit = start + room();
    }
    [[nodiscard]] double room() const { return rate * life_s; }
};

struct simulation {
    double limit;
    double first_moment_s;                // no question before
    std::function<double(double)> bytes;  // asked second by second
};

// Noise around a mean that is pulled back to it within `tau_s`; of standard deviation 1.
struct pulled_back {
    double keeps, now;
    pulled_back(chance& c, double tau_s) : keeps(std::exp(-1 / tau_s)), now(c.normal()) {}
    double next(chance& c) { return now = keeps * now + std::sqrt(1 - keeps * keeps) * c.normal(); }
};

simulation white_noise(chance& c) {
    const leak l(c);
    const double noise = c.about(0.003, 0.1) * l.room();
    return {l.limit, l.first_moment_s, [=, &c](double t) { return l.start + l.rate * t + noise * c.normal(); }};
}

simulation requests_in_flight(chance& c) {
    const leak l(c);
    const double noise = c.about(0.003, 0.1) * l.room();
    pulled_back busy(c, c.about(1, 120));
    return {l.limit, l.first_moment_s, [=, &c](double t) mutable { return l.start + l.rate * t + noise * busy.next(c); }};
}

simulation lumps(chance& c) {
    const leak l(c);
    const double size = c.about(0.002, 0.03) * l.room();
    double leaked = 0;
    return {l.limit, l.first_moment_s, [=, &c](double) mutable {
                for (int i = c.count(l.rate / size); i > 0; --i) { leaked += c.waiting(size); }
                return l.start + leaked + 0.1 * mib * c.normal();
            }};
}

simulation saw_tooth(chance& c) {
    const leak l(c);
    const double height = c.about(0.01, 0.2) * l.room();
    const double period_s = c.about(5, 120);
    return {l.limit, l.first_moment_s, [=, &c](double t) {
                return l.start + l.rate * t + height * std::fmod(t / period_s, 1.0) + 0.1 * mib * c.normal();
            }};
}

// The rate goes with the load, up and down by 30 % within minutes.
simulation with_the_load(chance& c) {
    const leak l(c);
    pulled_back load(c, c.about(60, 600));
    double leaked = 0;
    return {l.limit, l.first_moment_s, [=, &c](double) mutable {
                leaked += l.rate * std::max(0.0, 1 + 0.3 * load.next(c));
                return l.start + leaked + 0.2 * mib * c.normal();
            }};
}

simulation spikes(chance& c) {
    const leak l(c);
    const double size = c.about(0.02, 0.2) * l.room();
    const double odds = c.about(0.002, 0.02);
    int left_s = 0;
    return {l.limit, l.first_moment_s, [=, &c](double t) mutable {
                left_s = left_s > 0 ? left_s - 1 : c.between(0, 1) < odds ? 3 : 0;
                return l.start + l.rate * t + (left_s > 0 ? size : 0) + 0.2 * mib * c.normal();
            }};
}

simulation late_beginning(chance& c) {
    const leak l(c);
    const double begins_s = c.between(300, 4000);
    const double noise = c.about(0.003, 0.03) * l.room();
    return {l.limit, l.first_moment_s,
            [=, &c](double t) { return l.start + l.rate * std::max(0.0, t - begins_s) + noise * c.normal(); }};
}

// Asked after the step: nobody can know of one that is to come.
simulation after_a_step(chance& c) {
    const leak l(c);
    const double at_s = c.between(100, l.life_s / 2);
    const double step = c.between(0.05, 0.2) * l.room();
    const double noise = c.about(0.003, 0.03) * l.room();
    return {l.limit + step, at_s + 1,
            [=, &c](double t) { return l.start + l.rate * t + (t > at_s ? step : 0) + noise * c.normal(); }};
}

struct kind {
    const char* name;
    simulation (*make)(chance&);
};
constexpr kind leaks[] = {{"white noise", &white_noise},
                          {"requests in flight", &requests_in_flight},
                          {"lumps", &lumps},
                          {"saw-tooth", &saw_tooth},
                          {"with the load", &with_the_load},
                          {"spikes", &spikes},
                          {"late beginning", &late_beginning},
                          {"after a step", &after_a_step}};

memory_reading reading_of(double bytes, double limit, std::size_t second) {
    memory_reading out;
    out.time_ns = (second + 1) * second_ns;
    out.cgroup.unreclaimable = static_cast<std::uint64_t>(std::max(0.0, bytes));
    out.cgroup.current = out.cgroup.unreclaimable;
    out.cgroup.limit = static_cast<std::uint64_t>(limit);
    return out;
}

struct score {
    int runs{}, silent{}, held{}, sooner{}, later{};
    [[nodiscard]] double held_percent() const { return 100.0 * held / (runs - silent); }
    void add(const score& other) {
        runs += other.runs;
        silent += other.silent;
        held += other.held;
        sooner += other.sooner;
        later += other.later;
    }
};

// One question at a moment somewhere in the life of the process.
void ask_once(simulation made, chance& c, score& into) {
    constexpr std::size_t longest_s = 200'000;
    std::vector<double> bytes;
    while (bytes.size() < longest_s && (bytes.empty() || bytes.back() < made.limit)) {
        bytes.push_back(made.bytes(static_cast<double>(bytes.size())));
    }
    const double end_s = static_cast<double>(bytes.size() - 1);
    if (end_s < made.first_moment_s + 5) { return; }
    const auto asked = static_cast<std::size_t>(c.between(made.first_moment_s, end_s - 1));
    const auto curve = std::make_unique<memory_curve>();
    for (std::size_t t = 0; t <= asked; ++t) { curve->add(reading_of(bytes[t], made.limit, t), 0); }
    const auto said = forecast_oom(*curve, 0);
    const double truth = end_s - static_cast<double>(asked);
    ++into.runs;
    into.silent += !said;
    if (!said) { return; }
    into.sooner += truth < said->least_seconds;
    into.later += truth > said->most_seconds;
    into.held += truth >= said->least_seconds && truth <= said->most_seconds;
}

score score_of(const kind& of, int runs) {
    chance c{std::mt19937_64(42)};
    score out;
    for (int i = 0; i < runs; ++i) { ask_once(of.make(c), c, out); }
    return out;
}

// A day's worth of a process that does not leak: in how many of its minutes an end within a day was forecast.
double false_share(const std::function<double(chance&, double)>& bytes, double limit, std::uint64_t seed) {
    chance c{std::mt19937_64(seed)};
    memory_curve curve;
    int asked = 0;
    int wrong = 0;
    for (std::size_t t = 0; t < 6 * 3600; ++t) {
        curve.add(reading_of(bytes(c, static_cast<double>(t)), limit, t), 0);
        if (t < 150 || t % 60 != 0) { continue; }
        const auto said = forecast_oom(curve, 0);
        ++asked;
        wrong += said && said->least_seconds < 86'400;
    }
    return static_cast<double>(wrong) / asked;
}

std::optional<oom_forecast> forecast_for(const std::function<double(double)>& bytes, std::size_t seconds, double limit) {
    memory_curve curve;
    for (std::size_t t = 0; t < seconds; ++t) { curve.add(reading_of(bytes(static_cast<double>(t)), limit, t), 0); }
    return forecast_oom(curve, 0);
}

}  // namespace

TEST_CASE("time to OOM: 90 % intervals hold the truth in 85-95 % of simulated leaks", "[footprint]") {
    score all;
    for (const kind& each : leaks) {
        const score one = score_of(each, 70);
        CAPTURE(each.name, one.runs, one.silent, one.sooner, one.later);
        CHECK(one.held_percent() > 70);  // 60 runs: 3 standard errors below the worst kind's 82 %
        CHECK(one.silent < one.runs / 2 + 1);
        all.add(one);
    }
    CAPTURE(all.runs, all.silent, all.held, all.sooner, all.later);
    CHECK(all.held_percent() >= 85);
    CHECK(all.held_percent() <= 95);
}

TEST_CASE("time to OOM: the coverage of each kind of leak, as a table", "[.coverage]") {
    score all;
    const auto print = [](const char* name, const score& s) {
        const int spoken = s.runs - s.silent;
        std::printf("%-20s %5d runs %5d silent   held %5.1f %%   sooner %4.1f %%   later %4.1f %%\n", name, s.runs, s.silent,
                    s.held_percent(), 100.0 * s.sooner / spoken, 100.0 * s.later / spoken);
    };
    for (const kind& each : leaks) {
        const score one = score_of(each, 625);
        print(each.name, one);
        all.add(one);
    }
    print("all", all);
    CHECK(all.held_percent() >= 85);
    CHECK(all.held_percent() <= 95);
}

TEST_CASE("time to OOM: processes that do not leak are hardly ever given a day", "[footprint]") {
    const auto noise = [](chance& c, double) { return 300 * mib + 20 * mib * c.normal(); };
    const auto breathing = [](chance& c, double t) { return 300 * mib + 30 * mib * std::sin(t / 300) + mib * c.normal(); };
    const auto stairs = [](chance& c, double t) {  // two caches that are filled at once
        return (300 + (t > 3000 ? 100 : 0) + (t > 9000 ? 50 : 0)) * mib + mib * c.normal();
    };
    const auto filled = [](chance& c, double t) { return (300 + 200 * (1 - std::exp(-t / 60))) * mib + mib * c.normal(); };
    CHECK(false_share(noise, 1000 * mib, 1) < 0.15);
    CHECK(false_share(breathing, 1000 * mib, 2) < 0.35);  // every half hour it does grow for a quarter of one
    CHECK(false_share(stairs, 1000 * mib, 3) < 0.15);
    CHECK(false_share(filled, 1000 * mib, 4) < 0.15);
}

TEST_CASE("time to OOM: a straight line is told to the second, and what it is about", "[footprint]") {
    const auto said = forecast_for([](double t) { return 100 * mib + mib * t; }, 600, 1000 * mib);
    REQUIRE(said);
    CHECK(said->seconds == Approx(301).margin(15));
    CHECK(said->least_seconds <= 301);
    CHECK(said->most_seconds >= 301);
    CHECK(said->growth_bytes_per_s == Approx(mib).epsilon(0.02));
    CHECK(static_cast<double>(said->limit_bytes) == 1000 * mib);
    CHECK(static_cast<double>(said->headroom_bytes) == Approx(301 * mib).epsilon(0.01));
    CHECK_FALSE(said->is_of_address_space);
}

TEST_CASE("time to OOM: nothing is said of what shrinks, stands still, has no limit or was seen for half a minute",
          "[footprint]") {
    CHECK_FALSE(forecast_for([](double t) { return 900 * mib - 0.1 * mib * t; }, 1200, 1000 * mib));
    CHECK_FALSE(forecast_for([](double) { return 900 * mib; }, 1200, 1000 * mib));
    CHECK_FALSE(forecast_for([](double t) { return 100 * mib + mib * t; }, 600, 0));
    CHECK_FALSE(forecast_for([](double t) { return 100 * mib + mib * t; }, 29, 1000 * mib));
}

TEST_CASE("time to OOM: a leak that was stopped is forgotten within minutes, though the hour before grew", "[footprint]") {
    const auto stopped = [](double t) { return 100 * mib + 0.1 * mib * std::min(t, 3600.0); };
    CHECK(forecast_for(stopped, 3600, 1000 * mib));
    CHECK_FALSE(forecast_for(stopped, 3600 + 300, 1000 * mib));
}

TEST_CASE("time to OOM: another group becoming the tightest is no growth", "[footprint]") {
    memory_curve curve;
    for (std::size_t t = 0; t < 600; ++t) {
        curve.add(reading_of((t < 500 ? 100.0 : 700.0) * mib, 1000 * mib, t), t < 500 ? 0 : 1);
    }
    CHECK_FALSE(forecast_oom(curve, 0));
}

TEST_CASE("time to OOM: RLIMIT_AS is met by address space, not by what is resident", "[footprint]") {
    memory_curve curve;
    memory_reading now;
    for (std::size_t t = 0; t < 600; ++t) {
        now.time_ns = (t + 1) * second_ns;
        now.process.resident = t << 20U;  // grows within what was reserved
        now.process.address_space = static_cast<std::uint64_t>(2000 * mib);
        curve.add(now, 0);
    }
    CHECK_FALSE(forecast_oom(curve, static_cast<std::uint64_t>(2100 * mib)));
    for (std::size_t t = 600; t < 1600; ++t) {
        now.time_ns = (t + 1) * second_ns;
        now.process.address_space += static_cast<std::uint64_t>(mib / 20);
        curve.add(now, 0);
    }
    const auto said = forecast_oom(curve, static_cast<std::uint64_t>(2100 * mib));
    REQUIRE(said);
    CHECK(said->is_of_address_space);
    CHECK(said->seconds == Approx(1000).epsilon(0.1));
}

TEST_CASE("growth: odds and bounds agree with each other", "[footprint]") {
    chance c{std::mt19937_64(7)};
    std::vector<double> values;
    for (int i = 0; i < 30; ++i) { values.push_back(10.0 * i + 5 * c.normal()); }
    const growth_fit fit(values.data(), values.size(), 0.01);
    for (const double odds : {0.05, 0.5, 0.95}) {
        CHECK(1 - fit.odds_of_growth(fit.growth_at(odds)) == Approx(odds).margin(1e-6));
        CHECK(fit.odds_of_reaching(1000, fit.steps_until(1000, odds)) == Approx(odds).margin(1e-6));
    }
    CHECK(fit.growth_at(0.05) < 10);
    CHECK(fit.growth_at(0.95) > 10);
    CHECK(fit.steps_until(100, 0.5) == 0);  // passed long ago
    CHECK(std::isinf(fit.steps_until(-1e9, 0.5)) == false);
}

TEST_CASE("growth: times ten is times ten", "[footprint]") {
    chance c{std::mt19937_64(8)};
    std::vector<double> values;
    std::vector<double> larger;
    for (int i = 0; i < 30; ++i) {
        values.push_back(3.0 * i + 5 * c.normal());
        larger.push_back(values.back() * 10);
    }
    const growth_fit one(values.data(), values.size(), 0.1);
    const growth_fit ten(larger.data(), larger.size(), 1);
    CHECK(ten.growth_at(0.05) == Approx(10 * one.growth_at(0.05)));
    CHECK(ten.steps_until(10'000, 0.95) == Approx(one.steps_until(1000, 0.95)));
}
