// SPDX-License-Identifier: Apache-2.0
#include "serve/metrics.hpp"

#include <catch2/catch.hpp>
#include <set>
#include <sstream>
#include <string>

#include "model/sampling_stop.hpp"
#include "unit/serve/made_snapshot.hpp"

namespace serve = memwatch::serve;
using memwatch_test::made_snapshot;

namespace {

serve::metrics_options named() {
    serve::metrics_options out;
    out.name_site = [](const memwatch::snapshot&, const memwatch::site& s) {
        return s.type.empty() ? std::string("handle") : std::string("cache<\"x\">::insert");
    };
    return out;
}

std::string page(const memwatch::snapshot& s, const serve::metrics_options& options = named()) {
    return serve::render_metrics(serve::collect_metrics(s, options));
}

std::vector<std::string> series(const std::string& text) {
    std::vector<std::string> out;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
        if (!line.empty() && line[0] != '#') { out.push_back(line.substr(0, line.rfind(' '))); }
    }
    return out;
}

bool has_line(const std::string& text, const std::string& line) {
    return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("metrics: the page of a small service, to the byte") {
    const memwatch::snapshot s = made_snapshot();
    const std::string cache = serve::site_label(s, s.sites[0]);
    const std::string small = serve::site_label(s, s.sites[1]);
    const std::string expected =
        R"(# HELP memwatch_up 1 while memwatch can answer, 0 when it never started.
# TYPE memwatch_up gauge
memwatch_up 1
# HELP memwatch_live_bytes Bytes alive under the tag, exact.
# TYPE memwatch_live_bytes gauge
memwatch_live_bytes{tag="untagged"} 800
memwatch_live_bytes{tag="order-cache"} 3072
# HELP memwatch_live_objects Allocations alive under the tag, exact.
# TYPE memwatch_live_objects gauge
memwatch_live_objects{tag="untagged"} 8
memwatch_live_objects{tag="order-cache"} 1
# HELP memwatch_allocated_bytes_total Bytes allocated under the tag, exact.
# TYPE memwatch_allocated_bytes_total counter
memwatch_allocated_bytes_total{tag="untagged"} 900
memwatch_allocated_bytes_total{tag="order-cache"} 4096
# HELP memwatch_allocations_total Allocations under the tag, exact.
# TYPE memwatch_allocations_total counter
memwatch_allocations_total{tag="untagged"} 9
memwatch_allocations_total{tag="order-cache"} 2
# HELP memwatch_freed_bytes_total Bytes freed under the tag, exact.
# TYPE memwatch_freed_bytes_total counter
memwatch_freed_bytes_total{tag="untagged"} 100
memwatch_freed_bytes_total{tag="order-cache"} 1024
# HELP memwatch_frees_total Frees under the tag, exact.
# TYPE memwatch_frees_total counter
memwatch_frees_total{tag="untagged"} 1
memwatch_frees_total{tag="order-cache"} 1
# HELP memwatch_cross_thread_frees_total Frees by another thread than the one that allocated, estimated from samples.
# TYPE memwatch_cross_thread_frees_total counter
memwatch_cross_thread_frees_total{tag="untagged"} 0
memwatch_cross_thread_frees_total{tag="order-cache"} 7
# HELP memwatch_object_lifetime_seconds Time from allocation to free of freed blocks, estimated from samples.
# TYPE memwatch_object_lifetime_seconds histogram
memwatch_object_lifetime_seconds_count{tag="order-cache"} 3
memwatch_object_lifetime_seconds_sum{tag="order-cache"} 2000.5
)";
    const std::string text = page(s);
    CHECK(text.substr(0, expected.size()) == expected);
    CHECK(text.find(R"(memwatch_object_lifetime_seconds_count{tag="untagged"})") == std::string::npos);  // nothing was freed
    CHECK(has_line(text, R"(memwatch_object_lifetime_seconds_bucket{tag="order-cache",le="0.001"} 2)"));
    CHECK(has_line(text, R"(memwatch_object_lifetime_seconds_bucket{tag="order-cache",le="+Inf"} 3)"));
    CHECK(has_line(text, "memwatch_heap_live_bytes 3872"));
    CHECK(has_line(text, "memwatch_heap_live_standard_error_bytes 400"));
    CHECK(has_line(text, "memwatch_live_samples 3"));
    CHECK(has_line(
        text, R"(memwatch_site_live_bytes{site=")" + cache + R"(",function="cache<\"x\">::insert",tag="order-cache"} 3072)"));
    CHECK(has_line(text, R"(memwatch_site_live_bytes{site=")" + small + R"(",function="handle",tag="untagged"} 800)"));
    CHECK(has_line(text, R"(memwatch_site_live_bytes{site="other",function="other",tag="other"} 0)"));
    CHECK(has_line(text, R"(memwatch_pool_capacity{pool="sessions"} 128)"));
    CHECK(has_line(text, R"(memwatch_pool_in_use{pool="sessions"} 100)"));
    CHECK(has_line(text, R"(memwatch_pool_free{pool="sessions"} 28)"));
    CHECK(has_line(text, R"(memwatch_pool_high_water{pool="sessions"} 120)"));
    CHECK(has_line(text, R"(memwatch_pool_acquires_total{pool="sessions"} 5000)"));
    CHECK(has_line(text, R"(memwatch_pool_hits_total{pool="sessions"} 4990)"));
    CHECK(has_line(text, R"(memwatch_pool_acquire_failures_total{pool="sessions"} 3)"));
    CHECK(has_line(text, R"(memwatch_pool_misuses_total{pool="sessions"} 1)"));
    CHECK(has_line(text, "memwatch_self_bytes 1234"));
    CHECK(has_line(text, "memwatch_samples_total 42"));
    CHECK(has_line(text, "memwatch_self_seconds_total 1.5"));
    CHECK(has_line(text, "memwatch_lifecycle_events_total 77"));
    CHECK(has_line(text, "memwatch_short_lived_ratio 0.25"));
    CHECK(has_line(text, R"(memwatch_dropped_total{reason="table_full"} 11)"));
    CHECK(has_line(text, "memwatch_sample_interval_bytes 65536"));
    CHECK(has_line(text, R"(memwatch_build_info{version="0.1.0"} 1)"));
    CHECK(text.find("memwatch_degradations_total") == std::string::npos);  // no steps taken: no family without samples
}

TEST_CASE("metrics: exact counters stay exact up to 2^53") {
    memwatch::snapshot s;
    s.tags.push_back({"big", (1ULL << 53), 1, 1, 0});
    CHECK(has_line(page(s), R"(memwatch_live_bytes{tag="big"} 9007199254740991)"));
}

TEST_CASE("metrics: series are unique and valid whatever the names are") {
    memwatch::snapshot s = made_snapshot();
    s.tags.push_back({"other", 7, 1, 0, 0});
    s.tags.push_back({"bad\xFF", 1, 1, 0, 0});
    s.tags.push_back({"bad\xFE", 2, 1, 0, 0});  // the same once both are UTF-8
    s.tags.push_back({"line\nbreak \"quoted\" back\\slash", 3, 1, 0, 0});
    s.tags.push_back({std::string(5000, 'x'), 4, 1, 0, 0});
    s.pools.push_back(s.pools[0]);  // two pools of one name
    s.sites.push_back(s.sites[0]);
    const std::string text = page(s);
    const std::vector<std::string> all = series(text);
    CHECK(std::set<std::string>(all.begin(), all.end()).size() == all.size());
    CHECK(has_line(text, R"(memwatch_pool_in_use{pool="sessions"} 200)"));
    CHECK(has_line(text, "memwatch_live_bytes{tag=\"bad\xEF\xBF\xBD\"} 3"));
    CHECK(has_line(text, R"(memwatch_live_bytes{tag="line\nbreak \"quoted\" back\\slash"} 3)"));
    CHECK(has_line(text, R"(memwatch_live_bytes{tag="other"} 7)"));
    CHECK(text.find(std::string(201, 'x')) == std::string::npos);
}

TEST_CASE("metrics: tags beyond the cap share `other`, and the sum over series stays the total") {
    memwatch::snapshot s;
    for (std::uint64_t i = 0; i < 50; ++i) { s.tags.push_back({"tag" + std::to_string(i), 100 + i, 1, 0, 0}); }
    serve::metrics_options options;
    options.max_tags = 10;
    const std::string text = page(s, options);
    CHECK(has_line(text, R"(memwatch_live_bytes{tag="tag9"} 109)"));
    CHECK(text.find("tag10") == std::string::npos);
    CHECK(has_line(text, R"(memwatch_live_bytes{tag="other"} )" + std::to_string(40 * 100 + (10 + 49) * 40 / 2)));
}

TEST_CASE("metrics: the largest sites are named and the rest is `other`") {
    memwatch::snapshot s = made_snapshot();
    s.sites.clear();
    for (std::uint64_t i = 0; i < 100; ++i) {
        memwatch::site each;
        each.stack = 0;
        each.tag = 1;
        each.type = "T" + std::to_string(i);
        each.live.bytes = static_cast<double>(i);
        s.sites.push_back(each);
    }
    const std::string text = page(s);
    std::size_t count = 0;
    for (const std::string& each : series(text)) { count += each.rfind("memwatch_site_live_bytes", 0) == 0 ? 1U : 0U; }
    CHECK(count == 21);
    CHECK(has_line(text, R"(memwatch_site_live_bytes{site="other",function="other",tag="other"} 3160)"));  // 0 + .. + 79
    CHECK(has_line(text, "memwatch_heap_live_bytes 4950"));
}

TEST_CASE("metrics: a site keeps its label across load addresses and loses it with another type, tag or offset") {
    const memwatch::snapshot a = made_snapshot();
    memwatch::snapshot b = a;
    b.modules[0].start += 0x1000;
    b.modules[0].limit += 0x1000;
    CHECK(serve::site_label(a, a.sites[0]) == serve::site_label(b, b.sites[0]));
    CHECK(serve::site_label(a, a.sites[0]).size() == 16);
    b.sites[0].type = "Invoice";
    CHECK(serve::site_label(a, a.sites[0]) != serve::site_label(b, b.sites[0]));
    b = a;
    b.frames[0].offset += 1;
    CHECK(serve::site_label(a, a.sites[0]) != serve::site_label(b, b.sites[0]));
}

TEST_CASE("metrics: without a session the page says so") {
    const auto down = serve::collect_metrics_or_down(memwatch::fail(memwatch::error_code::unavailable, "not started"));
    CHECK(has_line(serve::render_metrics(down), "memwatch_up 0"));
    CHECK(down.size() == 1);
    const serve::snapshot_collectable collectable([] { return memwatch::result<memwatch::snapshot>(made_snapshot()); },
                                                  named());
    CHECK(serve::render_metrics(collectable.Collect()) == page(made_snapshot()));
}

TEST_CASE("metrics: a site that is accused has all its classes, and a change of mind moves a value, not a series") {
    memwatch::snapshot s = made_snapshot();
    s.pools.push_back(s.pools[0]);  // of the same name
    s.pools[0].tag = "conn";
    const auto judge = [&](memwatch::verdict_subject subject, std::uint32_t row, memwatch::verdict_class kind,
                           double confidence) {
        s.verdicts.emplace_back();
        s.verdicts.back().subject = subject;
        s.verdicts.back().index = row;
        s.verdicts.back().kind = kind;
        s.verdicts.back().confidence = confidence;
    };
    judge(memwatch::verdict_subject::site, 0, memwatch::verdict_class::suspect_growth, 0.5);
    judge(memwatch::verdict_subject::site, 1, memwatch::verdict_class::cache, 0.25);
    judge(memwatch::verdict_subject::pool, 0, memwatch::verdict_class::pool_leak, 0.75);
    judge(memwatch::verdict_subject::pool, 1, memwatch::verdict_class::pool_leak, 0.25);
    s.verdicts[0].severity = memwatch::verdict_severity::warning;
    s.verdicts[0].retained_bytes = 4096;
    s.verdicts[0].rate_bytes_per_second = 128;
    s.verdicts[2].severity = memwatch::verdict_severity::critical;
    REQUIRE(memwatch::validate(s));
    const std::string text = page(s);
    const std::string labels =
        R"(site=")" + serve::site_label(s, s.sites[0]) + R"(",function="cache<\"x\">::insert",tag="order-cache",)";
    CHECK(has_line(text, "memwatch_verdict{" + labels + R"(class="suspect_growth"} 0.5)"));
    CHECK(has_line(text, "memwatch_verdict{" + labels + R"(class="leak_retained"} 0)"));
    CHECK(has_line(text, R"(memwatch_verdict{site="pool",function="sessions",tag="conn",class="pool_leak"} 0.75)"));
    const std::string who = labels.substr(0, labels.size() - 1);
    CHECK(has_line(text, "memwatch_verdict_severity{" + who + "} 2"));
    CHECK(has_line(text, R"(memwatch_verdict_severity{site="pool",function="sessions",tag="conn"} 3)"));
    CHECK(has_line(text, "memwatch_verdict_retained_bytes{" + who + "} 4096"));
    CHECK(has_line(text, "memwatch_verdict_growth_bytes_per_second{" + who + "} 128"));
    CHECK(text.find(R"(class="cache")") == std::string::npos);
    CHECK(has_line(text, R"(memwatch_leak_suspects{class="suspect_growth"} 1)"));
    CHECK(has_line(text, R"(memwatch_leak_suspects{class="pool_leak"} 2)"));
    CHECK(has_line(text, R"(memwatch_leak_suspects{class="leak_retained"} 0)"));
    const std::vector<std::string> before = series(text);
    const std::set<std::string> unique(before.begin(), before.end());
    CHECK(unique.size() == before.size());
    s.verdicts[0].kind = memwatch::verdict_class::leak_retained;
    CHECK(has_line(page(s), "memwatch_verdict{" + labels + R"(class="leak_retained"} 0.5)"));
    const std::vector<std::string> after = series(page(s));  // in another order: leaks come first
    CHECK(std::set<std::string>(after.begin(), after.end()) == unique);
}

TEST_CASE("metrics: of many accused sites the weightiest have series, and all of them are counted") {
    memwatch::snapshot s = made_snapshot();
    s.sites.clear();
    for (std::uint32_t i = 0; i < 100; ++i) {
        memwatch::site each;
        each.tag = 1;
        each.type = "T" + std::to_string(i);
        s.sites.push_back(each);
        s.verdicts.emplace_back();
        s.verdicts.back().index = i;
        s.verdicts.back().retained_bytes = i;
        s.verdicts.back().kind = i == 7 ? memwatch::verdict_class::leak_retained : memwatch::verdict_class::suspect_growth;
    }
    const std::string text = page(s);
    std::size_t count = 0;
    for (const std::string& each : series(text)) { count += each.rfind("memwatch_verdict{", 0) == 0 ? 1U : 0U; }
    CHECK(count == 20 * 4);
    CHECK(text.find(R"(memwatch_verdict{site=")" + serve::site_label(s, s.sites[7])) != std::string::npos);
    CHECK(text.find(R"(memwatch_verdict{site=")" + serve::site_label(s, s.sites[99])) != std::string::npos);
    CHECK(text.find(R"(memwatch_verdict{site=")" + serve::site_label(s, s.sites[50])) == std::string::npos);
    CHECK(has_line(text, R"(memwatch_leak_suspects{class="suspect_growth"} 99)"));
}

TEST_CASE("metrics: how many looks were taken, when the last one was and what it cost") {
    memwatch::snapshot s = made_snapshot();
    CHECK(has_line(page(s), "memwatch_verdict_looks_total 0"));
    CHECK(page(s).find("memwatch_verdict_look_seconds") == std::string::npos);
    s.info.started_unix_ns = 1'700'000'000'000'000'000;
    for (const memwatch::named_value& each : {memwatch::named_value{"verdict_looks", 12},
                                              {"verdict_looked_at_ns", 120'000'000'000},
                                              {"verdict_look_ns", 2'500'000},
                                              {"verdict_pause_ns", 10'000'000'000}}) {
        s.activity.push_back(each);
    }
    CHECK(has_line(page(s), "memwatch_verdict_looks_total 12"));
    CHECK(has_line(page(s), "memwatch_verdict_last_look_timestamp_seconds 1700000120"));
    CHECK(has_line(page(s), "memwatch_verdict_look_seconds 0.0025"));
    CHECK(has_line(page(s), "memwatch_verdict_pause_seconds 10"));
}

TEST_CASE("metrics: while nothing is sampled no estimate of the live heap is made of what is left") {
    memwatch::snapshot s = made_snapshot();
    CHECK(has_line(page(s), "memwatch_sampling 1"));
    s.activity.push_back({memwatch::sampling_stop_row, static_cast<std::uint64_t>(memwatch::sampling_stop::preset_off)});
    const std::string text = page(s);
    CHECK(has_line(text, "memwatch_sampling 0"));
    CHECK(text.find("memwatch_heap_live") == std::string::npos);
    CHECK(text.find("memwatch_site_live_bytes") == std::string::npos);
    CHECK(text.find("memwatch_live_samples") != std::string::npos);
}

TEST_CASE("metrics: the components of the footprint add up, also when more is explained than there is") {
    serve::metrics_options options = named();
    options.measure_cheaply = []() -> memwatch::result<memwatch::footprint> {
        memwatch::footprint where;
        where.resident_bytes = 1000;
        where.rows = {{memwatch::footprint_part::tracked_live, memwatch::footprint_basis::estimated, 900, 0, ""},
                      {memwatch::footprint_part::file, memwatch::footprint_basis::measured, 150, 0, ""}};
        where.unexplained_bytes = -50;
        return where;
    };
    const std::string text = page(made_snapshot(), options);
    CHECK(has_line(text, R"(memwatch_footprint_bytes{component="tracked_live"} 900)"));
    CHECK(has_line(text, R"(memwatch_footprint_bytes{component="file"} 150)"));
    CHECK(has_line(text, R"(memwatch_footprint_bytes{component="shared"} 0)"));
    CHECK(has_line(text, R"(memwatch_footprint_bytes{component="unexplained"} -50)"));
    options.measure_cheaply = []() -> memwatch::result<memwatch::footprint> {
        return memwatch::fail(memwatch::error_code::unavailable, "no /proc");
    };
    CHECK(page(made_snapshot(), options).find("memwatch_footprint_bytes") == std::string::npos);
}

TEST_CASE("metrics: memory, its limit and when that is met, as far as anybody has read them") {
    memwatch::snapshot s = made_snapshot();
    CHECK(page(s).find("memwatch_process_memory_bytes") == std::string::npos);
    CHECK(page(s).find("memwatch_time_to_oom") == std::string::npos);
    for (const memwatch::named_value& each : {memwatch::named_value{"process_anonymous_bytes", 4096},
                                              {"cgroup_bytes", 1000},
                                              {"cgroup_unreclaimable_bytes", 800},
                                              {"cgroup_high_events", 0},
                                              {"cgroup_oom_kill_events", 1},
                                              {"pressure_level", 1},
                                              {"pressure_some", 3},
                                              {"pressure_critical", 0},
                                              {"time_to_oom_ms", 754'500},
                                              {"time_to_oom_least_ms", 500'000}}) {
        s.activity.push_back(each);
    }
    CHECK(has_line(page(s), R"(memwatch_process_memory_bytes{kind="anonymous"} 4096)"));
    CHECK(has_line(page(s), "memwatch_cgroup_memory_bytes 1000"));
    CHECK(has_line(page(s), "memwatch_cgroup_unreclaimable_bytes 800"));
    CHECK(page(s).find("memwatch_cgroup_limit_bytes") == std::string::npos);
    CHECK(has_line(page(s), R"(memwatch_cgroup_events_total{event="high"} 0)"));
    CHECK(has_line(page(s), R"(memwatch_cgroup_events_total{event="oom_kill"} 1)"));
    CHECK(has_line(page(s), "memwatch_memory_pressure 1"));
    CHECK(has_line(page(s), R"(memwatch_memory_pressure_total{level="some"} 3)"));
    CHECK(has_line(page(s), "memwatch_time_to_oom_seconds 754.5"));
    CHECK(has_line(page(s), "memwatch_time_to_oom_least_seconds 500"));
}
