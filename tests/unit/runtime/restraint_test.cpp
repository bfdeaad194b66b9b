// SPDX-License-Identifier: Apache-2.0
// The rules against made-up costs and a made-up clock, then the keeper in this process: what each step switches, and back.
#include "runtime/tasks/restraint.hpp"

#include <catch2/catch.hpp>
#include <string>

#include <memwatch/memwatch.hpp>
#include "capture/capture_state.hpp"
#include "platform/platform.hpp"
#include "runtime/process_state.hpp"
#include "runtime/self_bytes.hpp"

using namespace memwatch;
using step = restraint_step;

namespace {

constexpr std::uint64_t mib = 1ULL << 20U;
constexpr std::uint64_t second = 1'000'000'000;

// A look every 5 s, as the keeper's.
struct simulation {
    explicit simulation(const restraint_rules::limits& limits) { rules.begin(limits, now); }
    // How often the step changed.
    int run(double seconds, double cpu_share, std::uint64_t bytes) {
        int changes = 0;
        for (double t = 0; t < seconds; t += 5) {
            now.now_ns += 5 * second;
            now.self_ns += static_cast<std::uint64_t>(cpu_share * 5e9);
            now.self_bytes = bytes;
            changes += rules.update(now) ? 1 : 0;
        }
        return changes;
    }
    restraint_rules rules;
    restraint_rules::reading now{second, 0, 0};
};

// 4 % of a CPU, 16 MiB.
constexpr restraint_rules::limits limits{16 * mib, 20, 2};

std::uint64_t activity_of(const snapshot& s, const std::string& name) {
    for (const named_value& each : s.activity) {
        if (each.name == name) { return each.value; }
    }
    return ~std::uint64_t{0};
}

}  // namespace

TEST_CASE("restraint_rules: within its limits, up to the last permille and byte, it never does less", "[runtime]") {
    simulation s(limits);
    CHECK(s.run(86'400, 0.0399, 16 * mib) == 0);
    CHECK(s.rules.step() == step::none);
}

TEST_CASE("restraint_rules: a cost that does not go away is met with a step a window, down to off", "[runtime]") {
    simulation s(limits);
    CHECK(s.run(10, 0.05, 0) == 1);
    CHECK(s.rules.step() == step::raised_interval);
    CHECK(s.rules.cause() == restraint_cause::cpu);
    s.run(10, 0.05, 0);
    CHECK(s.rules.step() == step::counters_only);
    s.run(10, 0.05, 0);
    CHECK(s.rules.step() == step::off);
    CHECK(s.run(100, 0.05, 0) == 0);  // there is nothing below it
}

TEST_CASE("restraint_rules: what helped is kept, and taken back a step at a time once there is room for the hold",
          "[runtime]") {
    simulation s(limits);
    s.run(20, 0.05, 0);
    REQUIRE(s.rules.step() == step::counters_only);
    CHECK(s.run(300, 0.03, 0) == 0);  // below the limit, and no room
    CHECK(s.run(50, 0.001, 0) == 0);  // room, not for long enough
    CHECK(s.run(20, 0.001, 0) == 1);
    CHECK(s.rules.step() == step::raised_interval);
    CHECK(s.run(70, 0.001, 0) == 1);
    CHECK(s.rules.step() == step::none);
    CHECK(s.rules.cause() == restraint_cause::none);
}

TEST_CASE("restraint_rules: bytes count alone, with their own room", "[runtime]") {
    simulation s(limits);
    s.run(10, 0, 17 * mib);
    CHECK(s.rules.step() == step::raised_interval);
    CHECK(s.rules.cause() == restraint_cause::bytes);
    CHECK(s.run(300, 0, 15 * mib) == 0);
    CHECK(s.run(70, 0, 13 * mib) == 1);
}

TEST_CASE("restraint_rules: a cost that returns with each trial makes trials rare: no more than 24 a day after the first hours",
          "[runtime]") {
    simulation s(limits);
    const auto day = [&] {
        int trials = 0;
        step before = s.rules.step();
        for (int i = 0; i < 86'400 / 5; ++i) {
            // Sampling is what costs: nothing from counters_only on.
            s.run(5, s.rules.step() >= step::counters_only ? 0 : 0.2, 0);
            trials += s.rules.step() < before ? 1 : 0;
            before = s.rules.step();
        }
        return trials;
    };
    CHECK(day() <= 24 + 7);  // and those that doubled the hold from a minute to an hour
    CHECK(s.rules.hold_ns() == restraint_rules::longest_hold_ns);
    CHECK(day() <= 24);
    // It went away: an hour at none forgives.
    s.run(3 * 3600, 0, 0);
    CHECK(s.rules.step() == step::none);
    s.run(3600, 0, 0);
    CHECK(s.rules.hold_ns() == restraint_rules::first_hold_ns);
}

TEST_CASE("restraint_rules: without limits, and with a clock that began anew, nothing happens", "[runtime]") {
    simulation none({0, 0, 1});
    CHECK(none.run(1000, 2, ~std::uint64_t{0} / 2) == 0);
    simulation anew(limits);
    anew.run(10, 0.03, 0);
    anew.now.self_ns = 0;
    CHECK(anew.run(10, 0.03, 0) == 0);
}

namespace {

// The keeper on its worker's thread, with the clock of the test: 10 s a turn. Without a worker, so that nobody else turns it.
struct kept_session {
    explicit kept_session(std::uint64_t budget_bytes = 16 * mib) {
        options wanted;
        wanted.control = control_option::off;
        wanted.verdicts = verdicts_option::off;
        wanted.max_overhead_permille = 20;
        wanted.budget_bytes = budget_bytes;
        running = session::start(wanted);
        state.worker.stop();
        turn();
    }
    void turn() {
        now_ns += 10 * second;
        static_cast<void>(state.restraint.turn(state, now_ns));
    }
    // As though samples had taken so much of a second each.
    void spend(double share) { spend_ns(share * 10e9); }
    void spend_ns(double ns) {
        for (; ns > 0; ns -= self_meter::most_of_an_event_ns) {
            state.capture.cost.add_work(0, self_meter::most_of_an_event_ns);
        }
    }
    process_state& state = process();
    session running;
    std::uint64_t now_ns = platform::monotonic_ns() + 3600 * second;
};

}  // namespace

TEST_CASE("restraint: a step is a switch, a line of status, a figure and a count; and all of it goes back", "[runtime]") {
    kept_session kept;
    capture_state& capture = kept.state.capture;
    const std::uint64_t interval = capture.interval.in_force();
    const std::uint64_t tightened = capture.losses.of(degradation::restraint_tightened);
    REQUIRE(kept.running.status().state != session_state::stopped);

    kept.spend(5);
    kept.turn();
    CHECK(kept.state.restraint.step() == step::raised_interval);
    CHECK(capture.interval.in_force() == 8 * interval);
    CHECK(capture.is_sampling);
    kept.spend(5);
    kept.turn();
    CHECK(kept.state.restraint.step() == step::counters_only);
    CHECK_FALSE(capture.is_sampling);
    CHECK(kept.running.status().state == session_state::degraded);
    CHECK(kept.running.status().detail.find("permille") != std::string::npos);
    CHECK(activity_of(*kept.running.summary(), "restraint_step") == 2);
    CHECK(activity_of(*kept.running.summary(), "own_cpu_ppm") >= 5'000'000);
    kept.spend(5);
    kept.turn();
    CHECK(kept.state.restraint.step() == step::off);
    CHECK(capture.losses.of(degradation::restraint_tightened) == tightened + 3);

    // Tags are exact through all of it.
    const tag owner{"restrained"};
    const auto before = owner.totals().allocated_bytes;
    { std::vector<char, tracked_allocator<char>> some(1000, 'x', tracked_allocator<char>{owner}); }
    CHECK(owner.totals().allocated_bytes == before + 1000);

    for (int i = 0; i < 30; ++i) { kept.turn(); }
    CHECK(kept.state.restraint.step() == step::none);
    CHECK(capture.is_sampling);
    CHECK(capture.interval.in_force() == interval);
    CHECK(activity_of(*kept.running.summary(), "restraint_step") == 0);
}

TEST_CASE("restraint: somebody's preset full is not judged by its CPU time, and no target is no limit", "[runtime]") {
    kept_session kept;
    REQUIRE(kept.running.set_preset(preset_option::full, 60 * second));
    kept.state.worker.stop();  // a term brings one; the turns are the test's
    kept.spend(5);
    kept.turn();
    CHECK(kept.state.restraint.step() == step::none);
    REQUIRE(kept.running.set({{"preset", "on"}, {"target_overhead", "0"}}));
    kept.spend(5);
    kept.turn();
    CHECK(kept.state.restraint.step() == step::none);
    REQUIRE(kept.running.set({{"target_overhead", "5"}, {"max_overhead", "1000"}}));
    kept.spend(0.5);
    kept.turn();
    CHECK(kept.state.restraint.step() == step::none);
}

TEST_CASE("restraint: another session begins at none", "[runtime]") {
    {
        kept_session kept;
        for (int i = 0; i < 2; ++i) {
            kept.spend(5);
            kept.turn();
        }
        REQUIRE(kept.state.restraint.step() == step::counters_only);
    }
    kept_session again;
    CHECK(again.state.restraint.step() == step::none);
    CHECK(again.state.capture.is_sampling);
}

TEST_CASE("restraint: what has a limit of its own is not held against the budget", "[runtime]") {
    CHECK(budgeted_bytes({{"live_table", 10}, {"ledger_records", 100}, {"history", 1000}, {"edge_waste", 5}}) == 15);
}
