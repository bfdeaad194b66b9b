// SPDX-License-Identifier: Apache-2.0
#include "report/verdict_findings.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "report/context_share.hpp"
#include "report/process_report.hpp"
#include "sample.hpp"

using namespace memwatch;

namespace {

verdict about(std::uint32_t site, verdict_class kind) {
    verdict v;
    v.index = site;
    v.kind = kind;
    return v;
}

// sample.hpp's service: site 0 leaks, site 1 is steady, the pool misses objects.
snapshot judged() {
    snapshot s = sample::orders();
    s.verdicts = {about(1, verdict_class::steady), about(0, verdict_class::leak_retained)};
    verdict& leak = s.verdicts[1];
    leak.severity = verdict_severity::warning;
    leak.confidence = 0.97;
    leak.since_ns = 12 * sample::second;
    leak.rate_bytes_per_second = 4096;
    leak.kept_share = 1;
    leak.follow_up = 9;
    leak.features = {{verdict_feature_kind::plateau, 0.9, 2.5}};
    verdict pool = about(0, verdict_class::pool_leak);
    pool.subject = verdict_subject::pool;
    s.verdicts.push_back(pool);
    return s;
}

std::string findings_of(const snapshot& s) {
    json_writer json;
    json.begin_array();
    write_findings(json, s);
    json.end_array();
    return json.take();
}

std::size_t count(const std::string& in, const std::string& what) {
    std::size_t found = 0;
    for (std::size_t at = in.find(what); at != std::string::npos; at = in.find(what, at + 1)) { ++found; }
    return found;
}

bool has(const std::string& in, const std::string& what) { return in.find(what) != std::string::npos; }

}  // namespace

TEST_CASE("findings: one each that was judged, leaks first, named by the user's own function and its inlined line") {
    const std::string json = findings_of(judged());
    CHECK(count(json, "\"function\": ") == 3);
    CHECK(has(json,
              "\"function\": \"orders::request_cache::remember\", \"module\": \"/srv/orders/orders\", "
              "\"file\": \"src/orders/request_cache.cpp\", \"line\": 42"));
    CHECK(has(json, "\"class\": \"leak_retained\", \"verdict\": \"leak\", \"severity\": \"warning\""));
    CHECK(has(json, "\"holder\": null"));
    // The stack: demangled, innermost first, inlined calls unfolded, what has no name by module and offset.
    CHECK(has(json,
              "\"stack\": [\"operator new(unsigned long)\", "
              "\"std::vector<orders::order, std::allocator<orders::order> >::push_back(orders::order const&)\", "
              "\"orders::request_cache::remember(std::string_view, orders::order)\", "
              "\"orders::handle_create(orders::request const&)\"]"));
    CHECK(has(json, "\"stack\": [\"operator new(unsigned long)\", \"orders+0x3000\"]"));
    CHECK(json.find("\"class\": \"leak_retained\"") < json.find("\"class\": \"steady\""));
    CHECK(json.find("\"class\": \"pool_leak\"") < json.find("\"class\": \"steady\""));
}

TEST_CASE("findings: bytes and objects are what the site holds in the snapshot, and times are on the wall clock") {
    const snapshot s = judged();
    const sampled_totals held = held_by(s, s.verdicts[1]);
    CHECK(held == s.sites[0].live);
    const std::string json = findings_of(s);
    CHECK(has(json, "\"since_unix_ns\": " + std::to_string(s.info.started_unix_ns + 12 * sample::second)));
    CHECK(has(json, "\"rate_bytes_per_s\": 4096.000"));
    CHECK(has(json, "{\"name\": \"plateau\", \"value\": 0.900, \"contribution\": 2.500}"));
}

TEST_CASE("findings: a leak names routes and traces of what it keeps; what is no suspect does not") {
    const std::string json = findings_of(judged());
    CHECK(count(json, "\"routes\": ") == 1);
    CHECK(has(json, "{\"route\": \"/api/v2/orders\", \"share\": 0.833}"));  // 5 of 6 equal blocks
    CHECK(has(json, "\"traces\": [\"4bf92f3577b34da6"));
}

TEST_CASE("findings: a pool holds its objects in use, and is named by who acquired what it misses longest") {
    const snapshot s = judged();
    const sampled_totals held = held_by(s, s.verdicts[2]);
    CHECK(held.objects == 100);
    CHECK(held.bytes == 51'200);
    CHECK(held.bytes_standard_error() == 0);
    const std::string json = findings_of(s);
    CHECK(has(json, "\"function\": \"orders::handle_create\", \"module\": \"/srv/orders/orders\""));
    CHECK(has(json, "\"subject\": \"pool\", \"site\": \"pool:orders\", \"pool\": \"orders\""));
}

TEST_CASE("findings: a leak fails a run when it holds more than the threshold, and chance is no excuse") {
    snapshot s = judged();
    const double held = s.sites[0].live.bytes;
    const double error = s.sites[0].live.bytes_standard_error();
    REQUIRE(held > 2 * error);
    CHECK(leaks_above(s, 0).size() == 2);
    CHECK(leaks_above(s, held - 2 * error - 1).size() == 1);  // the pool holds 50 KiB
    CHECK(leaks_above(s, held - 2 * error).empty());
    s.verdicts[1].kind = verdict_class::suspect_growth;
    CHECK(leaks_above(s, 0).size() == 1);
}

TEST_CASE("process report: says what leaks in a sentence before it lists sites, with names made safe") {
    process_report r;
    r.processes.push_back({judged(), false});
    r.processes[0].value.frames[1].lines[1].function = "orders::\x1bremember()";
    const std::string words = render_text(r, {});
    CHECK(has(words, "\n  leak: orders::\\x1bremember has kept 100 % of what it allocated for route /api/v2/orders since "));
    CHECK(has(words, "\n  leak: pool orders gives out objects that do not come back"));
    CHECK(words.find("leak: ") < words.find("  [request-cache]"));
    CHECK_FALSE(has(words, "steady"));
    CHECK(has(findings_of(judged()), "\"sentence\": \"orders::request_cache::remember has kept"));
}

TEST_CASE("findings: a row that is not there is none") {
    snapshot s = judged();
    s.verdicts[1].index = 2;
    CHECK(count(findings_of(s), "\"function\": ") == 2);
}

TEST_CASE("process report: keeps the records and frames of what leaks, however small it is, and the context's share of all") {
    snapshot s = judged();
    const context_share before = measure_context(s);
    s.sites[0].live = {};  // site 1 is the largest now
    s.sites[0].live.samples = 6;
    keep_largest_sites(s, 1);
    CHECK(s.live.size() == 6);
    CHECK(s.frames[1].module == 0);
    CHECK(measure_context(s).untraced_bytes == Approx(before.untraced_bytes).margin(1));
    CHECK(measure_context(s).bytes == Approx(before.bytes).margin(1));
}

TEST_CASE("process report: has its processes' findings in one list, empty when nobody judged") {
    process_report r;
    r.processes.push_back({sample::orders(), false});
    CHECK(has(render_json(r), "\"findings\": []"));
    r.processes = {{judged(), false}, {judged(), false}};
    CHECK(count(render_json(r), "\"class\": ") == 6);
}
