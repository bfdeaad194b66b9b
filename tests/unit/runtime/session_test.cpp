// SPDX-License-Identifier: Apache-2.0
#include <memwatch/session.hpp>

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <memwatch/memwatch.hpp>
#include "support/fake_clock.hpp"

using namespace memwatch;
using test_support::fake_clock;
using test_support::second;

namespace {

options full_with_fake_clock() {
    options wanted;
    wanted.service = "fake";
    wanted.preset = preset_option::full;
    wanted.clock = &fake_clock::now;
    return wanted;
}

template <class Type>
using tracked_vector = std::vector<Type, tracked_allocator<Type>>;

const site& site_of(const snapshot& s, const char* tag_name) {
    for (const site& candidate : s.sites) {
        if (s.tags[candidate.tag].name == tag_name && candidate.live.samples > 0) { return candidate; }
    }
    FAIL("no live site with that tag");
    throw 0;
}

}  // namespace

TEST_CASE("session: a default one is stopped, and snapshots need a start", "[runtime]") {
    const session none;
    CHECK(none.status().state == session_state::stopped);
}

TEST_CASE("session: start, join, stop, start again", "[runtime]") {
    options wanted;
    wanted.service = "first";
    session first = session::start(wanted);
    CHECK(first.status().state == session_state::running);
    const std::string id = first.snapshot()->info.session;
    CHECK(id.size() == 32);
    wanted.service = "second";
    session joined = session::start(wanted);
    CHECK(joined.effective_options().service == "first");
    CHECK(joined.status().state == session_state::running);
    CHECK(joined.status().detail.find("joined") != std::string::npos);
    CHECK(first.status().detail.empty());
    CHECK(joined.snapshot()->info.session == id);
    session moved = std::move(first);
    CHECK(first.status().state == session_state::stopped);
    moved.stop();
    moved.stop();
    CHECK(moved.status().state == session_state::stopped);
    CHECK(joined.snapshot()->info.session == id);
    joined.stop();
    CHECK(joined.snapshot().has_value());  // the last state can still be looked at
    const session again = session::start(wanted);
    CHECK(again.effective_options().service == "second");
    CHECK(again.snapshot()->info.session != id);
}

TEST_CASE("session: a snapshot says what, where, since when and for which request", "[runtime]") {
    const session running = session::start(full_with_fake_clock());
    const tag owner{"orders"};
    const std::uint64_t began = running.snapshot()->info.taken_ns;
    fake_clock::advance(25 * second);
    tracked_vector<int> kept{tracked_allocator<int>{owner}};
    {
        const trace_scope scope("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "/api/v2/orders");
        kept.reserve(100);
    }
    fake_clock::advance(5 * second);
    snapshot s = *running.snapshot("mine");
    REQUIRE(validate(s).has_value());
    CHECK(s.info.label == "mine");
    CHECK(s.info.service == "fake");
    CHECK(s.info.taken_ns - began == 30 * second);
    CHECK(s.info.interval_bytes == 0);
    CHECK(s.info.pid > 0);
    CHECK(s.info.resident_bytes > 0);
    const site& only = site_of(s, "orders");
    CHECK(only.type == "int");
    CHECK(only.live.bytes == 400);
    CHECK(only.live.bytes_variance == 0);
    REQUIRE(only.cohorts.size() == 1);
    CHECK(only.cohorts[0].epoch == (began + 25 * second) / s.info.epoch_ns);
    const auto record =
        std::find_if(s.live.begin(), s.live.end(), [&](const live_record& r) { return &s.sites[r.site] == &only; });
    REQUIRE(record != s.live.end());
    CHECK(record->birth_ns - began == 25 * second);
    CHECK(record->birth_ns / s.info.epoch_ns == only.cohorts[0].epoch);
    CHECK(to_string(record->trace) == "4bf92f3577b34da6a3ce929d0e0e4736");
    CHECK(s.routes[record->route] == "/api/v2/orders");
    CHECK(s.threads[record->thread].tid != 0);
    CHECK_FALSE(s.stacks[only.stack].is_truncated);
    running.name_functions(s);
    const auto& frames = s.stacks[only.stack].frames;
    const bool is_named =
        std::any_of(frames.begin(), frames.end(), [&](std::uint32_t f) { return !s.frames[f].lines.empty(); });
    CHECK(is_named);
}

TEST_CASE("session: after a restart epochs go on, so that births and blocks stay together", "[runtime]") {
    tracked_vector<char> kept{tracked_allocator<char>{tag{"kept over"}}};
    {
        const session first = session::start(full_with_fake_clock());
        fake_clock::advance(30 * second);
        kept.assign(100, 'x');
    }
    fake_clock::advance(30 * second);
    const session second_session = session::start(full_with_fake_clock());
    const snapshot s = *second_session.snapshot();
    const site& only = site_of(s, "kept over");
    REQUIRE(only.cohorts.size() == 1);
    const auto record =
        std::find_if(s.live.begin(), s.live.end(), [&](const live_record& r) { return &s.sites[r.site] == &only; });
    REQUIRE(record != s.live.end());
    CHECK(record->birth_ns / s.info.epoch_ns == only.cohorts[0].epoch);
    CHECK(s.info.first_epoch == only.cohorts[0].epoch + 3);
    CHECK(s.info.taken_ns - record->birth_ns == 30 * second);
}

TEST_CASE("session: a summary carries the sites' totals and no records", "[runtime]") {
    const session running = session::start(full_with_fake_clock());
    tracked_vector<char> kept(1000, tracked_allocator<char>{tag{"summed"}});
    const auto summary = running.summary();
    REQUIRE(summary.has_value());
    CHECK(summary->live.empty());
    CHECK(site_of(*summary, "summed").live.bytes == 1000);
}

TEST_CASE("session: lives that ended are in the histogram of their site", "[runtime]") {
    const session running = session::start(full_with_fake_clock());
    {
        tracked_vector<char> kept(1000, tracked_allocator<char>{tag{"lived"}});
        fake_clock::advance(2 * second);
    }
    const auto frozen = running.snapshot();
    double lived = 0;
    for (const site& s : frozen->sites) {
        if (frozen->tags[s.tag].name == "lived") { lived += s.lifetimes.sum_seconds; }
    }
    CHECK(lived == Approx(2));
}

TEST_CASE("options: what is out of range degrades the session, with a sentence", "[runtime]") {
    const session degraded = session::start([] {
        options bad;
        bad.stack_depth = 1000;
        return bad;
    }());
    CHECK(degraded.status().state == session_state::degraded);
    CHECK(degraded.status().detail.find("stack_depth") != std::string::npos);
    CHECK(degraded.status().detail.find("more)") == std::string::npos);
    CHECK(degraded.snapshot().has_value());
}

TEST_CASE("options: of several sentences the status has the first, and how many there are more", "[runtime]") {
    const session degraded = session::start([] {
        options bad;
        bad.stack_depth = 1000;
        bad.one_in = 0;
        return bad;
    }());
    const std::string detail = degraded.status().detail;
    CHECK(detail.find(" is out of range ") == detail.rfind(" is out of range "));
    CHECK(detail.find(" (and 1 more)") != std::string::npos);
}
