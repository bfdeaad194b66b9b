// SPDX-License-Identifier: Apache-2.0
// Presets, intervals and pauses while allocations go on: what doors are told, and that estimates stay unbiased.
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <memwatch/memwatch.hpp>
#include <memwatch/snapshot/codec.hpp>
#include "capture/heap_door.hpp"
#include "model/sampling_stop.hpp"
#include "runtime/lifecycle.hpp"
#include "support/full_session.hpp"

using namespace memwatch;

namespace {

using buffer = std::vector<char, tracked_allocator<char>>;

std::vector<preset_option>& told() {
    static std::vector<preset_option> list;
    return list;
}

const heap_door door{"test", "none", [](preset_option now) noexcept { told().push_back(now); }, nullptr};

double estimate_of(const session& s, tag owner) {
    const auto frozen = s.snapshot();
    double sum = 0;
    for (const site& each : frozen->sites) {
        if (each.tag == owner.id()) { sum += each.live.bytes; }
    }
    return sum;
}

}  // namespace

TEST_CASE("steering: a name given twice is refused, and nothing changes", "[runtime]") {
    session s = session::start({});
    const options before = s.effective_options();
    for (const std::vector<std::pair<std::string, std::string>>& twice :
         {std::vector<std::pair<std::string, std::string>>{{"preset", "full"}, {"preset", "on"}},
          {{"preset", "full"}, {"preset", "full"}},
          {{"preset", "full"}, {"for", "1m"}, {"interval", "4KiB"}, {"for", "2m"}}}) {
        const auto refused = s.set(twice);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == error_code::invalid_argument);
        CHECK(refused.error().message().find("given twice") != std::string::npos);
        CHECK(s.effective_options().preset == before.preset);
    }
    CHECK(s.set({{"preset", "full"}, {"for", "1m"}}));
    CHECK(s.set({{"preset", "on"}}));
}

TEST_CASE("steering: a door is told the preset when it registers and at each change, in order", "[runtime]") {
    static const bool is_registered = register_heap_door(door);
    REQUIRE(is_registered);
    CHECK(told().back() == preset_option::off);
    told().clear();
    {
        session s = session::start({});
        const session joined = session::start({});
        CHECK(s.set_preset(preset_option::full));
        CHECK(s.effective_options().preset == preset_option::full);
        CHECK(s.pause());
        CHECK(s.resume());
        CHECK(s.set_preset(preset_option::off));
    }
    using enum preset_option;
    CHECK(told() == std::vector<preset_option>{on, full, off, full, off, off});
}

TEST_CASE("steering: without a session nothing can be steered, and nonsense is refused", "[runtime]") {
    session none;
    CHECK(none.set_preset(preset_option::on).error().code == error_code::unavailable);
    CHECK(none.pause().error().code == error_code::unavailable);
    session s = session::start({});
    CHECK(s.set_interval(0).error().code == error_code::invalid_argument);
    CHECK(s.set_interval((std::uint64_t{1} << 40U) + 1).error().code == error_code::invalid_argument);
    CHECK(s.set_interval(std::uint64_t{1} << 40U));
}

TEST_CASE("steering: what is switched on is noticed within 1 MiB, off within the draw; pauses add nothing", "[runtime]") {
    const test_support::session_with s(preset_option::full);
    session steer = session::start({});
    const tag owner{"switched"};
    const auto allocate = [&] { return buffer(4096, 'x', tracked_allocator<char>{owner}); };
    const buffer first = allocate();
    CHECK(s.live_records(owner) == 1);
    REQUIRE(steer.pause());
    std::vector<buffer> kept;
    for (int i = 0; i < 100; ++i) { kept.push_back(allocate()); }
    CHECK(s.live_records(owner) == 1);
    REQUIRE(steer.resume());
    for (int i = 0; i < 256; ++i) { kept.push_back(allocate()); }  // 1 MiB: noticed by now
    const std::size_t noticed = s.live_records(owner);
    for (int i = 0; i < 50; ++i) { kept.push_back(allocate()); }
    CHECK(s.live_records(owner) == noticed + 50);
    kept.clear();
    CHECK(s.live_records(owner) == 1);
}

TEST_CASE("steering: what is frozen while nothing is sampled says why", "[runtime]") {
    session steer = session::start({});
    const auto why = [&] {
        const result<snapshot> now = steer.summary();
        REQUIRE(now);
        const char* const reason = why_nothing_is_sampled(*now);
        return std::string(reason == nullptr ? "" : reason);
    };
    CHECK(why().empty());
    REQUIRE(steer.pause());
    CHECK(why() == "paused");
    REQUIRE(steer.resume());
    CHECK(why().empty());
    REQUIRE(steer.set_preset(preset_option::off));
    CHECK(why() == "preset off");
    REQUIRE(steer.set_preset(preset_option::on));
    CHECK(why().empty());
}

TEST_CASE("steering: estimates stay unbiased while the interval changes all the time", "[runtime]") {
    // 40,000 blocks of 2 KiB; R jumps between 16, 64 and 256 KiB. Standard error: each block with chance p counts S/p, and p is
    // at least that of R = 256 KiB for the worst case. 4 sigma: one run in 16,000 fails by chance.
    constexpr std::size_t size = 2048;
    constexpr int blocks = 40'000;
    const test_support::session_with s(preset_option::on, 64U << 10U);
    session steer = session::start({});
    const tag owner{"flipped"};
    std::vector<buffer> kept;
    kept.reserve(blocks);
    const std::uint64_t intervals[] = {16U << 10U, 256U << 10U, 64U << 10U};
    for (int i = 0; i < blocks; ++i) {
        if (i % 37 == 0) { REQUIRE(steer.set_interval(intervals[(i / 37) % 3])); }
        kept.emplace_back(size, 'x', tracked_allocator<char>{owner});
    }
    const double p = 1 - std::exp(-double{size} / (256U << 10U));
    const double sigma = size * std::sqrt(blocks * (1 - p) / p);
    CHECK(std::fabs(estimate_of(s.get(), owner) - double{size} * blocks) < 4 * sigma);
}

TEST_CASE("steering: presets change from many threads while others allocate, and balanced churn ends at nothing", "[runtime]") {
    const test_support::session_with s(preset_option::on, 4096);
    const tag owner{"contended"};
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 20'000; ++i) { const buffer b(100, 'x', tracked_allocator<char>{owner}); }
        });
    }
    threads.emplace_back([&] {
        session steer = session::start({});
        const preset_option presets[] = {preset_option::off, preset_option::on, preset_option::full};
        for (int i = 0; i < 300; ++i) { CHECK(steer.set_preset(presets[i % 3])); }
    });
    for (std::thread& t : threads) { t.join(); }
    CHECK(s.live_records(owner) == 0);
    CHECK(owner.totals().live_bytes() == 0);
}

TEST_CASE("exit dump: one a session, into the folder that was named, readable by its owner only", "[runtime]") {
    char folder[] = "/tmp/memwatch-exit-dump-XXXXXX";
    REQUIRE(mkdtemp(folder) != nullptr);
    CHECK_FALSE(write_exit_dump());
    {
        options wanted;
        wanted.dump_dir = folder;
        const session s = session::start(wanted);
        CHECK(write_exit_dump());
        CHECK_FALSE(write_exit_dump());  // the same session
    }
    int files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        ++files;
        CHECK(entry.path().extension() == ".memtrace");
        CHECK((entry.status().permissions() & std::filesystem::perms::mask) == std::filesystem::perms(0600));
        CHECK(read_dump(entry.path().string())->value.info.label == "exit");
    }
    CHECK(files == 1);
    std::filesystem::remove_all(folder);
}
