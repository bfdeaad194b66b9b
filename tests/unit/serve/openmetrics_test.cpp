// SPDX-License-Identifier: Apache-2.0
// The OpenMetrics page against a reader of our own, strict about what the specification is strict about.
#include "serve/openmetrics.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "unit/serve/made_snapshot.hpp"
#include "unit/serve/routes_fixture.hpp"

using namespace memwatch_test;

namespace {

// What a page holds, or the first thing wrong with it.
struct page_reader {
    std::map<std::string, std::string> types;
    std::map<std::string, double> samples;         // name and labels as written -> value
    std::map<std::string, std::string> exemplars;  // the same -> what stands behind '#'
    std::string problem;

    explicit page_reader(const std::string& page) {
        if (page.size() < 6 || page.substr(page.size() - 6) != "# EOF\n") {
            fail("does not end in # EOF", page);
            return;
        }
        std::istringstream in(page.substr(0, page.size() - 6));
        for (std::string line; problem.empty() && std::getline(in, line);) { line[0] == '#' ? meta(line) : sample(line); }
    }

private:
    static constexpr const char* name = "[a-zA-Z_:][a-zA-Z0-9_:]*";

    void fail(const char* what, const std::string& line) { problem = std::string(what) + ": " + line; }

    void meta(const std::string& line) {
        static const std::regex form(std::string("# (TYPE|UNIT|HELP) (") + name + ") (.*)");
        std::smatch m;
        if (!std::regex_match(line, m, form)) { return fail("no metadata", line); }
        const std::string kind = m[1];
        const std::string text = m[3];
        if (kind == "TYPE") {
            if (types.count(m[2]) != 0) { return fail("a family twice, or interleaved", line); }
            if (text != "counter" && text != "gauge" && text != "histogram") { return fail("an unknown type", line); }
            if (text == "counter" && ends_with(m[2], "_total")) { return fail("a counter's family has no _total", line); }
            types[m[2]] = text;
            family_ = m[2];
        } else if (m[2] != family_ || !seen_.insert(kind + " " + family_).second) {
            return fail("metadata of another family, or twice", line);
        } else if (kind == "UNIT" && !ends_with(family_, "_" + text)) {
            return fail("the unit is no suffix of the name", line);
        } else if (kind == "HELP" && !std::regex_match(text, std::regex(R"((?:[^\\"\n]|\\[\\"n])*)"))) {
            return fail("help is not escaped", line);
        }
    }

    void sample(const std::string& line) {
        static const std::string number = "(?:[+-]?[0-9]+(?:\\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|[+-]Inf|NaN)";
        static const std::string label = "[a-zA-Z_][a-zA-Z0-9_]*=\"(?:[^\\\\\"\\n]|\\\\[\\\\\"n])*\"";
        static const std::string labels = "\\{(?:" + label + "(?:," + label + ")*)?\\}";
        static const std::regex form("(" + std::string(name) + ")(" + labels + ")? (" + number + ")(?: # (" + labels + " " +
                                     number + "(?: [0-9]+\\.[0-9]+)?))?");
        std::smatch m;
        if (!std::regex_match(line, m, form)) { return fail("no sample", line); }
        const std::string suffix = std::string(m[1]).substr(std::min(family_.size(), std::string(m[1]).size()));
        const std::string type = types[family_];
        const bool is_bucket = type == "histogram" && suffix == "_bucket";
        const bool is_named = std::string(m[1]).rfind(family_, 0) == 0 &&
                              (type == "gauge"     ? suffix.empty()
                               : type == "counter" ? suffix == "_total"
                                                   : is_bucket || suffix == "_count" || suffix == "_sum");
        if (!is_named) { return fail("the sample does not belong to its family", line); }
        if (is_bucket && !std::regex_search(line, std::regex(R"re(le="(\+Inf|[0-9]+\.[0-9]+(e[+-]?[0-9]+)?)")re"))) {
            return fail("le is no canonical float", line);
        }
        const std::string key = std::string(m[1]) + std::string(m[2]);
        if (!samples.emplace(key, std::strtod(std::string(m[3]).c_str(), nullptr)).second) {
            return fail("a series twice", line);
        }
        if (m[4].matched) {
            if (type != "counter" && !is_bucket) { return fail("an exemplar where none may be", line); }
            if (std::string(m[4]).find('}') > 128 + 6) { return fail("an exemplar above 128 characters", line); }
            exemplars[key] = m[4];
        }
    }

    static bool ends_with(const std::string& text, const std::string& end) {
        return text.size() > end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
    }

    std::string family_;
    std::set<std::string> seen_;
};

memwatch::snapshot with_examples() {
    memwatch::snapshot s = made_snapshot();
    s.info.started_unix_ns = 1'700'000'000'000'000'000;
    s.examples = {{0, {0x4bf92f3577b34da6, 0xa3ce929d0e0e4736}, 2048, 1'500'000'000}};
    return s;
}

std::string page_of(const memwatch::snapshot& s) {
    serve::metrics_options how;
    how.name_site = [](const memwatch::snapshot&, const memwatch::site&) { return std::string("f<\"x\">\n\\"); };
    return serve::render_openmetrics(serve::collect_metrics(s, how), serve::collect_exemplars(s, how));
}

constexpr const char* prometheus_2_42 =
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/"
    "plain;version=0.0.4;q=0.5,"
    "*/*;q=0.1";

}  // namespace

TEST_CASE("openmetrics: the page is what the specification asks for, and holds what the text page holds") {
    const memwatch::snapshot s = with_examples();
    const page_reader read(page_of(s));
    CHECK(read.problem == "");
    CHECK(read.types.at("memwatch_allocated_bytes") == "counter");
    CHECK(read.types.at("memwatch_object_lifetime_seconds") == "histogram");
    CHECK(read.samples.at("memwatch_allocated_bytes_total{tag=\"order-cache\"}") == 4096);
    CHECK(read.samples.at("memwatch_live_bytes{tag=\"order-cache\"}") == 3072);
    CHECK(read.samples.at("memwatch_object_lifetime_seconds_bucket{tag=\"order-cache\",le=\"+Inf\"}") == 3);

    std::size_t lines = 0;  // of the text page: each series is in the other one, too
    std::istringstream text(serve::render_metrics(serve::collect_metrics(s, {})));
    for (std::string line; std::getline(text, line);) { lines += line[0] == '#' ? 0U : 1U; }
    CHECK(read.samples.size() == lines);
}

TEST_CASE("openmetrics: the counter of a tag carries the trace of its youngest traced block, and nothing else does") {
    memwatch::snapshot s = with_examples();
    const page_reader read(page_of(s));
    CHECK(read.problem == "");
    REQUIRE(read.exemplars.size() == 1);
    CHECK(read.exemplars.at("memwatch_allocated_bytes_total{tag=\"order-cache\"}") ==
          "{trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\"} 2048 1700000001.500");
    s.sites.push_back(s.sites[0]);  // another site of the tag, with a younger one
    s.examples.push_back({2, {1, 2}, 4096, 2'000'000'000});
    CHECK(page_reader(page_of(s)).exemplars.at("memwatch_allocated_bytes_total{tag=\"order-cache\"}") ==
          "{trace_id=\"00000000000000010000000000000002\"} 4096 1700000002.000");
    s.info.started_unix_ns = 0;  // no wall clock, no timestamp
    CHECK(page_reader(page_of(s)).exemplars.begin()->second == "{trace_id=\"00000000000000010000000000000002\"} 4096");
    s.examples = {{77, {1, 2}, 1, 1}};
    CHECK(page_reader(page_of(s)).exemplars.empty());
}

TEST_CASE("openmetrics: a bucket of lifetimes carries the trace of the block that died last in it") {
    memwatch::snapshot s = with_examples();
    s.examples.clear();
    s.lifetime_examples = {
        {1, {1, 1}, 1'000'000, 2'000'000'000}, {1, {2, 2}, 4'000'000, 3'000'000'000}, {1, {3, 3}, 4'000'001, 1'000}};
    s.lifetime_examples.push_back({77, {4, 4}, 1, 1});  // a tag that is none
    const page_reader read(page_of(s));
    CHECK(read.problem == "");
    const std::string bucket = R"(memwatch_object_lifetime_seconds_bucket{tag="order-cache",le=")";
    CHECK(read.exemplars.size() == 3);
    CHECK(read.exemplars.at(bucket + "0.001\"}") == "{trace_id=\"00000000000000010000000000000001\"} 0.001 1700000002.000");
    CHECK(read.exemplars.at(bucket + "0.004\"}") == "{trace_id=\"00000000000000020000000000000002\"} 0.004 1700000003.000");
    CHECK(read.exemplars.at(bucket + "0.016\"}").find("00000000000000030000000000000003") != std::string::npos);
    s.lifetime_examples.push_back({1, {5, 5}, 900'000, 1});  // older
    CHECK(page_reader(page_of(s)).exemplars.at(bucket + "0.001\"}").find("00000000000000010000000000000001") !=
          std::string::npos);
}

TEST_CASE("openmetrics: names that need escaping and tags beyond the cap make no invalid page") {
    memwatch::snapshot s = with_examples();
    s.tags.push_back({"line\nbreak \"quoted\" back\\slash", 3, 1, 0, 0});
    s.tags.push_back({"bad\xFF", 1, 1, 0, 0});
    for (int i = 0; i < 300; ++i) { s.tags.push_back({"tag" + std::to_string(i), 100, 1, 0, 0}); }
    s.pools.push_back(s.pools[0]);
    const page_reader read(page_of(s));
    CHECK(read.problem == "");
    CHECK(read.samples.count("memwatch_live_bytes{tag=\"line\\nbreak \\\"quoted\\\" back\\\\slash\"}") == 1);
    CHECK(read.samples.count("memwatch_live_bytes{tag=\"other\"}") == 1);
    CHECK(page_reader(serve::render_openmetrics({}, {})).problem == "");
}

TEST_CASE("openmetrics: the reader of this test sees what is wrong") {
    for (const char* page :
         {"", "# EOF", "memwatch_up 1\n# EOF\n", "# TYPE a gauge\na 1\n", "# TYPE a gauge\na_total 1\n# EOF\n",
          "# TYPE a counter\na 1\n# EOF\n", "# TYPE a_total counter\na_total 1\n# EOF\n", "# TYPE a gauge\na 1\na 1\n# EOF\n",
          "# TYPE a gauge\na 1 # {t=\"x\"} 1\n# EOF\n", "# TYPE a gauge\n# UNIT a bytes\na 1\n# EOF\n",
          "# TYPE a gauge\na{x=\"\"\"} 1\n# EOF\n", "# TYPE a histogram\na_bucket{le=\"1\"} 1\n# EOF\n",
          "# TYPE a gauge\n# TYPE b gauge\n# TYPE a gauge\n# EOF\n"}) {
        INFO(page);
        CHECK(page_reader(page).problem != "");
    }
}

TEST_CASE("openmetrics: only who asks for it by name gets it") {
    for (const char* accept :
         {prometheus_2_42, "application/openmetrics-text", "APPLICATION/OpenMetrics-Text; version=1.0.0 ; q=1.0",
          "text/plain;q=0.5, application/openmetrics-text;q=0.5", "application/openmetrics-text;version=0.0.1,*/*"}) {
        CHECK(serve::wants_openmetrics(accept));
    }
    for (const char* accept :
         {"", "*/*", "text/plain", "text/html,*/*;q=0.8", "application/openmetrics-text;q=0",
          "application/openmetrics-text;version=2.0.0", "application/openmetrics-text;q=0.4,text/plain;q=0.5",
          "application/openmetrics-textual", "application/*", ",;,=;q", "application/openmetrics-text;q=x",
          "application/openmetrics-text;q=nan"}) {
        INFO(accept);
        CHECK_FALSE(serve::wants_openmetrics(accept));
    }
    fixture f;
    serve::router router = f.router();
    const auto open = router.handle(ask("GET", "/metrics", {{"Accept", prometheus_2_42}}));
    CHECK(header_of(open, "Content-Type") == "application/openmetrics-text; version=1.0.0; charset=utf-8");
    CHECK(header_of(open, "Vary") == "Accept");
    CHECK(page_reader(open.body).problem == "");
    const auto text = router.handle(get("/metrics"));
    CHECK(header_of(text, "Content-Type") == "text/plain; version=0.0.4; charset=utf-8");
    CHECK(header_of(text, "Vary") == "Accept");
    f.is_down = true;
    CHECK(page_reader(router.handle(ask("GET", "/metrics", {{"Accept", prometheus_2_42}})).body).samples.at("memwatch_up") ==
          0);
}
