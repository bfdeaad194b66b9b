// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <cmath>
#include <set>

#include <memwatch/diff/diff.hpp>

#include "diff/clusters.hpp"
#include "small_service.hpp"
#include "support/random_snapshot.hpp"
#include "support/seed.hpp"

using namespace memwatch_test;

namespace {

delta diff_of(const snapshot& before, const snapshot& after, const diff_options& options = {}) {
    auto out = diff(before, after, options);
    REQUIRE(out);
    return *out;
}

const std::string plumbing = "operator new(unsigned long)";
const std::string push_back = "std::vector<int, std::allocator<int> >::push_back(int const&)@stl_vector.h:1280";
const std::string remember = "orders::cache::remember(int)@cache.cpp:42";

// The delta of a service where every site grew by `bytes` since second 10.
delta growth_of(small_service& service, const std::vector<double>& bytes) {
    for (std::uint32_t i = 0; i < bytes.size(); ++i) {
        if (bytes[i] > 0) { service.grow(i, static_cast<std::uint64_t>(bytes[i] / 10), 10, 10, 100); }
        if (bytes[i] < 0) { service.allocate(i, static_cast<std::uint64_t>(-bytes[i]), 5); }
    }
    const snapshot before = service.take(9);
    std::erase_if(service.state.live, [](const live_record& r) { return r.birth_ns < 9 * small_service::second_ns; });
    return diff_of(before, service.take(100));
}

}  // namespace

TEST_CASE("clusters: one leak reached by many callers is one finding") {
    small_service service;
    for (int i = 0; i < 5; ++i) {
        service.add_site({plumbing, push_back, remember,
                          "handle_" + std::to_string(i) + "()@routes.cpp:" + std::to_string(7 + i), "main@main.cpp:1"});
    }
    const auto d = growth_of(service, {1000, 2000, 3000, 4000, 5000});
    REQUIRE(d.rows.size() == 5);
    const auto clusters = cluster_rows(d);
    REQUIRE(clusters.size() == 1);
    CHECK(clusters[0].rows == std::vector<std::size_t>{0, 1, 2, 3, 4});
    CHECK(clusters[0].bytes == 15'000);
    CHECK(clusters[0].rate_bytes_per_s == Approx(15'000 / 91.0));
    CHECK(clusters[0].rank.volatility == 1);
    REQUIRE(clusters[0].shared.size() == 3);  // down to what they have in common
    CHECK(clusters[0].shared[2].lines[0].function == "orders::cache::remember(int)");
}

TEST_CASE("clusters: callers that are shared too are part of what is shared") {
    small_service service;
    service.add_site({plumbing, remember, "store@store.cpp:3", "a@a.cpp:1"});
    service.add_site({"malloc", plumbing, remember, "store@store.cpp:3", "b@b.cpp:1"});
    const auto clusters = cluster_rows(growth_of(service, {2000, 1000}));
    REQUIRE(clusters.size() == 1);
    REQUIRE(clusters[0].shared.size() == 3);
    CHECK(clusters[0].shared.back().lines[0].function == "store");
}

TEST_CASE("clusters: another line, another tag and another direction are other findings; another type is not") {
    small_service service;
    const auto tag = service.add_tag("sessions", 0.5);
    service.add_site({plumbing, remember, "main@main.cpp:1"}, 0, "Node");
    service.add_site({plumbing, remember, "main@main.cpp:2"}, 0, "char");
    service.add_site({plumbing, "orders::cache::remember(int)@cache.cpp:57", "main@main.cpp:1"});
    service.add_site({plumbing, remember, "main@main.cpp:3"}, tag);
    service.add_site({plumbing, remember, "main@main.cpp:4"});
    const auto d = growth_of(service, {5000, 4000, 3000, 2000, -1000});
    const auto clusters = cluster_rows(d);
    REQUIRE(clusters.size() == 4);
    CHECK(clusters[0].bytes == 9000);
    CHECK(clusters[1].bytes == 3000);
    CHECK(clusters[2].bytes == 2000);
    CHECK(clusters[3].bytes == -1000);
    const delta_row merged = merge_rows(d, clusters[0].rows);
    CHECK(merged.type.empty());
    CHECK(merged.name == "orders::cache::remember");
    CHECK(merged.what == change::appeared);
}

TEST_CASE("clusters: wrappers that say that they allocate are not the place, their callers are") {
    for (const char* wrapper : {"xmalloc@mem.c:9", "str_dup(char const*)@mem.c:30", "pool::allocate_node<int>(int)@pool.hpp:4",
                                "my::arena_allocator<a::b>::get(unsigned long)@arena.hpp:7"}) {
        INFO(wrapper);
        small_service service;
        service.add_site({"malloc", wrapper, "parse@parse.c:10", "main@main.c:1"});
        service.add_site({"malloc", wrapper, "render@render.c:20", "main@main.c:1"});
        service.add_site({"malloc", wrapper, "parse@parse.c:10", "main@main.c:2"});
        CHECK(cluster_rows(growth_of(service, {3000, 2000, 1000})).size() == 2);
    }
    small_service service;  // but it is all that is known here
    service.add_site({"malloc", "xmalloc@mem.c:9"});
    service.add_site({"malloc", "xmalloc@mem.c:9", "start_thread"});
    CHECK(cluster_rows(growth_of(service, {3000, 2000})).size() == 1);
}

TEST_CASE("clusters: without names the place is module and offset, plumbing's modules apart") {
    small_service service;
    const auto a = service.add_site({"", "", ""});
    const auto b = service.add_site({"", "", ""});
    const auto c = service.add_site({"", "", ""});
    auto& frames = service.state.frames;
    const auto frame_of = [&](std::uint32_t site, std::size_t i) -> frame& {
        return frames[service.state.stacks[service.state.sites[site].stack].frames[i]];
    };
    for (const auto site : {a, b, c}) { frame_of(site, 0) = {1, 0x77, {}}; }  // libc's malloc
    frame_of(a, 1).offset = frame_of(b, 1).offset = 0x2000;
    frame_of(c, 1).offset = 0x3000;
    const auto clusters = cluster_rows(growth_of(service, {3000, 2000, 1000}));
    REQUIRE(clusters.size() == 2);
    CHECK(clusters[0].rows.size() == 2);
}

TEST_CASE("clusters: each row is in exactly one, sums and variances add up, and nothing depends on chance") {
    for (int round = 0; round < 20; ++round) {
        const std::uint64_t seed = test_support::seed();
        INFO("seed " << seed);
        random_source random{seed};
        small_service service{1 << 14};
        for (std::uint64_t i = 0; i < 40; ++i) {
            service.add_site(
                {plumbing, "leaf" + std::to_string(random.below(6)) + "@x.cpp:" + std::to_string(random.below(3) + 1),
                 "caller" + std::to_string(i) + "@y.cpp:1"},
                0);
        }
        for (int i = 0; i < 600; ++i) {
            service.allocate(static_cast<std::uint32_t>(random.below(40)), 1 + random.below(9000),
                             static_cast<double>(random.below(100)));
        }
        const snapshot before = service.take(50);
        std::erase_if(service.state.live, [&](const live_record&) { return random.chance(0.3); });
        const auto d = diff_of(before, service.take(100));
        const auto clusters = cluster_rows(d);
        std::set<std::size_t> seen;
        double bytes = 0;
        double variance = 0;
        for (const cluster& each : clusters) {
            REQUIRE_FALSE(each.rows.empty());
            CHECK(std::is_sorted(each.rows.begin(), each.rows.end()));
            double cluster_bytes = 0;
            for (const std::size_t row : each.rows) {
                CHECK(seen.insert(row).second);
                cluster_bytes += d.rows[row].bytes;
            }
            CHECK(each.bytes == Approx(cluster_bytes));
            bytes += each.bytes;
            variance += each.bytes_standard_error * each.bytes_standard_error;
            CHECK(merge_rows(d, each.rows).rank_bytes() >= 0);
        }
        CHECK(seen.size() == d.rows.size());
        CHECK(bytes == Approx(d.total.bytes));
        CHECK(std::sqrt(variance) == Approx(d.total.bytes_standard_error));
        for (std::size_t i = 1; i < clusters.size(); ++i) { CHECK(clusters[i - 1].rank.score >= clusters[i].rank.score); }
        const auto again = cluster_rows(d);
        REQUIRE(again.size() == clusters.size());
        for (std::size_t i = 0; i < again.size(); ++i) { CHECK(again[i].rows == clusters[i].rows); }
    }
}

TEST_CASE("clusters: noise of one caller does not drown what is proven of another; many doubtful ones can prove it together") {
    delta d;
    const auto add = [&](double bytes, double error) {
        delta_row row;
        row.stack = {{no_module, 1, {{"f", "x.cpp", 1}}}};
        row.bytes = bytes;
        row.steady_bytes = bytes;
        row.bytes_standard_error = error;
        d.rows.push_back(row);
    };
    add(50, 10);
    add(1, 40);
    auto clusters = cluster_rows(d);
    REQUIRE(clusters.size() == 2);
    CHECK(clusters[0].rows == std::vector<std::size_t>{0});
    CHECK(clusters[0].rank.score > 0);
    d.rows.clear();
    for (int i = 0; i < 9; ++i) { add(19, 10); }
    clusters = cluster_rows(d);
    REQUIRE(clusters.size() == 1);
    CHECK(clusters[0].bytes_standard_error == Approx(30));
    CHECK(clusters[0].rank.score > 0);
    const delta findings = as_findings(d, clusters);
    REQUIRE(findings.rows.size() == 1);
    CHECK(findings.rows[0].is_significant());
    CHECK(findings.rows[0].stacks == 9);
}

TEST_CASE("clusters: a finding shows what its rows share and who calls it") {
    small_service service;
    service.add_site({plumbing, remember, "a()@a.cpp:1", "main@main.cpp:1"});
    service.add_site({plumbing, remember, "b()@b.cpp:1", "main@main.cpp:1"});
    service.add_site({plumbing, remember, "b()@b.cpp:2", "main@main.cpp:1"});
    service.add_site({plumbing, "other@other.cpp:1", "main@main.cpp:1"});
    const auto d = growth_of(service, {1000, 2000, 3000, 500});
    const delta findings = as_findings(d, cluster_rows(d));
    REQUIRE(findings.rows.size() == 2);
    const delta_row& row = findings.rows[0];
    CHECK(row.stacks == 3);
    CHECK(row.bytes == 6000);
    CHECK(row.stack.size() == 2);
    std::string callers;
    for (const delta_share& each : row.shares) {
        if (each.by == dimension::site) { callers += each.name + " " + std::to_string(static_cast<int>(each.bytes)) + " "; }
    }
    CHECK(callers == "b 5000 a 1000 ");
    CHECK(findings.rows[1].stacks == 1);
    CHECK(findings.rows[1].stack.size() == 3);
    CHECK(findings.total.bytes == d.total.bytes);
}

TEST_CASE("clusters: rows of other dimensions and rows without a stack stay alone") {
    small_service service;
    service.add_site({});
    service.add_site({}, service.add_tag("t", 0.5));
    service.grow(0, 100, 10, 10, 100);
    service.grow(1, 100, 10, 10, 100);
    for (const auto by : {dimension::site, dimension::tag, dimension::thread}) {
        diff_options how;
        how.by = by;
        const auto d = diff_of(service.take(5), service.take(100), how);
        CHECK(cluster_rows(d).size() == d.rows.size());
    }
    CHECK(cluster_rows(delta{}).empty());
}

TEST_CASE("clusters: the first few keep their rows, the others are counted as hidden") {
    small_service service;
    for (int i = 0; i < 6; ++i) {
        service.add_site({"f" + std::to_string(i % 3) + "@x.cpp:1", "g" + std::to_string(i) + "@y.cpp:1"});
    }
    auto d = growth_of(service, {6000, 5000, 4000, 30, 20, 10});
    const auto all = cluster_rows(d);
    REQUIRE(all.size() == 3);
    d.moves = {{0, 3, "stays"}};
    const auto first = keep_top_clusters(d, 2);
    REQUIRE(first.size() == 2);
    CHECK(d.rows.size() == 4);
    CHECK(d.hidden_rows == 2);
    CHECK(first[0].bytes == 6030);
    for (const cluster& each : first) {
        double bytes = 0;
        for (const std::size_t row : each.rows) { bytes += d.rows.at(row).bytes; }
        CHECK(bytes == each.bytes);
    }
    REQUIRE(d.moves.size() == 1);
    CHECK(d.moves[0].why == "stays");
    CHECK(d.rows.at(d.moves[0].appeared).bytes == 30);
    auto moved = growth_of(service, {});
    moved.moves = {{0, moved.rows.size() - 1, "the other half stays, too"}};
    CHECK(keep_top_clusters(moved, 1).size() == 2);
    auto small = growth_of(service, {});
    CHECK(keep_top_clusters(small, 0, 4500).size() == 2);  // 4000 and its 10 are below
}

// Takes minutes, and so fails, where shares are compared with each other.
TEST_CASE("clusters: a place that many stacks reach, each with its own traces, costs no square") {
    constexpr std::size_t many = 100'000;
    delta d;
    d.rows.resize(many);
    std::vector<std::size_t> rows;
    for (std::size_t i = 0; i < many; ++i) {
        d.rows[i].bytes = 3;
        d.rows[i].shares = {{dimension::route, "/orders", 3, {}}};
        for (std::uint64_t k = 1; k <= 3; ++k) { d.rows[i].shares.push_back({dimension::trace, "trace", 1, {k, i}}); }
        rows.push_back(i);
    }
    const delta_row sum = merge_rows(d, rows);
    REQUIRE(sum.shares.size() == 4);  // one route, the three largest traces
    CHECK(sum.shares[1].by == dimension::trace);
    CHECK(sum.bytes == 3 * many);
}
