// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>
#include <string_view>

#include "blackbox/event.hpp"
#include "blackbox/pulse.hpp"
#include "support/seed.hpp"

using namespace memwatch;
using namespace memwatch::blackbox;

namespace {

std::string_view text_of(const pulse_bytes& bytes, std::size_t used) {
    return {reinterpret_cast<const char*>(bytes.data()), used};
}

pulse through_bytes(const pulse& p) {
    pulse_bytes bytes{};
    const std::size_t used = encode(p, bytes);
    const auto back = decode_pulse(text_of(bytes, used));
    REQUIRE(back);
    return *back;
}

void check_equal(const pulse& a, const pulse& b) {
    CHECK(a.reading.time_ns == b.reading.time_ns);
    CHECK(a.reading.process.resident == b.reading.process.resident);
    CHECK(a.reading.process.anonymous == b.reading.process.anonymous);
    CHECK(a.reading.process.file == b.reading.process.file);
    CHECK(a.reading.process.shared == b.reading.process.shared);
    CHECK(a.reading.process.swapped == b.reading.process.swapped);
    CHECK(a.reading.process.page_tables == b.reading.process.page_tables);
    CHECK(a.reading.process.address_space == b.reading.process.address_space);
    CHECK(a.reading.process.threads == b.reading.process.threads);
    CHECK(a.reading.cgroup.current == b.reading.cgroup.current);
    CHECK(a.reading.cgroup.unreclaimable == b.reading.cgroup.unreclaimable);
    CHECK(a.reading.cgroup.limit == b.reading.cgroup.limit);
    CHECK(a.reading.cgroup.events.low == b.reading.cgroup.events.low);
    CHECK(a.reading.cgroup.events.high == b.reading.cgroup.events.high);
    CHECK(a.reading.cgroup.events.max == b.reading.cgroup.events.max);
    CHECK(a.reading.cgroup.events.oom == b.reading.cgroup.events.oom);
    CHECK(a.reading.cgroup.events.oom_kill == b.reading.cgroup.events.oom_kill);
    CHECK(a.reading.live_bytes == b.reading.live_bytes);
    CHECK(a.reading.self_bytes == b.reading.self_bytes);
    CHECK(a.level == b.level);
    CHECK(a.forecast.has_value() == b.forecast.has_value());
    CHECK(a.completed_traces == b.completed_traces);
    CHECK(a.live_samples == b.live_samples);
    CHECK(a.leaks == b.leaks);
    CHECK(a.suspects == b.suspects);
}

}  // namespace

TEST_CASE("pulse: what is encoded is decoded, all tags included", "[blackbox]") {
    std::mt19937_64 random(test_support::seed());
    for (int round = 0; round < 200; ++round) {
        const auto number = [&] { return random() >> (8 + random() % 56); };
        pulse p;
        p.reading = {
            number(),
            {number(), number(), number(), number(), number(), number(), number(), static_cast<std::uint32_t>(random())},
            {number(), number(), number(), {number(), number(), number(), number(), number()}},
            number(),
            number()};
        p.level = static_cast<pressure_level>(random() % pressure_level_count);
        if (round % 2 == 0) { p.forecast = oom_forecast{number(), number(), number(), round % 4 == 0, 5e6, 93.5, 80.25, 110}; }
        p.completed_traces = number();
        p.live_samples = number();
        p.leaks = number();
        p.suspects = number();
        for (p.tag_count = 0; p.tag_count < random() % (pulse::most_tags + 1); ++p.tag_count) {
            p.tags[p.tag_count] = {random() % 1024, number()};
        }
        const pulse back = through_bytes(p);
        check_equal(p, back);
        REQUIRE(back.tag_count == p.tag_count);
        for (std::size_t i = 0; i < p.tag_count; ++i) {
            CHECK(back.tags[i].tag == p.tags[i].tag);
            CHECK(back.tags[i].live_bytes == p.tags[i].live_bytes);
        }
        if (p.forecast) { CHECK(back.forecast->seconds == Approx(93.5)); }
        if (p.forecast) { CHECK(back.forecast->is_of_address_space == p.forecast->is_of_address_space); }
        if (p.forecast) { CHECK(back.forecast->least_seconds == Approx(80.25)); }
    }
}

TEST_CASE("pulse: a forecast may be unbounded, and of no time at all", "[blackbox]") {
    pulse p;
    p.forecast = oom_forecast{0, 0, 0, false, 0, 0, 0, std::numeric_limits<double>::infinity()};
    const pulse back = through_bytes(p);
    REQUIRE(back.forecast);
    CHECK(back.forecast->seconds == 0);
    CHECK(std::isinf(back.forecast->most_seconds));
    p.forecast->seconds = std::numeric_limits<double>::quiet_NaN();
    CHECK(std::isinf(through_bytes(p).forecast->seconds));
}

TEST_CASE("pulse: the largest figures fit, what has no room is left out whole", "[blackbox]") {
    constexpr auto most = std::numeric_limits<std::uint64_t>::max();
    pulse p;
    p.reading = {most,
                 {most, most, most, most, most, most, most, 0xFFFFFFFF},
                 {most, most, most, {most, most, most, most, most}},
                 most,
                 most};
    p.forecast = oom_forecast{most, most, most, true, 9e17, 1e300, 1e300, 1e300};
    p.completed_traces = p.live_samples = p.leaks = p.suspects = most;
    p.tag_count = pulse::most_tags;
    for (auto& tag : p.tags) { tag = {most, most}; }
    const pulse back = through_bytes(p);
    check_equal(p, back);
    CHECK(back.tag_count < p.tag_count);
    for (std::size_t i = 0; i < back.tag_count; ++i) { CHECK(back.tags[i].live_bytes == most); }
}

TEST_CASE("pulse: unknown fields are passed over, half a number is none", "[blackbox]") {
    CHECK(decode_pulse(std::string_view("\x7f\x05\x02\x2a", 4))->reading.process.resident == 42);
    CHECK_FALSE(decode_pulse(std::string_view("\x02\x80", 2)));
    CHECK_FALSE(decode_pulse(std::string_view("\x02", 1)));
    CHECK_FALSE(decode_pulse(std::string_view("\x02\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 12)));
    CHECK(decode_pulse(""));
}

TEST_CASE("event: a word and a sentence, cut to a sector", "[blackbox]") {
    char bytes[sector_payload_bytes];
    const std::size_t used = encode(event{event_names::verdict, "order-cache leaks"}, bytes);
    const auto back = decode_event({bytes, used});
    REQUIRE(back);
    CHECK(back->name == "verdict");
    CHECK(back->text == "order-cache leaks");
    CHECK(encode(event{std::string(100, 'n'), std::string(1000, 't')}, bytes) == sector_payload_bytes);
    CHECK(decode_event({bytes, sizeof bytes})->name.size() == 32);
    CHECK_FALSE(decode_event("no end"));
}
