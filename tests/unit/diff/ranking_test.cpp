// SPDX-License-Identifier: Apache-2.0
// The formula of include/memwatch/diff/ranking.hpp and what that header says follows from it.
#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

#include <memwatch/diff/diff.hpp>

#include "diff/ranking.hpp"
#include "small_service.hpp"
#include "support/random_snapshot.hpp"
#include "support/seed.hpp"

using namespace memwatch_test;

namespace {

delta diff_of(const std::vector<const snapshot*>& of, const diff_options& options = {}) {
    auto out = diff(of, options);
    REQUIRE(out);
    return *out;
}

delta diff_of(const snapshot& before, const snapshot& after, const diff_options& options = {}) {
    return diff_of({&before, &after}, options);
}

std::string names_of(const delta& d) {
    std::string names;
    for (const delta_row& row : d.rows) { names += (names.empty() ? "" : " ") + row.name; }
    return names;
}

const delta_row& row_named(const delta& d, const std::string& name) {
    const auto found = std::find_if(d.rows.begin(), d.rows.end(), [&](const delta_row& row) { return row.name == name; });
    REQUIRE(found != d.rows.end());
    return *found;
}

}  // namespace

TEST_CASE("ranking: the score is the sum of its weighted terms, each within 0 and 1") {
    const rank_terms best = score_terms(1000, 1000, 1, 1);
    CHECK(best.volatility == 1);
    CHECK(best.score == Approx(0.40 + 0.35 + 0.25));
    const rank_terms tenth = score_terms(100, 1000, 0.8, 0.5);
    CHECK(tenth.volatility == Approx(0.5));
    CHECK(tenth.score == Approx(0.40 * 0.5 + 0.35 * 0.8 + 0.25 * 0.5));
    for (const double odd : {-1.0, 7.0, std::numeric_limits<double>::infinity()}) {
        const rank_terms out = score_terms(odd, 5, odd, odd);
        for (const double term : {out.volatility, out.long_lived, out.weight, out.score}) { CHECK((term >= 0 && term <= 1)); }
    }
}

TEST_CASE("ranking: without proven growth neither age nor weight count") {
    const rank_terms nothing = score_terms(0, 1000, 1, 1);
    CHECK(nothing.score == 0);
    CHECK(nothing.long_lived == 1);  // still told
    CHECK(nothing.weight == 1);
    CHECK(score_terms(-5, 1000, 1, 1).score == 0);
}

TEST_CASE("ranking: no weight and no age lifts a row over a hundred times its growth; the exchange rates are as promised") {
    CHECK(score_terms(10, 1000, 1, 1).score < score_terms(1000, 1000, 0, 0).score);
    CHECK(score_terms(1, 1000, 1, 1).score == 0);
    // Twice the growth is worth a weight higher by 0.24, or a long-lived share higher by 0.17.
    const double doubled = score_terms(1000, 1000, 0.5, 0.5).score - score_terms(500, 1000, 0.5, 0.5).score;
    CHECK(doubled / 0.25 == Approx(0.24).margin(0.005));
    CHECK(doubled / 0.35 == Approx(0.17).margin(0.005));
    // The weights 0.5 and 1 differ like 4 times the growth, 0 and 1 like 18 times.
    CHECK(score_terms(1000 / 4.0, 1000, 1, 1).score > score_terms(1000, 1000, 1, 0.5).score);
    CHECK(score_terms(1000 / 4.5, 1000, 1, 1).score < score_terms(1000, 1000, 1, 0.5).score);
    CHECK(score_terms(1000 / 20.0, 1000, 1, 1).score < score_terms(1000, 1000, 1, 0).score);
}

TEST_CASE("ranking: more growth, age or weight never lowers a score") {
    const std::uint64_t seed = test_support::seed();
    INFO("seed " << seed);
    random_source random{seed};
    for (int i = 0; i < 2000; ++i) {
        const auto unit = [&] { return static_cast<double>(random.below(1001)) / 1000; };
        const double growth = std::pow(10, 6 * unit());
        const double age = unit();
        const double weight = unit();
        const double score = score_terms(growth, 1e6, age, weight).score;
        CHECK(score_terms(growth * 1.5, 1e6, age, weight).score >= score);
        CHECK(score_terms(growth, 1e6, std::min(1.0, age + 0.1), weight).score >= score);
        CHECK(score_terms(growth, 1e6, age, std::min(1.0, weight + 0.1)).score >= score);
    }
}

TEST_CASE("ranking: a row without proven growth never stands above one with it") {
    for (int round = 0; round < 30; ++round) {
        const std::uint64_t seed = test_support::seed();
        INFO("seed " << seed);
        random_source random{seed};
        small_service service{1 << 16};
        for (std::uint32_t i = 0; i < 12; ++i) {
            const auto tag = service.add_tag("t" + std::to_string(i), static_cast<double>(random.below(11)) / 10);
            service.add_site({"f" + std::to_string(i)}, tag);
        }
        for (std::uint32_t i = 0; i < 12; ++i) { service.grow(i, 1000, static_cast<int>(random.below(20)), 0, 100); }
        const auto d = diff_of(service.take(10), service.take(100));
        bool is_proven = true;
        for (const delta_row& row : d.rows) {
            const bool has_proof = row.bytes > 0 && row.is_significant();
            CHECK((is_proven || !has_proof));
            is_proven = has_proof;
        }
    }
}

TEST_CASE("ranking: a weighty tag comes first among equals, never over a much larger leak") {
    small_service service;
    const auto cash = service.add_site({"cash"}, service.add_tag("cash", 1.0));
    const auto logs = service.add_site({"logs"}, service.add_tag("logs", 0.1));
    const auto huge = service.add_site({"huge"}, service.add_tag("huge", 0.5));
    service.grow(cash, 100, 100, 10, 100);
    service.grow(logs, 150, 100, 10, 100);
    auto d = diff_of(service.take(10), service.take(100));
    CHECK(names_of(d) == "cash logs");
    CHECK(d.rows[0].rank.weight == 1.0);
    CHECK(d.ranking == "weighted");
    service.grow(huge, 1000, 100, 10, 100);
    service.state.live.clear();
    for (const auto& [site, size] : {std::pair{cash, 100}, {logs, 150}, {huge, 1000}}) {
        service.grow(site, static_cast<std::uint64_t>(size), 100, 10, 100);
    }
    CHECK(names_of(diff_of(service.take(10), service.take(100))) == "huge cash logs");
}

TEST_CASE("ranking: what outlives a quarter of the time is long-lived, what is replaced is not") {
    small_service service;
    const auto leak = service.add_site({"leak"});
    const auto evicting = service.add_site({"evicting"});
    service.grow(leak, 1000, 100, 0, 100);
    service.grow(evicting, 1000, 100, 80, 100);  // what an eviction after 20 s leaves
    const auto d = diff_of(service.take(0), service.take(100));
    CHECK(d.long_lived_ns == 25 * small_service::second_ns);
    CHECK(row_named(d, "leak").rank.long_lived == Approx(1));
    CHECK(row_named(d, "evicting").rank.long_lived == 0);
    CHECK(d.rows[0].name == "leak");
}

TEST_CASE("ranking: between sessions, growth that is old in both is no news") {
    small_service service;
    const auto loaded = service.add_site({"loaded"});
    const auto leak = service.add_site({"leak"});
    service.grow(loaded, 1000, 50, 0, 1);
    const auto before = service.take(100);
    service.grow(leak, 1000, 50, 0, 100);
    service.grow(loaded, 1000, 20, 95, 100);
    auto after = service.take(100);
    after.info.session = "another";
    const auto d = diff_of(before, after);
    CHECK(row_named(d, "leak").rank.long_lived == Approx(1).margin(0.05));
    CHECK(row_named(d, "loaded").rank.long_lived == 0);
}

TEST_CASE("ranking: named rankings order as they say, and a caller's function as it says") {
    small_service service;
    const auto leak = service.add_site({"leak"});
    const auto cache = service.add_site({"cache"});
    const auto small = service.add_site({"small"});
    service.grow(leak, 1000, 100, 0, 100);
    service.grow(cache, 1000, 300, 0, 40);
    service.grow(small, 10, 100, 0, 100);
    const auto before = service.take(0);
    const auto after = service.take(100);
    diff_options how;
    CHECK(names_of(diff_of(before, after, how)) == "leak cache small");
    how.order = ranking::steady;
    CHECK(names_of(diff_of(before, after, how)) == "leak cache small");
    how.order = ranking::bytes;
    CHECK(names_of(diff_of(before, after, how)) == "cache leak small");
    CHECK(diff_of(before, after, how).ranking == "bytes");
    how.own_order = [](const delta_row& row) { return row.name == "small" ? 7.0 : row.name == "leak" ? std::nan("") : 1.0; };
    const auto own = diff_of(before, after, how);
    CHECK(names_of(own) == "small cache leak");  // what is no number comes last
    CHECK(own.rows[0].rank.score == 7);
    CHECK(own.ranking == "own");
    for (const auto by : {ranking::weighted, ranking::bytes, ranking::steady}) { CHECK(*parse_ranking(to_string(by)) == by); }
    CHECK_FALSE(parse_ranking("size"));
}

TEST_CASE("ranking: snapshots in between tell a burst from steady growth where births do not") {
    small_service service;
    service.state.tags.push_back({"steady", 0, 0, 0, 0});
    service.state.tags.push_back({"burst", 0, 0, 0, 0});
    const auto at = [&](double seconds, std::uint64_t steady, std::uint64_t burst) {
        service.state.tags[1].allocated_bytes = steady;
        service.state.tags[2].allocated_bytes = burst;
        service.state.tags[1].allocations = service.state.tags[2].allocations = 1;
        return service.take(seconds);
    };
    const auto before = at(0, 1000, 1000);
    const auto during = at(50, 26'000, 60'000);
    const auto after = at(100, 51'000, 61'000);
    diff_options how;
    how.by = dimension::tag;
    CHECK(diff_of(before, after, how).rows.at(0).name == "burst");
    const auto d = diff_of({&before, &during, &after}, how);
    REQUIRE(d.rows.size() == 2);
    CHECK(d.rows[0].name == "steady");
    CHECK(d.rows[0].steady_bytes == 50'000);
    CHECK(d.rows[1].steady_bytes == 2000);
    CHECK(d.rows[1].during_bytes == std::vector<double>{60'000});
    CHECK(d.rows[1].bytes == 60'000);
}

TEST_CASE("ranking: snapshots in between change no sum, and one out of order is said and left out") {
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t seed = test_support::seed();
        INFO("seed " << seed);
        random_source random{seed};
        small_service service{1 << 12};
        for (std::uint32_t i = 0; i < 8; ++i) { service.add_site({"f" + std::to_string(i)}); }
        for (std::uint32_t i = 0; i < 200; ++i) {
            service.allocate(static_cast<std::uint32_t>(random.below(8)), 1 + random.below(9000), i * 0.5);
        }
        const auto before = service.take(20);
        const auto during = service.take(50);
        const auto after = service.take(100);
        diff_options how;
        how.order = ranking::bytes;
        const auto two = diff_of(before, after, how);
        const auto three = diff_of({&before, &during, &after}, how);
        REQUIRE(two.rows.size() == three.rows.size());
        for (std::size_t i = 0; i < two.rows.size(); ++i) {
            CHECK(two.rows[i].key == three.rows[i].key);
            CHECK(two.rows[i].bytes == three.rows[i].bytes);
            CHECK(two.rows[i].bytes_standard_error == three.rows[i].bytes_standard_error);
            CHECK(three.rows[i].steady_bytes <= two.rows[i].steady_bytes);
            const double level = three.rows[i].during_bytes.at(0);
            CHECK(level >= three.rows[i].before.live.bytes * (1 - 1e-12));
            CHECK(level <= three.rows[i].after.live.bytes * (1 + 1e-12));
        }
        const auto late = service.take(200);
        const auto swapped = diff_of({&before, &late, &after}, how);
        CHECK(swapped.rows.at(0).steady_bytes == two.rows.at(0).steady_bytes);
        REQUIRE(swapped.warnings.size() == 1);
        CHECK(swapped.warnings[0].find("snapshot 2 of 3 was not taken between") == 0);
    }
}

TEST_CASE("ranking: a row weighs what its tags weigh, by what is alive of each") {
    small_service service;
    const auto heavy = service.add_tag("heavy", 0.9);
    const auto light = service.add_tag("light", 0.1);
    const auto a = service.add_site({"a"}, heavy, "Order");
    const auto b = service.add_site({"b"}, light, "Order");
    service.state.pools.push_back({"pool", "", 100, 10, 1, 0, 0, 0, 0, 0});
    service.state.pools[0].tag = "heavy";
    service.grow(a, 3000, 10, 10, 100);
    service.grow(b, 1000, 10, 10, 100);
    const auto before = service.take(1);
    service.state.pools[0].in_use = 5;
    const auto after = service.take(100);
    diff_options how;
    how.by = dimension::type;
    CHECK(diff_of(before, after, how).rows.at(0).rank.weight == Approx(0.75 * 0.9 + 0.25 * 0.1).margin(1e-3));
    how.by = dimension::route;
    CHECK(diff_of(before, after, how).rows.at(0).rank.weight == Approx(0.7).margin(1e-3));
    how.by = dimension::pool;
    CHECK(diff_of(before, after, how).rows.at(0).rank.weight == Approx(0.9));
}

TEST_CASE("ranking: fewer than two snapshots, or none at all, are refused") {
    const snapshot empty;
    CHECK(diff(std::vector<const snapshot*>{}).error().code == error_code::invalid_argument);
    CHECK(diff(std::vector<const snapshot*>{&empty}).error().code == error_code::invalid_argument);
    CHECK(diff(std::vector<const snapshot*>{&empty, nullptr, &empty}).error().where == "snapshot 2");
    CHECK(diff(std::vector<const snapshot*>{&empty, &empty, &empty}));
}
