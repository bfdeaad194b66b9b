// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <algorithm>

#include <memwatch/diff/diff.hpp>

#include "gate/baseline.hpp"
#include "support/random_snapshot.hpp"
#include "support/seed.hpp"
#include "unit/report/sample.hpp"

using namespace memwatch;
using namespace memwatch::gate;

namespace {

// The orders service in another build: other addresses, lines and build ids, and the leak is larger.
snapshot another_build() {
    snapshot s = sample::orders();
    s.info.session = "another";
    s.info.host = "ci-7";
    s.info.pid = 99;
    s.modules[0].build_id = "ffff";
    s.modules[0].path = "/builds/7/orders";
    for (frame& f : s.frames) {
        if (f.module == 0) { f.offset += 0x77; }
        for (source_line& line : f.lines) { line.line += line.line == 0 ? 0 : 100; }
    }
    return s;
}

}  // namespace

TEST_CASE("baseline: one line a site or tag, without what differs from run to run") {
    const std::string text = write_baseline(sample::orders());
    CHECK(std::count(text.begin(), text.end(), '\n') == 1 + 2 + 2);  // header, two counted tags, two sites
    for (const char* noise : {"web-1", "4711", "0af765", "/srv/", "1763766000", "0x1000"}) {
        INFO(noise);
        CHECK(text.find(noise) == std::string::npos);
    }
    CHECK(text.find("orders::request_cache::remember") != std::string::npos);
    CHECK(text.find("1a2b3c4d") == std::string::npos);
    CHECK(looks_like_baseline(text));
}

TEST_CASE("baseline: what is written is read, and written again the same") {
    memwatch_test::random_source random(test_support::seed());
    for (int round = 0; round < 30; ++round) {
        snapshot s = memwatch_test::random_snapshot(random);
        const std::string text = write_baseline(s);
        const auto back = read_baseline(text);
        INFO((back ? std::string() : back.error().message()));
        REQUIRE(back.has_value());
        CHECK(validate(*back).has_value());
        CHECK(back->live.empty());
        CHECK(back->info.host.empty());
        const auto again = read_baseline(write_baseline(*back));
        REQUIRE(again.has_value());
        CHECK(write_baseline(*again) == write_baseline(*back));
    }
}

TEST_CASE("baseline: is the same for the same heap, in whatever order it was found") {
    snapshot a = sample::orders();
    snapshot b = sample::orders();
    std::swap(b.sites[0], b.sites[1]);
    for (live_record& r : b.live) { r.site = 1 - r.site; }
    b.survivals[0].site = 1;
    CHECK(write_baseline(a) == write_baseline(b));
    CHECK(write_baseline(sample::orders()) == write_baseline(*read_baseline(write_baseline(sample::orders()))));
}

TEST_CASE("baseline: a site is found again in another build") {
    const auto base = read_baseline(write_baseline(sample::orders()));
    REQUIRE(base.has_value());
    const auto d = diff(*base, another_build(), {dimension::site, 0, "", 0, true});
    REQUIRE(d.has_value());
    const auto found = std::find_if(d->rows.begin(), d->rows.end(),
                                    [](const delta_row& r) { return r.name == "orders::request_cache::remember"; });
    REQUIRE(found != d->rows.end());
    CHECK(found->before.live.bytes == Approx(found->after.live.bytes).epsilon(1e-4));
    CHECK(std::count_if(d->rows.begin(), d->rows.end(),
                        [](const delta_row& r) { return r.name == "orders::request_cache::remember"; }) == 1);
}

TEST_CASE("baseline: against the snapshot it was made of nothing grew, with names or without any") {
    snapshot named = sample::orders();
    named.frames[3].lines = {{"orders::login(int)", "src/orders/login.cpp", 30, 20}};
    snapshot nameless = sample::orders();
    for (frame& f : nameless.frames) { f.lines.clear(); }
    for (const snapshot* s : {&named, &nameless}) {
        const auto base = read_baseline(write_baseline(*s));
        const auto d = diff(*base, *s);
        REQUIRE(d.has_value());
        CHECK(d->rows.size() <= 2);
        for (const delta_row& row : d->rows) { CHECK(std::abs(row.bytes) < 2); }
        CHECK(nameless_sites(*base) == (s == &named ? 0 : 2));
    }
    CHECK(write_baseline(nameless).find("1a2b3c4d") != std::string::npos);  // nothing else tells its frames
}

TEST_CASE("baseline: a line that was cut, changed or lost is an error with its number") {
    const std::string text = write_baseline(sample::orders());
    CHECK(read_baseline(text.substr(0, text.size() - 10)).error().where == "line 5");
    const std::size_t last = text.rfind("{\"site\"");
    CHECK(read_baseline(text.substr(0, last)).error().what.find("promises") != std::string::npos);
    std::string newer = text;
    newer.replace(newer.find("\"version\": 1"), 12, "\"version\": 9");
    CHECK(read_baseline(newer).error().code == error_code::unsupported);
    for (const char* bad :
         {"", "{}", "{\"format\": \"memwatch-baseline\"}", "[]", "{\"format\": \"memwatch-baseline\", \"version\": \"1\"}"}) {
        CHECK_FALSE(read_baseline(bad).has_value());
    }
    const std::pair<const char*, const char*> changes[] = {{"\"bytes\": ", "\"bytes\": -"},
                                                           {"\"stack\": [[", "\"stack\": [[["},
                                                           {"\"stack\": [", "\"stack\": [[],"},
                                                           {"\"tag\": \"sessions\"", "\"tag\": 5"},
                                                           {"\"samples\": ", "\"samples\": 1.5, \"x\": "}};
    for (const auto& [from, to] : changes) {
        INFO(to);
        std::string changed = text;
        changed.replace(changed.rfind(from), std::string_view(from).size(), to);
        CHECK_FALSE(read_baseline(changed).has_value());
    }
}

TEST_CASE("baseline: an update says what it changes, and whether it widens") {
    const auto before = *read_baseline(write_baseline(sample::orders()));
    snapshot grown = sample::orders();
    for (std::uint64_t i = 0; i < 100; ++i) {
        grown.live.push_back({100 + i, 16384, 131 * sample::second, 65536, {}, 0, 1, 1});
        grown.sites[0].live.add(16384, 65536);
    }
    const auto after = *read_baseline(write_baseline(grown));
    CHECK(render_update(before, after, 20).rfind("WIDENED", 0) == 0);
    CHECK(render_update(before, after, 20).find("orders::request_cache::remember") != std::string::npos);
    CHECK(render_update(after, before, 20).rfind("not widened", 0) == 0);
    CHECK(render_update(before, before, 20).find("0 lines changed") != std::string::npos);
    CHECK(render_update(snapshot{}, before, 20).find("new") != std::string::npos);
}
