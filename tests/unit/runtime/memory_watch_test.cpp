// SPDX-License-Identifier: Apache-2.0
// The memory watch through a session, a fake clock and made-up kernel files.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <memwatch/base/log.hpp>
#include <memwatch/memwatch.hpp>
#include <memwatch/snapshot/codec.hpp>
#include "../footprint/kernel_tree.hpp"
#include "../platform/told_pressure.hpp"
#include "runtime/process_state.hpp"
#include "support/fake_clock.hpp"
#include "support/lsan_fork.hpp"

using namespace memwatch;
using test_support::fake_clock;
using test_support::kernel_tree;
using manager = test_support::service_manager;
using test_support::second;

MEMWATCH_LEFT_BY_FORK("leak:memwatch::v1::memory_reader::look_for_groups\n")

namespace {

// A session of which only the test takes turns.
struct watched_program {
    explicit watched_program(const kernel_tree& tree, const std::string& state_dir = {}) : session(start(state_dir)) {
        watch().read_from(tree.roots());
    }

    ~watched_program() { watch().end(); }
    watched_program(const watched_program&) = delete;
    watched_program& operator=(const watched_program&) = delete;

    static memwatch::session start(const std::string& state_dir) {
        options wanted;
        wanted.preset = preset_option::full;
        wanted.clock = &fake_clock::now;
        wanted.control = control_option::off;
        wanted.state_dir = state_dir;
        wanted.blackbox_bytes = 0;  // others' files
        wanted.history_bytes = 0;
        memwatch::session out = session::start(wanted);
        process().worker.stop();
        return out;
    }
    static memory_watch& watch() { return process().memory; }
    static std::uint64_t turn() { return watch().turn(process()); }

    memwatch::session session;
};

std::uint64_t activity_of(const snapshot& s, const std::string& name) {
    const auto at = std::find_if(s.activity.begin(), s.activity.end(), [&](const named_value& v) { return v.name == name; });
    return at == s.activity.end() ? 0 : at->value;
}

}  // namespace

TEST_CASE("memory watch: readings are on the timeline of snapshots, and part of them", "[runtime]") {
    const kernel_tree tree;
    tree.make_v2(1000, 600, "2000");
    watched_program program(tree);
    const std::vector<int, tracked_allocator<int>> kept(1000, 0, tracked_allocator<int>{tag("kept")});
    fake_clock::advance(5 * second);
    CHECK(watched_program::turn() == second);
    const memory_reading got = watched_program::watch().latest();
    const snapshot s = *program.session.summary();
    CHECK(got.time_ns == s.info.taken_ns);
    CHECK(got.cgroup.unreclaimable == 400);
    CHECK(got.process.resident == 500U << 10U);
    CHECK(got.live_bytes >= 4000);
    CHECK(got.self_bytes > 0);
    CHECK(activity_of(s, "cgroup_limit_bytes") == 2000);
    CHECK(activity_of(s, "memory_read_ns") == got.time_ns);
}

TEST_CASE("memory watch: the word of the service manager is pressure, and is heard at once", "[runtime]") {
    const kernel_tree tree;
    tree.make_v2(100, 0, "max");
    manager systemd(tree.path("pressure.sock"));
    REQUIRE(::setenv("MEMORY_PRESSURE_WATCH", tree.path("pressure.sock").c_str(), 1) == 0);
    const watched_program program(tree);
    ::unsetenv("MEMORY_PRESSURE_WATCH");
    static_cast<void>(watched_program::turn());
    systemd.accept();
    CHECK(watched_program::watch().level() == pressure_level::none);
    systemd.say();
    fake_clock::advance(second);
    static_cast<void>(watched_program::turn());
    CHECK(watched_program::watch().level() == pressure_level::some);
}

TEST_CASE("memory watch: growth towards the limit is forecast, told as pressure, and looked at more often", "[runtime]") {
    const kernel_tree tree;
    const watched_program program(tree);
    std::uint64_t pause = 0;
    for (std::uint64_t t = 0; t < 200; ++t) {
        tree.make_v2((100 + 4 * t) << 20U, 0, std::to_string(1000U << 20U));
        fake_clock::advance(second);
        pause = watched_program::turn();
        if (t == 50) { CHECK(pause == second); }
        if (t == 50) { CHECK(watched_program::watch().level() == pressure_level::none); }
    }
    CHECK(watched_program::watch().level() == pressure_level::some);
    CHECK(pause <= second / 4);
    CHECK(watched_program::watch().times_risen_to(pressure_level::some) == 1);
    const auto forecast = watched_program::watch().forecast();
    REQUIRE(forecast);
    CHECK(forecast->seconds == Approx(26).margin(5));
    CHECK(forecast->made_ns == watched_program::watch().latest().time_ns);
    const auto curve = watched_program::watch().curve(60);
    CHECK(curve.size() == 61);
    CHECK(curve.back().unreclaimable - curve.front().unreclaimable == 60 * 4 * 1024);
}

TEST_CASE("memory watch: who does not look any more does not know when memory ends", "[runtime]") {
    const kernel_tree tree;
    const watched_program program(tree);
    for (std::uint64_t t = 0; t < 200; ++t) {
        tree.make_v2((100 + 4 * t) << 20U, 0, std::to_string(1000U << 20U));
        fake_clock::advance(second);
        static_cast<void>(watched_program::turn());
    }
    const auto has = [&](const std::string& name) {
        const auto seen = program.session.summary();
        REQUIRE(seen);
        return std::any_of(seen->activity.begin(), seen->activity.end(), [&](const auto& each) { return each.name == name; });
    };
    CHECK(has("time_to_oom_ms"));
    CHECK(activity_of(*program.session.summary(), "pressure_level") == 1);
    fake_clock::advance(120 * second);
    CHECK_FALSE(has("time_to_oom_ms"));
    CHECK(activity_of(*program.session.summary(), "pressure_level") == 0);
}

namespace {

std::vector<std::string> names_in(const std::string& folder) {
    std::vector<std::string> out;
    for (const auto& each : std::filesystem::directory_iterator(folder)) { out.push_back(each.path().filename().string()); }
    return out;
}

}  // namespace

TEST_CASE("memory watch: when memory gets short a snapshot is written, with memory that was held for it", "[runtime]") {
    const kernel_tree tree;
    tree.make_v2(100, 0, "1000");
    watched_program program(tree, tree.path("state"));
    const std::vector<int, tracked_allocator<int>> kept(1000, 0, tracked_allocator<int>{tag("kept")});
    static_cast<void>(watched_program::turn());
    const std::size_t calm_bytes = watched_program::watch().self_bytes();
    CHECK(names_in(tree.path("state")).empty());

    const auto turn_at = [&](std::uint64_t used, std::uint64_t seconds_later) {
        tree.make_v2(used, 0, "1000");
        fake_clock::advance(seconds_later * second);
        static_cast<void>(watched_program::turn());
    };
    turn_at(850, 1);
    const std::vector<std::string> names = names_in(tree.path("state"));
    REQUIRE(names.size() == 1);
    CHECK(watched_program::watch().self_bytes() + (1U << 20U) < calm_bytes);  // the reserve was given back
    const auto read = read_dump(tree.path("state/" + names.front()));
    REQUIRE(read);
    CHECK(read->value.info.label == "pressure-some");
    CHECK(activity_of(*program.session.summary(), "pressure_snapshots") == 1);

    turn_at(100, 1);
    turn_at(100, 31);  // calm again
    CHECK(watched_program::watch().self_bytes() == calm_bytes);
    turn_at(850, 1);
    CHECK(activity_of(*program.session.summary(), "pressure_snapshots") == 1);  // within ten minutes: one is enough
    turn_at(960, 1);
    CHECK(activity_of(*program.session.summary(), "pressure_snapshots") == 2);  // of another level
    for (int i = 0; i < 6; ++i) {
        turn_at(100, 1);
        turn_at(100, 700);
        std::filesystem::rename(tree.path("state/" + names_in(tree.path("state")).front()),  // names are by the second
                                tree.path("state/pressure-" + std::to_string(i) + "-1.memtrace"));
        turn_at(850, 1);
    }
    CHECK(names_in(tree.path("state")).size() <= 4);
    CHECK(activity_of(*program.session.summary(), "pressure_snapshot_failures") == 0);
}

TEST_CASE("memory watch: a folder that cannot be used costs a snapshot and nothing else", "[runtime]") {
    const kernel_tree tree;
    tree.make_v2(100, 0, "1000");
    tree.write("state", "a file");
    watched_program program(tree, tree.path("state"));
    static_cast<void>(watched_program::turn());
    tree.make_v2(960, 0, "1000");
    fake_clock::advance(second);
    static_cast<void>(watched_program::turn());
    CHECK(watched_program::watch().level() == pressure_level::critical);
    CHECK(activity_of(*program.session.summary(), "pressure_snapshot_failures") >= 1);
}

TEST_CASE("memory watch: a forked child begins without readings", "[runtime]") {
    const kernel_tree tree;
    tree.make_v2(1000, 600, "2000");
    const watched_program program(tree);
    static_cast<void>(watched_program::turn());
    REQUIRE(watched_program::watch().latest().time_ns != 0);
    watched_program::watch().lock_for_fork();
    watched_program::watch().enter_child();
    watched_program::watch().unlock_after_fork();
    CHECK(watched_program::watch().latest().time_ns == 0);
    static_cast<void>(watched_program::turn());
    CHECK(watched_program::watch().latest().cgroup.current == 1000);
}
