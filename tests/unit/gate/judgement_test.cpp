// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <cmath>
#include <random>

#include "gate/judgement.hpp"
#include "support/seed.hpp"
#include "unit/gate/made_delta.hpp"

using namespace memwatch;
using namespace memwatch::gate;
using made::KiB;
using made::MiB;

namespace {

const judged_rule& rule_of(const judgement& j, rule_kind kind) {
    for (const judged_rule& r : j.rules) {
        if (r.kind == kind) { return r; }
    }
    FAIL("no such rule");
    return j.rules.front();
}

policy roomy_total() {
    policy p;
    p.total_limit_bytes = 1e12;
    return p;
}

double judged_sum(const judgement& j) {
    double sum = j.suppressed_bytes + j.tagged_bytes;
    for (const judged_rule& r : j.rules) {
        if (r.kind == rule_kind::site || r.kind == rule_kind::site_budget) { sum += r.bytes; }
    }
    return sum;
}

delta random_delta(std::mt19937_64& engine) {
    std::vector<delta_row> rows;
    std::uniform_real_distribution<double> bytes(-4 * MiB, 8 * MiB);
    std::uniform_real_distribution<double> error(0, 3 * MiB);
    for (std::size_t i = 0; i < 40; ++i) {
        rows.push_back(made::site("app::f" + std::to_string(i), bytes(engine), i % 5 == 0 ? 0 : error(engine),
                                  i % 4 == 0 ? "cache" : "untagged"));
    }
    delta d = made::of(std::move(rows));
    for (std::size_t i = 0; i + 1 < 8; i += 2) { d.moves.push_back({i, i + 1, "alike"}); }
    return d;
}

policy random_policy(std::mt19937_64& engine) {
    policy p;
    p.site_limit_bytes = static_cast<double>(engine() % 4'000'000);
    p.total_limit_bytes = static_cast<double>(engine() % 40'000'000);
    if (engine() % 2 != 0) { p.suppressions.push_back({"app::f1", ""}); }
    if (engine() % 2 != 0) { p.sites.push_back(*make_budget("app::f2*", "1MiB")); }
    if (engine() % 2 != 0) { p.tags.push_back(*make_tag_budget("cache", "2MiB")); }
    p.accepts_moves = engine() % 2 != 0;
    return p;
}

}  // namespace

TEST_CASE("judgement: growth above the limit and above two standard errors fails") {
    const auto j = judge(roomy_total(), made::of({made::site("app::f", 300 * KiB, 100 * KiB)}), made::tags_of({}));
    CHECK(j.is_breached());
    CHECK(rule_of(j, rule_kind::site).what == outcome::breached);
    CHECK(rule_of(j, rule_kind::total).what == outcome::passed);
}

TEST_CASE("judgement: growth that sampling could have made up never fails, and is told") {
    const auto j = judge({}, made::of({made::site("app::f", 300 * KiB, 200 * KiB)}), made::tags_of({}));
    CHECK_FALSE(j.is_breached());
    CHECK(rule_of(j, rule_kind::site).what == outcome::within_error);
    REQUIRE(rule_of(j, rule_kind::site).items.size() == 1);
}

TEST_CASE("judgement: at the limit it passes, one byte above it fails") {
    CHECK_FALSE(judge({}, made::of({made::site("app::f", 128 * KiB, 0)}), made::tags_of({})).is_breached());
    CHECK(judge({}, made::of({made::site("app::f", 128 * KiB + 1, 0)}), made::tags_of({})).is_breached());
}

TEST_CASE("judgement: many sites below their limit breach the total together") {
    std::vector<delta_row> rows;
    for (int i = 0; i < 10; ++i) { rows.push_back(made::site("app::f" + std::to_string(i), 100 * KiB, 10 * KiB)); }
    const auto j = judge({}, made::of(rows), made::tags_of({}));
    CHECK(rule_of(j, rule_kind::site).what == outcome::passed);
    CHECK(rule_of(j, rule_kind::total).what == outcome::breached);
    CHECK(rule_of(j, rule_kind::total).items.at(0).standard_error == Approx(10 * KiB * std::sqrt(10.0)));
}

TEST_CASE("judgement: a site with a budget of its own does not use up the total") {
    policy p;
    p.sites.push_back(*make_budget("app::warm_up", "4MiB"));
    const auto small = judge(p, made::of({made::site("app::warm_up", 3 * MiB, 0)}), made::tags_of({}));
    CHECK_FALSE(small.is_breached());
    const auto large = judge(p, made::of({made::site("app::warm_up", 5 * MiB, 0)}), made::tags_of({}));
    CHECK(rule_of(large, rule_kind::site_budget).what == outcome::breached);
    CHECK(rule_of(large, rule_kind::site).what == outcome::passed);
}

TEST_CASE("judgement: a tag is judged by its counter, without what is suppressed") {
    policy p;
    p.tags.push_back(*make_tag_budget("cache", "2MiB"));
    const auto sites = made::of({made::site("app::f", 3 * MiB, 1 * MiB, "cache"), made::site("app::g", 1 * MiB, 0, "cache")});
    const auto j = judge(p, sites, made::tags_of({made::tag("cache", 3.5 * MiB), made::tag("order-cache", 9 * MiB)}));
    const judged_rule& rule = rule_of(j, rule_kind::tag_budget);
    CHECK(rule.looked_at == 1);
    CHECK(rule.what == outcome::breached);
    CHECK(rule.items.at(0).bytes == 3.5 * MiB);
    CHECK(rule.items.at(0).standard_error == 0);
    CHECK(rule.seen_from_bytes == 0);
    CHECK(j.tagged_bytes == 4 * MiB);
    CHECK(rule_of(j, rule_kind::site).what == outcome::passed);

    p.suppressions.push_back({"app::g", ""});
    p.suppressions.push_back({"app::f", ""});
    const auto silent = judge(p, sites, made::tags_of({made::tag("cache", 3.5 * MiB)}));
    CHECK_FALSE(silent.is_breached());
    CHECK(rule_of(silent, rule_kind::tag_budget).items.at(0).bytes == Approx(-0.5 * MiB));
}

TEST_CASE("judgement: a suppression nobody needs any more is told") {
    policy p;
    p.suppressions = {{"app::f", "a:1"}, {"app::gone", "a:2"}};
    const auto j = judge(p, made::of({made::site("app::f", 3 * MiB, 0)}), made::tags_of({}));
    CHECK_FALSE(j.is_breached());
    CHECK(j.suppressed.size() == 1);
    CHECK(j.suppressed_bytes == 3 * MiB);
    CHECK(j.unused_suppressions == std::vector<std::size_t>{1});
}

TEST_CASE("judgement: a site that moved fails unless moves are accepted") {
    delta d = made::of({made::site("app::fresh", 5 * MiB, 0), made::site("app::old", -5 * MiB, 0)});
    d.moves.push_back({1, 0, "same type"});
    policy p;
    const auto doubtful = judge(p, d, made::tags_of({}));
    CHECK(doubtful.is_breached());
    CHECK(rule_of(doubtful, rule_kind::site).items.at(0).moved_from == 1);
    p.accepts_moves = true;
    CHECK_FALSE(judge(p, d, made::tags_of({})).is_breached());
}

TEST_CASE("judgement: says where sampling could not have seen a breach") {
    // Small blocks at R: G stands out from 4 R on.
    const auto blind = judge({}, made::of({}), made::tags_of({}));
    CHECK(rule_of(blind, rule_kind::site).seen_from_bytes == 4 * 65536);
    CHECK_FALSE(rule_of(blind, rule_kind::site).has_power());
    policy p;
    p.site_limit_bytes = p.total_limit_bytes = 4 * 65536;
    CHECK(rule_of(judge(p, made::of({}), made::tags_of({})), rule_kind::site).has_power());
    // Noise of what was there before makes it worse.
    const auto noisy = judge(p, made::of({made::site("app::f", 0, 1 * MiB)}), made::tags_of({}));
    CHECK_FALSE(rule_of(noisy, rule_kind::total).has_power());
    delta every_block = made::of({});
    every_block.before.interval_bytes = every_block.after.interval_bytes = 0;
    CHECK(rule_of(judge({}, every_block, made::tags_of({})), rule_kind::site).has_power());
}

TEST_CASE("judgement: the growth it says can be seen is the growth that passes the significance test") {
    for (const double interval : {65536.0, 1048576.0}) {
        delta d = made::of({});
        d.before.interval_bytes = d.after.interval_bytes = static_cast<std::uint64_t>(interval);
        const double seen = rule_of(judge({}, d, made::tags_of({})), rule_kind::site).seen_from_bytes;
        for (const double factor : {0.9, 1.1}) {
            const double growth = seen * factor;
            delta grown = made::of({made::site("app::f", growth, std::sqrt(interval * growth))});
            CHECK(judge({}, grown, made::tags_of({})).is_breached() == (factor > 1));
        }
    }
}

TEST_CASE("judgement: laws hold for random deltas and policies") {
    std::mt19937_64 engine(test_support::seed());
    for (int round = 0; round < 300; ++round) {
        const delta sites = random_delta(engine);
        const delta tags = made::tags_of({made::tag("cache", 3 * MiB)});
        policy p = random_policy(engine);
        const judgement j = judge(p, sites, tags);

        CHECK(judged_sum(j) == Approx(sites.total.bytes).margin(1));
        for (const judged_rule& rule : j.rules) {
            for (const judged_item& item : rule.items) {
                if (item.what != outcome::breached) { continue; }
                CHECK(item.bytes > rule.limit_bytes);
                CHECK(item.bytes > 2 * item.standard_error);
                for (const suppressed_site& s : j.suppressed) {
                    CHECK((rule.kind == rule_kind::tag_budget || item.row != s.row));
                }
            }
        }
        // Monotone: no higher limit makes a passing gate fail.
        policy roomier = p;
        roomier.site_limit_bytes += 1 * MiB;
        roomier.total_limit_bytes += 1 * MiB;
        for (auto* budgets : {&roomier.sites, &roomier.tags}) {
            for (budget& b : *budgets) { b.limit_bytes += 1 * MiB; }
        }
        const judgement later = judge(roomier, sites, tags);
        for (std::size_t i = 0; i < j.rules.size(); ++i) { CHECK(later.rules[i].what <= j.rules[i].what); }
    }
}

TEST_CASE("judgement: a place that leaks for many callers does not pass because each of them is small and a cache shrank") {
    std::vector<delta_row> rows{made::site("app::cache", -4 * MiB, 0)};
    for (int i = 0; i < 20; ++i) { rows.push_back(made::site("app::remember", (100 + i) * KiB, 0)); }
    const judgement j = judge({}, made::of(rows), made::tags_of({}));
    const judged_rule& rule = rule_of(j, rule_kind::site);
    REQUIRE(rule.what == outcome::breached);
    REQUIRE(rule.items.size() == 1);
    CHECK(rule.items[0].bytes == 2190 * KiB);
    CHECK(rule.items[0].paths == 20);
    CHECK(rule.items[0].row == 20);  // the largest speaks for them
    CHECK(rule.bytes == 2190 * KiB - 4 * MiB);
    CHECK(rule_of(j, rule_kind::total).what == outcome::passed);

    policy budgeted;
    budgeted.sites.push_back(*make_budget("app::remember", "1MiB"));
    CHECK(rule_of(judge(budgeted, made::of(rows), made::tags_of({})), rule_kind::site_budget).what == outcome::breached);
    budgeted.sites[0].limit_bytes = 3 * MiB;
    CHECK(rule_of(judge(budgeted, made::of(rows), made::tags_of({})), rule_kind::site_budget).what == outcome::passed);
}

TEST_CASE("judgement: what one caller of a place gained and another lost is no growth of it, nor is noise of many") {
    std::vector<delta_row> rows;
    for (int i = 0; i < 20; ++i) { rows.push_back(made::site("app::remember", (i % 2 == 0 ? 100 : -100) * KiB, 0)); }
    CHECK(rule_of(judge({}, made::of(rows), made::tags_of({})), rule_kind::site).what == outcome::passed);
    for (delta_row& row : rows) {
        row.bytes = 10 * KiB;
        row.bytes_standard_error = 30 * KiB;
    }
    CHECK(rule_of(judge({}, made::of(rows), made::tags_of({})), rule_kind::site).what == outcome::within_error);
}

TEST_CASE("judgement: a site that is over the limit by itself is told once") {
    const delta d = made::of({made::site("app::remember", 2 * MiB, 0), made::site("app::remember", 50 * KiB, 0)});
    const judged_rule rule = rule_of(judge(roomy_total(), d, made::tags_of({})), rule_kind::site);
    REQUIRE(rule.items.size() == 1);
    CHECK(rule.items[0].paths == 1);
}
