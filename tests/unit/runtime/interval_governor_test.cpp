// SPDX-License-Identifier: Apache-2.0
// The governor against simulated loads: time and totals are made up, the samples are Poisson. "No more steps than needed"
// checks allow for one window in 740 that is above its target by chance; the unbiasedness check compares at 4 standard errors
// (1 in 15,800 by chance; 4 checks with fixed seeds).
#include "runtime/tasks/interval_governor.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <random>
#include <vector>

#include <memwatch/capture/sampler.hpp>
#include <memwatch/memwatch.hpp>
#include <memwatch/model/weight.hpp>
#include "capture/capture_state.hpp"
#include "platform/platform.hpp"
#include "runtime/process_state.hpp"
#include "runtime/tasks/interval_control.hpp"
#include "support/seed.hpp"

using namespace memwatch;
using step = interval_governor::step;

namespace {

constexpr std::uint64_t mib = 1ULL << 20U;
constexpr std::uint64_t second = 1'000'000'000;

interval_governor::limits limits_of(std::uint32_t samples, std::uint32_t permille, double cpus = 2) {
    return {mib, 64 * mib, samples, permille, cpus};
}

// A program that allocates so many bytes a second, in small blocks, and a look every 50 ms.
struct simulation {
    explicit simulation(const interval_governor::limits& limits, std::uint64_t seed) : random(seed) {
        governor.begin(limits, now);
    }
    void run(double seconds, double bytes_per_second, double ns_per_sample = 2000) {
        for (double t = 0; t < seconds; t += 0.05) {
            const double expected = 0.05 * bytes_per_second / static_cast<double>(governor.interval_bytes());
            const std::uint64_t samples = std::poisson_distribution<std::uint64_t>(expected)(random);
            now.now_ns += second / 20;
            now.samples += samples;
            now.self_ns += static_cast<std::uint64_t>(static_cast<double>(samples) * ns_per_sample);
            const step done = governor.update(now);
            raised += done == step::raised;
            lowered += done == step::lowered;
        }
    }
    std::mt19937_64 random;
    interval_governor governor;
    interval_governor::reading now;
    int raised{};
    int lowered{};
};

}  // namespace

TEST_CASE("interval_governor: within its targets it never leaves the configured interval", "[runtime]") {
    simulation s(limits_of(2000, 5), test_support::seed());
    s.run(600, 1500.0 * mib);
    CHECK(s.governor.interval_bytes() == mib);
    CHECK(s.raised == 0);
}

TEST_CASE("interval_governor: a flood of samples is within the target after a doubling a window", "[runtime]") {
    simulation s(limits_of(2000, 0), test_support::seed());
    s.run(2, 30'000.0 * mib);  // 15 times the target: 4 doublings, 1 s
    CHECK(s.governor.interval_bytes() == 16 * mib);
    CHECK(s.raised == 4);
}

TEST_CASE("interval_governor: cost counts as well as number, against the CPUs there are", "[runtime]") {
    simulation two(limits_of(0, 5, 2), 1);
    two.run(5, 1000.0 * mib, 9'000);  // 9 ms a second; allowed are 0.5 % of 2 CPUs: 10 ms
    CHECK(two.raised == 0);
    simulation half(limits_of(0, 5, 0.5), 1);
    half.run(5, 1000.0 * mib, 6'000);  // 6 ms; allowed are 2.5 ms
    CHECK(half.governor.interval_bytes() == 4 * mib);
}

TEST_CASE("interval_governor: it comes back slowly, step by step, to the floor and not below", "[runtime]") {
    simulation s(limits_of(2000, 5), test_support::seed());
    s.run(5, 30'000.0 * mib);
    REQUIRE(s.governor.interval_bytes() == 16 * mib);
    s.run(9, 10.0 * mib);
    CHECK(s.governor.interval_bytes() == 16 * mib);  // no stretch of 10 s was calm
    s.run(12, 10.0 * mib);
    CHECK(s.governor.interval_bytes() == 8 * mib);
    s.run(100, 10.0 * mib);
    CHECK(s.governor.interval_bytes() == mib);
    CHECK(s.lowered == s.raised);
}

TEST_CASE("interval_governor: after an hour without a look it comes down at once, as far as the load allows", "[runtime]") {
    simulation s(limits_of(2000, 5), test_support::seed());
    s.run(5, 30'000.0 * mib);
    s.now.now_ns += 3600 * second;
    s.now.samples += 100;
    CHECK(s.governor.update(s.now) == step::lowered);
    CHECK(s.governor.interval_bytes() == mib);
}

TEST_CASE("interval_governor: the cap holds, and a cap below the floor is the floor", "[runtime]") {
    simulation s(limits_of(10, 5), test_support::seed());
    s.run(60, 1e6 * mib);
    CHECK(s.governor.interval_bytes() == 64 * mib);
    interval_governor::limits low = limits_of(10, 5);
    low.cap_bytes = 1000;
    simulation fixed(low, test_support::seed());
    fixed.run(60, 1e6 * mib);
    CHECK(fixed.governor.interval_bytes() == mib);
    interval_governor::limits full = limits_of(10, 5);
    full.floor_bytes = 0;
    interval_governor every;
    every.begin(full, {});
    CHECK(every.update({second, 1'000'000, second}) == step::none);
    CHECK(every.interval_bytes() == 0);
}

TEST_CASE("interval_governor: a steady load, whatever its size, meets an interval that it stays at", "[runtime]") {
    const std::uint64_t seed = test_support::seed();
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    int extra = 0;
    for (int i = 0; i < 60; ++i) {
        const double load = std::exp(std::uniform_real_distribution<double>(std::log(10.0), std::log(60'000.0))(random));
        const auto target = static_cast<std::uint32_t>(10 + random() % 4000);
        simulation s(limits_of(target, 0), random());
        s.run(30, load * mib);
        const std::uint64_t settled = s.governor.interval_bytes();
        s.raised = s.lowered = 0;
        s.run(300, load * mib);
        CAPTURE(load, target, settled, s.governor.interval_bytes(), s.raised, s.lowered);
        CHECK(s.raised + s.lowered <= 4);
        extra += s.raised + s.lowered;
        const double rate = load * mib / static_cast<double>(s.governor.interval_bytes());
        CHECK((rate <= 1.2 * target || s.governor.interval_bytes() == 64 * mib));
        // Not coarser than needed: at half of the interval it would be above half of the target.
        CHECK((s.governor.interval_bytes() == mib || 2 * rate >= 0.4 * target));
    }
    CHECK(extra <= 30);  // 60 loads x 1200 windows, most of them far from the target
}

TEST_CASE("interval_governor: sums stay unbiased while it moves R under the sampler", "[runtime]") {
    const std::size_t block = GENERATE(as<std::size_t>{}, 64, 3000, 200'000, 4'000'000);
    capture_state& capture = process_capture();
    interval_control control;
    options wanted;
    wanted.target_samples_per_second = 500;
    wanted.target_overhead_permille = 0;
    control.begin(capture, wanted, 64 << 10);
    capture.interval.set(sampling_interval::wish::configured, 64 << 10);
    capture.interval.set(sampling_interval::wish::live_table, 0);
    const bool was_sampling = capture.is_sampling.exchange(true);
    detail::this_thread.countdown = 0;
    detail::this_thread.random_state = 0;
    static_cast<void>(detail::take_sample(0));
    detail::this_thread.random_state = 20261122 + block;
    sampled_totals estimate;
    double truth = 0;
    std::uint64_t clock = platform::monotonic_ns();
    std::vector<std::uint64_t> seen;
    for (int tick = 0; tick < 1200; ++tick) {  // 5 min of 250 ms: 20 s of a flood, then 40 s of nearly nothing, and again
        const double bytes = tick % 240 < 80 ? 100e6 : 1e6;
        for (double done = 0; done < bytes; done += static_cast<double>(block)) {
            truth += static_cast<double>(block);
            if (!detail::countdown_borrows(block)) { continue; }
            if (const detail::sample_ticket ticket = detail::take_sample(block); ticket.is_taken) {
                estimate.add(block, ticket.interval_bytes);
                capture.cost.add_sample(0, 0);
            }
        }
        clock += second / 4;
        control.turn(capture, clock);
        if (seen.empty() || seen.back() != capture.interval.in_force()) { seen.push_back(capture.interval.in_force()); }
    }
    capture.is_sampling = was_sampling;
    capture.interval.set(sampling_interval::wish::load, 0);
    CAPTURE(estimate.bytes, truth, estimate.bytes_standard_error(), estimate.samples, seen.size());
    if (block < 100'000) { CHECK(seen.size() > 10); }  // it did move; some blocks a second are no flood, whatever R
    CHECK(std::abs(estimate.bytes - truth) <= 4 * estimate.bytes_standard_error() + 1);
}

TEST_CASE("interval_control: a session whose samples exceed their target raises R, says so, and starts anew with the next",
          "[runtime]") {
    options wanted;
    wanted.interval_bytes = 1024;
    wanted.target_samples_per_second = 100;
    session running = session::start(wanted);
    CHECK(running.summary()->info.interval_bytes == 1024);
    const std::uint64_t before = process().capture.losses.of(degradation::load_interval_raised);
    const std::uint64_t deadline = platform::monotonic_ns() + 20 * second;
    const tag owner("governed");
    while (running.summary()->info.interval_bytes < 8192 && platform::monotonic_ns() < deadline) {
        for (int i = 0; i < 1000; ++i) {
            const std::vector<char, tracked_allocator<char>> block(500, 0, tracked_allocator<char>{owner});
        }
    }
    CHECK(running.summary()->info.interval_bytes >= 8192);
    CHECK(process().capture.losses.of(degradation::load_interval_raised) >= before + 3);
    CHECK(running.effective_options().interval_bytes == 1024);
    CHECK(process().capture.cost.spent_ns() > 0);
    running.stop();
    wanted.target_samples_per_second = 0;
    wanted.target_overhead_permille = 0;
    const session again = session::start(wanted);
    CHECK(again.summary()->info.interval_bytes == 1024);
}
