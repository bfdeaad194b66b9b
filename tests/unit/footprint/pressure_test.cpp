// SPDX-License-Identifier: Apache-2.0
// Levels of pressure from made-up readings, and the curve they are kept in.
#include "footprint/pressure.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <limits>
#include <memory>
#include <string>

#include "footprint/memory_curve.hpp"
#include "footprint/timeline.hpp"

using namespace memwatch;

namespace {

constexpr std::uint64_t second = 1'000'000'000;

memory_reading at(std::uint64_t second_number, std::uint64_t unreclaimable, std::uint64_t limit) {
    memory_reading out;
    out.time_ns = second_number * second;
    out.cgroup = {unreclaimable, unreclaimable, limit, {}};
    return out;
}

}  // namespace

TEST_CASE("pressure: by what is left of the limit, up at once and down after half a minute", "[footprint]") {
    pressure_gauge gauge;
    CHECK(gauge.judge(at(1, 500, 1000)) == pressure_level::none);
    CHECK(gauge.judge(at(2, 800, 1000)) == pressure_level::some);
    CHECK(gauge.judge(at(3, 950, 1000)) == pressure_level::critical);
    CHECK(gauge.judge(at(4, 500, 1000)) == pressure_level::critical);
    CHECK(gauge.judge(at(20, 960, 1000)) == pressure_level::critical);  // was not calm for long
    CHECK(gauge.judge(at(21, 500, 1000)) == pressure_level::critical);
    CHECK(gauge.judge(at(50, 500, 1000)) == pressure_level::critical);
    CHECK(gauge.judge(at(51, 500, 1000)) == pressure_level::none);
    CHECK(gauge.times_risen_to(pressure_level::some) == 1);
    CHECK(gauge.times_risen_to(pressure_level::critical) == 1);
    CHECK(gauge.judge(at(52, 960, 1000)) == pressure_level::critical);
    CHECK(gauge.times_risen_to(pressure_level::some) == 2);
}

TEST_CASE("pressure: without a limit there is none, however much is used", "[footprint]") {
    pressure_gauge gauge;
    CHECK(gauge.judge(at(1, 1ULL << 40U, 0)) == pressure_level::none);
    CHECK(gauge.pause_ns() == second);
}

TEST_CASE("pressure: meeting the limit with page cache is daily life, with memory of its own it is not", "[footprint]") {
    pressure_gauge reader_of_files;
    memory_reading now = at(1, 300, 1000);
    now.cgroup.current = 990;
    static_cast<void>(reader_of_files.judge(now));
    now.time_ns += second;
    now.cgroup.events.max = 5000;
    CHECK(reader_of_files.judge(now) == pressure_level::none);

    pressure_gauge hungry;
    now = at(1, 600, 1000);
    static_cast<void>(hungry.judge(now));
    now.time_ns += second;
    now.cgroup.events.high = 1;
    CHECK(hungry.judge(now) == pressure_level::some);
}

TEST_CASE("pressure: events that were counted before anybody looked are history", "[footprint]") {
    pressure_gauge gauge;
    memory_reading now = at(1, 600, 1000);
    now.cgroup.events = {1, 2, 3, 4, 5};
    CHECK(gauge.judge(now) == pressure_level::none);
    now.time_ns += second;
    CHECK(gauge.judge(now) == pressure_level::none);
    now.time_ns += second;
    ++now.cgroup.events.oom_kill;  // another process of the group was killed
    CHECK(gauge.judge(now) == pressure_level::critical);
}

TEST_CASE("pressure: what the service manager says is believed for half a minute", "[footprint]") {
    pressure_gauge gauge;
    gauge.hear(5 * second);
    CHECK(gauge.judge(at(6, 100, 0)) == pressure_level::some);
    CHECK(gauge.judge(at(36, 100, 0)) == pressure_level::some);  // calm from here on
    CHECK(gauge.judge(at(67, 100, 0)) == pressure_level::none);
}

TEST_CASE("pressure: readings come ten times as often near the end, and before it when the end comes fast", "[footprint]") {
    pressure_gauge gauge;
    static_cast<void>(gauge.judge(at(1, 500, 1000)));
    CHECK(gauge.pause_ns() == second);
    static_cast<void>(gauge.judge(at(2, 501, 1000)));
    CHECK(gauge.pause_ns() == second);  // 499 seconds are left
    static_cast<void>(gauge.judge(at(3, 600, 1000)));
    CHECK(gauge.pause_ns() < second / 4);  // 4 are
    static_cast<void>(gauge.judge(at(4, 960, 1000)));
    CHECK(gauge.pause_ns() == second / 10);
}

TEST_CASE("memory curve: a point a second, the mean of a minute, and no more than they take", "[footprint]") {
    const auto curve = std::make_unique<memory_curve>();
    for (std::uint64_t t = 0; t < 3600; ++t) {
        curve->add(at(t, t * 1024, 0), 0);
        curve->add(at(t, t * 1024, 0), 0);  // a second reading of the same second replaces the first
    }
    CHECK(curve->second_count() == memory_curve::kept_seconds);
    CHECK(curve->minute_count() == 59);
    CHECK(curve->second(0).unreclaimable == 3599);
    CHECK(curve->minute(58).unreclaimable == 29);  // mean of 0 .. 59
    CHECK(curve->minute(58).peak == 59);
    CHECK(curve->minute(58).seconds == 60);
    const auto whole = curve->copy(86'400);
    REQUIRE(whole.size() == 900 + 45);
    for (std::size_t i = 1; i < whole.size(); ++i) { CHECK(whole[i - 1].second < whole[i].second); }
    CHECK(curve->copy(60).size() == 61);
    for (std::uint64_t t = 3600; t < 200'000; ++t) { curve->add(at(t, 0, 0), 0); }
    CHECK(curve->minute_count() == memory_curve::kept_minutes);
    CHECK(sizeof *curve < 160 * 1024);
}

TEST_CASE("memory curve: the peak between two seconds is kept", "[footprint]") {
    memory_curve curve;
    curve.add(at(10, 100 * 1024, 0), 0);
    memory_reading peak = at(10, 500 * 1024, 0);
    peak.time_ns += second / 2;
    curve.add(peak, 0);
    peak.time_ns += second / 4;
    peak.cgroup.unreclaimable = 120 * 1024;
    curve.add(peak, 0);
    CHECK(curve.second_count() == 1);
    CHECK(curve.second(0).unreclaimable == 120);
    CHECK(curve.second(0).peak == 500);
}

namespace {

memory_timeline made_timeline() {
    memory_timeline out;
    memory_curve curve;
    for (std::uint64_t t = 0; t < 600; ++t) { curve.add(at(t, (100 + t / 10) << 20U, 512U << 20U), 0); }
    out.points = curve.copy(900);
    out.latest = at(599, 159U << 20U, 512U << 20U);
    out.latest.process.resident = 200U << 20U;
    out.level = pressure_level::some;
    out.forecast = oom_forecast{599 * second, 512U << 20U, 353U << 20U, false, 104'857.6, 3529, 3300, 3800};
    return out;
}

memory_timeline made_forecast(double seconds, double least, double most) {
    memory_timeline out = made_timeline();
    out.forecast->seconds = seconds;
    out.forecast->least_seconds = least;
    out.forecast->most_seconds = most;
    return out;
}

}  // namespace

TEST_CASE("timeline: a sentence of when the limit is met, or why nobody says so", "[footprint]") {
    memory_timeline shown = made_timeline();
    CHECK(sentence_of(shown) == "grows by 102.4 KiB/s: the limit of 512.0 MiB is met in 58m49s (55m00s .. 1h03m, 90 %)");
    shown.forecast.reset();
    CHECK(sentence_of(shown) == "no growth towards the limit that is beyond doubt");
    shown.latest.cgroup.limit = 0;
    CHECK(sentence_of(shown) == "no limit is set, so none is forecast");
    shown = made_forecast(41.401, 41.107, 41.62);
    CHECK(sentence_of(shown).find("met in 41.4 s (41.1 s .. 41.7 s, 90 %)") != std::string::npos);
    shown = made_forecast(59.97, 59.42, 61.2);
    CHECK(sentence_of(shown).find("met in 1m00s (59.4 s .. 1m02s, 90 %)") != std::string::npos);
    shown = made_forecast(0.04, 0.04, 0.26);
    CHECK(sentence_of(shown).find("met in 0 s (0 s .. 300 ms, 90 %)") != std::string::npos);
    CHECK(sentence_of({}) == "nobody reads: memwatch has no thread here");
    CHECK(render_text({}) == "nobody reads: memwatch has no thread here\n");
}

TEST_CASE("timeline: text is a screen of rows that ends with now", "[footprint]") {
    const std::string text = render_text(made_timeline());
    CHECK(std::count(text.begin(), text.end(), '\n') == 35);
    CHECK(text.find("pressure: some") != std::string::npos);
    CHECK(text.find("-0 B") == std::string::npos);
    const std::string last = text.substr(text.rfind('\n', text.size() - 2) + 1);
    CHECK(last.find("159.0 MiB") != std::string::npos);
    CHECK(last.find("#########") != std::string::npos);  // 31 % of 30
}

TEST_CASE("timeline: JSON has bytes, and what is not known is null", "[footprint]") {
    memory_timeline shown = made_timeline();
    std::string json = render_json(shown);
    CHECK(json.find("\"kind\": \"memwatch.timeline\"") != std::string::npos);
    CHECK(json.find("\"unreclaimable_bytes\": 166723584") != std::string::npos);
    CHECK(json.find("\"most_seconds\": 3800") != std::string::npos);
    shown.forecast->most_seconds = std::numeric_limits<double>::infinity();
    CHECK(render_json(shown).find("\"most_seconds\": null") != std::string::npos);
    CHECK(render_text(shown).find("no end") != std::string::npos);
    shown.forecast->most_seconds = 1e12;
    CHECK(render_text(shown).find("over a year") != std::string::npos);
    shown.forecast.reset();
    CHECK(render_json(shown).find("\"forecast\": null") != std::string::npos);
}
