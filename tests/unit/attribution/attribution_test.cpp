// SPDX-License-Identifier: Apache-2.0
#include "attribution/attribution.hpp"

#include <algorithm>
#include <cmath>

#include <catch2/catch.hpp>
#include <memwatch/model/site_name.hpp>

#include "report/attribution_json.hpp"
#include "report/attribution_markdown.hpp"
#include "service.hpp"
#include "support/random_snapshot.hpp"
#include "support/seed.hpp"

using namespace memwatch;

namespace {

attribution whole(const attribution_options& options = {}) {
    auto a = attribute({&service::before(), &service::during(), &service::after()}, options);
    REQUIRE(a.has_value());
    return std::move(*a);
}

const finding* find(const attribution& a, std::string_view function) {
    const auto found = std::find_if(a.findings.begin(), a.findings.end(), [&](const finding& f) {
        return f.function.find(function) != std::string::npos && f.kind == finding_kind::site;
    });
    return found == a.findings.end() ? nullptr : &*found;
}

}  // namespace

TEST_CASE("attribution: the leak of the service is told whole") {
    const attribution a = whole();
    const finding* const f = find(a, "request_cache::remember");
    REQUIRE(f != nullptr);
    CHECK(f->file == "src/orders/request_cache.cpp");
    CHECK(f->line == 42);
    CHECK(f->type == "orders::order");
    CHECK(f->tag == "request-cache");
    CHECK(f->sure == certainty::sampled);
    CHECK(f->standard_errors > 2);
    SECTION("since when") {
        REQUIRE(f->since.began.basis == onset_basis::change_point);
        CHECK(std::abs(static_cast<double>(f->since.began.at_ns) / 1e9 - 100) < 2);
        CHECK(f->since.oldest_live_ns == 3 * sample::second);
        CHECK(f->since.first_snapshot == 0);
        CHECK(f->since.is_first_seen_late);
    }
    SECTION("how fast") {
        CHECK(f->speed.bytes_per_s == Approx(f->bytes / 90));
        CHECK(f->speed.bytes_per_day == Approx(f->speed.bytes_per_s * 86400));
        CHECK(f->speed.bytes_per_day_low < f->speed.bytes_per_day);
        CHECK(f->speed.bytes_per_day_high - f->speed.bytes_per_day == Approx(2 * f->bytes_error / 90 * 86400));
        REQUIRE(f->speed.seconds_to_double_rss.has_value());
        CHECK(*f->speed.seconds_to_double_rss ==
              Approx(static_cast<double>(service::after().info.resident_bytes) / f->speed.bytes_per_s));
        CHECK_FALSE(f->speed.seconds_to_limit.has_value());
    }
    SECTION("for whom") {
        const auto route =
            std::find_if(f->shares.begin(), f->shares.end(), [](const delta_share& s) { return s.by == dimension::route; });
        REQUIRE(route != f->shares.end());
        CHECK(route->name == "/api/v2/orders");
        CHECK_FALSE(f->trace_ids.empty());
    }
    SECTION("how it went") {
        REQUIRE(f->course.size() == 3);
        CHECK(f->course[0] < f->course[1]);
        CHECK(f->course[1] < f->course[2]);
    }
    SECTION("what probably helps") {
        REQUIRE(f->likely_fix() != nullptr);
        CHECK(std::string_view(f->likely_fix()->rule) == "erase_skipped");
    }
}

TEST_CASE("attribution: a cache that filled up is to be looked at again, and ranks below the leak") {
    const attribution a = whole();
    const finding* const prices = find(a, "price_table::load");
    REQUIRE(prices != nullptr);
    REQUIRE(prices->likely_fix() != nullptr);
    CHECK(prices->likely_fix()->kind == hint_kind::wait);
    CHECK(find(a, "request_cache::remember") < prices);
}

TEST_CASE("attribution: what noise may explain is no finding") {
    CHECK(find(whole({0, 0, {}, 0}), "orders+0x3000") == nullptr);
}

TEST_CASE("attribution: a pool whose objects stay out is a finding of its own") {
    const attribution a = whole();
    const auto pool =
        std::find_if(a.findings.begin(), a.findings.end(), [](const finding& f) { return f.kind == finding_kind::pool; });
    REQUIRE(pool != a.findings.end());
    CHECK(pool->pool == "orders");
    CHECK(pool->objects == 90);
    CHECK(std::string_view(pool->likely_fix()->rule) == "pool_not_returned");
    CHECK(pool->course == std::vector<double>{130 * 512, 175 * 512, 220 * 512});
}

TEST_CASE("attribution: a limit says when it is reached") {
    const attribution a = whole({128 * 1024, 10, {}, 1e9});
    const finding* const f = find(a, "request_cache::remember");
    REQUIRE(f->speed.seconds_to_limit.has_value());
    CHECK(*f->speed.seconds_to_limit ==
          Approx((1e9 - static_cast<double>(service::after().info.resident_bytes)) / f->speed.bytes_per_s));
}

TEST_CASE("attribution: a finding quotes what the process itself thought of the place, of several sites the worst") {
    snapshot after = service::after();
    for (std::uint32_t i = 0; i < after.sites.size(); ++i) {
        after.verdicts.emplace_back();
        after.verdicts.back().index = i;
        const bool is_leak = site_name(after, after.sites[i]).find("request_cache::remember") != std::string::npos;
        after.verdicts.back().kind = is_leak ? verdict_class::leak_retained : verdict_class::cache;
        after.verdicts.back().confidence = 0.97;
    }
    const auto a = attribute({&service::before(), &after});
    REQUIRE(a);
    const finding* const leak = find(*a, "request_cache::remember");
    REQUIRE((leak != nullptr && leak->judged));
    CHECK(leak->judged->kind == verdict_class::leak_retained);
    const finding* const prices = find(*a, "price_table::load");
    REQUIRE((prices != nullptr && prices->judged));
    CHECK(prices->judged->kind == verdict_class::cache);
    const attribution without = whole();
    CHECK_FALSE(find(without, "request_cache::remember")->judged);
    const std::string page = render_markdown(*a, {});
    CHECK(page.find("- **Verdict**: leak_retained (97 % sure") != std::string::npos);
    CHECK(page.find("- **Verdict**: cache, no leak") != std::string::npos);
    CHECK(page.find("verdict: leak_retained}") != std::string::npos);
    CHECK(render_json(*a, "1").find("\"verdict\": {\"class\": \"leak_retained\"") != std::string::npos);
}

TEST_CASE("attribution: the threshold and the number of findings are kept") {
    for (const finding& f : whole({1e12, 10, {}, 0}).findings) { CHECK(f.kind == finding_kind::pool); }  // counted in objects
    const attribution one = whole({128 * 1024, 1, {}, 0});
    CHECK(one.findings.size() == 1);
    CHECK(one.findings.size() + one.more_findings == whole().findings.size());
}

TEST_CASE("attribution: the same snapshot twice has no finding") {
    const auto a = attribute({&service::after(), &service::after()});
    REQUIRE(a.has_value());
    CHECK(a->findings.empty());
    CHECK(a->change.rows.empty());
}

TEST_CASE("attribution: rows belong to one finding at most") {
    const attribution a = whole({0, 0, {}, 0});
    std::vector<std::size_t> rows;
    for (const finding& f : a.findings) { rows.insert(rows.end(), f.rows.begin(), f.rows.end()); }
    std::sort(rows.begin(), rows.end());
    CHECK(std::adjacent_find(rows.begin(), rows.end()) == rows.end());
}

TEST_CASE("attribution: of another process only what both know is said") {
    snapshot other = service::after();
    other.info.session = "another0another0another0another0";
    const auto a = attribute({&service::before(), &other});
    REQUIRE(a.has_value());
    const finding* const f = find(*a, "request_cache::remember");
    REQUIRE(f != nullptr);
    CHECK(f->known.steady_share < 0);
    CHECK_FALSE(f->known.is_between);
    CHECK(std::any_of(f->hints.begin(), f->hints.end(),
                      [](const hint& h) { return std::string_view(h.rule) == "other_session"; }));
}

TEST_CASE("attribution: snapshots of another build belong to the course of what they were matched with") {
    snapshot before = service::before();
    snapshot during = service::during();
    for (snapshot* s : {&before, &during}) {
        s->info.session = "another0another0another0another0";
        for (auto& each : s->modules) { each.build_id += "00"; }
        for (auto& each : s->frames) { each.offset += 0x40; }
    }
    const auto a = attribute({&before, &during, &service::after()});
    REQUIRE(a.has_value());
    const finding* const f = find(*a, "request_cache::remember");
    REQUIRE(f != nullptr);
    const auto of_one_build = whole();
    CHECK(f->course == find(of_one_build, "request_cache::remember")->course);
    CHECK(f->since.first_snapshot == 0);
}

TEST_CASE("attribution: what was seen first in a session that began late is told by the process' clock") {
    snapshot late = service::after();
    late.info.first_epoch = 10;
    late.sites[service::order_site].cohorts = {{12, 5e6, 1e4, false}};
    const auto a = attribute({&service::before(), &late});
    REQUIRE(a.has_value());
    const finding* const f = find(*a, "request_cache::remember");
    REQUIRE(f != nullptr);
    CHECK(f->since.first_seen_ns == 120 * service::second);
}

TEST_CASE("attribution: RSS that grew without live blocks is what the allocator keeps") {
    snapshot swollen = service::before();
    swollen.info.label = "after";
    swollen.info.taken_ns += 60 * sample::second;
    swollen.info.resident_bytes += 64 << 20;
    const auto a = attribute({&service::before(), &swollen});
    REQUIRE(a.has_value());
    REQUIRE(a->findings.size() == 1);
    CHECK(a->findings.front().kind == finding_kind::process);
    CHECK(std::string_view(a->findings.front().likely_fix()->rule) == "allocator_retention");
}

TEST_CASE("attribution: one snapshot is not enough, and a broken one is refused") {
    CHECK(attribute({&service::after()}).error().code == error_code::invalid_argument);
    snapshot broken = service::during();
    broken.sites[0].stack = 999;
    const auto a = attribute({&service::before(), &broken, &service::after()});
    REQUIRE_FALSE(a.has_value());
    CHECK(a.error().where.find("DURING") == 0);
}

TEST_CASE("attribution: any two valid snapshots make a report") {
    for (int round = 0; round < 50; ++round) {
        const std::uint64_t seed = test_support::seed();
        INFO("seed " << seed);
        memwatch_test::random_source random(seed);
        const snapshot one = memwatch_test::random_snapshot(random);
        snapshot two = memwatch_test::random_snapshot(random);
        if (round % 2 == 0) { two.info.session = one.info.session; }
        const auto a = attribute({&one, &two}, {0, 0, {}, 0});
        REQUIRE(a.has_value());
        for (const finding& f : a->findings) { CHECK(f.course.size() == 2); }
    }
}
