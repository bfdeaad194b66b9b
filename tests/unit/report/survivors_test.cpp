// SPDX-License-Identifier: Apache-2.0
#include "report/survivors.hpp"

#include <catch2/catch.hpp>
#include <vector>

#include "report/text.hpp"
#include "report/view.hpp"
#include "support/random_snapshot.hpp"
#include "support/seed.hpp"
#include "unit/report/sample.hpp"

using namespace memwatch;

namespace {

// One site of depth 3 and one of depth 6; a block each born in epochs 0 to 9, of sizes 1 to 10; taken in epoch 10.
snapshot aged() {
    snapshot s;
    s.info.epoch_ns = 1000;
    s.info.taken_ns = 10'500;
    s.tags.push_back({"untagged", 0, 0, 0, 0});
    s.routes.push_back("");
    s.threads.push_back({"other", 0, false});
    for (std::uint32_t i = 0; i < 6; ++i) { s.frames.push_back({no_module, i, {}}); }
    s.stacks = {{{0, 1, 2}, false}, {{0, 1, 2, 3, 4, 5}, false}};
    s.sites.resize(2);
    s.sites[1].stack = 1;
    for (std::uint32_t e = 0; e < 10; ++e) {
        live_record r;
        r.sequence = e + 1;
        r.size_bytes = e + 1;
        r.birth_ns = e * 1000 + 500;
        r.site = e % 2;
        s.live.push_back(r);
        s.sites[r.site].live.add(r.size_bytes, 0);
        s.sites[r.site].allocated.add(r.size_bytes, 0);
    }
    return s;
}

double live_bytes(const snapshot& s) {
    double sum = 0;
    for (const site& each : s.sites) { sum += each.live.bytes; }
    return sum;
}

}  // namespace

TEST_CASE("survivors: alive when the k-th epoch after their own began", "[report]") {
    snapshot s = aged();
    keep_survivors(s, {2, 0});
    CHECK(s.live.size() == 9);  // born in 0 .. 8
    keep_survivors(s, {10, 0});
    CHECK(s.live.size() == 1);
    CHECK(live_bytes(s) == 1);
    keep_survivors(s, {11, 0});
    CHECK(s.live.empty());
    CHECK(live_bytes(s) == 0);
}

TEST_CASE("survivors: from stacks of at least d frames, whatever their age", "[report]") {
    snapshot s = aged();
    keep_survivors(s, {0, 6});
    CHECK(s.live.size() == 5);
    CHECK(s.sites[0].live.samples == 0);
    CHECK(s.sites[0].allocated.samples == 0);
    CHECK(s.sites[1].live.bytes == 2 + 4 + 6 + 8 + 10);
    keep_survivors(s, {0, 7});
    CHECK(s.live.empty());
}

TEST_CASE("survivors: what is left is a valid snapshot whose sums follow its records, and asking again changes nothing",
          "[report]") {
    const std::uint64_t seed = test_support::seed();
    INFO("seed " << seed);
    memwatch_test::random_source random{seed};
    for (int i = 0; i < 50; ++i) {
        snapshot s = memwatch_test::random_snapshot(random);
        REQUIRE(validate(s).has_value());
        const survivor_filter wanted{random.below(5), random.below(8)};
        keep_survivors(s, wanted);
        const auto checked = validate(s);
        INFO((checked ? std::string() : checked.error().message()));
        REQUIRE(checked.has_value());
        std::vector<sampled_totals> sums(s.sites.size());
        for (const live_record& r : s.live) { sums[r.site].add(r.size_bytes, r.interval_bytes); }
        if (wanted.is_set()) {
            for (std::size_t j = 0; j < sums.size(); ++j) { REQUIRE(sums[j].bytes == s.sites[j].live.bytes); }
        }
        const std::size_t left = s.live.size();
        keep_survivors(s, wanted);
        REQUIRE(s.live.size() == left);
    }
}

TEST_CASE("survivors: any table can be had of them alone, and says so", "[report]") {
    view_options how;
    how.only = {4, 5};
    const auto sites = make_view(aged(), view_kind::sites, how);
    REQUIRE(sites.has_value());
    CHECK(sites->rows.size() == 1);
    CHECK(sites->only.epochs == 4);
    CHECK(render_text(*sites).find("only blocks alive for 4 epochs (") != std::string::npos);
    const auto survivors = make_view(aged(), view_kind::survivors, how);  // telemetry told nothing: the records do
    REQUIRE(survivors.has_value());
    CHECK(survivors->rows.size() == 1);
    how.only = {11, 0};
    const auto none = make_view(aged(), view_kind::traces, how);
    REQUIRE(none.has_value());
    CHECK(none->rows.empty());
    CHECK(render_text(*none).find("no traces: only blocks alive for 11 epochs") == 0);
}

TEST_CASE("context share: of live blocks, else of all samples, and never 0 % of something", "[report]") {
    snapshot s = aged();
    CHECK(to_words(measure_context(s)) == "no live block names a trace");
    s.live[0].trace = {1, 1};
    CHECK(to_words(measure_context(s)) == "98.2 % of live bytes and 90.0 % of objects name no trace");
    snapshot kept = s;
    keep_context_share(kept);
    kept.live.clear();
    CHECK(to_words(measure_context(kept)) == to_words(measure_context(s)));
    for (live_record& r : s.live) { r.trace = {1, 1}; }
    CHECK(to_words(measure_context(s)) == "0 % of live bytes and 0 % of objects name no trace");
    s.live.clear();
    CHECK(to_words(measure_context(s)).empty());
    s.activity = {{"traced_bytes", 1'000'000}, {"traced_objects", 10'000}, {"untraced_bytes", 1}, {"untraced_objects", 1}};
    CHECK(to_words(measure_context(s)) == "< 0.1 % of all sampled bytes and < 0.1 % of objects name no trace");
}
