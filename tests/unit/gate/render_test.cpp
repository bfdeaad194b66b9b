// SPDX-License-Identifier: Apache-2.0
// Golden files are in tests/golden/gate; MEMWATCH_UPDATE_GOLDEN=1 rewrites them: read them as a user before committing.
#include <catch2/catch.hpp>

#include <algorithm>

#include <rapidjson/document.h>

#include "gate/render.hpp"
#include "unit/gate/made_delta.hpp"
#include "unit/report/golden.hpp"

using namespace memwatch;
using namespace memwatch::gate;
using made::KiB;
using made::MiB;

namespace {

// What a report only refers to.
struct judged_case {
    policy rules;
    delta sites;
    delta tags;
    judgement judged;

    judged_case(policy p, delta s, delta t) : rules(std::move(p)), sites(std::move(s)), tags(std::move(t)) {
        judged = judge(rules, sites, tags);
    }
    [[nodiscard]] gate_report report() const {
        return {rules, judged, sites, tags, "memory.baseline", "head.memtrace", "memwatch-gate.yml", "/repo"};
    }
};

judged_case failing() {
    policy p;
    p.sites.push_back(*make_budget("orders::warm_up*", "4MiB", "filled once at start"));
    p.tags.push_back(*make_tag_budget("sessions", "1MiB"));
    p.suppressions = {{"libfontconfig", "lsan.supp:3"}, {"third_party::", "lsan.supp:4"}};
    delta sites =
        made::of({made::site("orders::request_cache::remember", 52 * MiB, 1.2 * MiB, "request-cache"),
                  made::site("orders::log::append", 300 * KiB, 200 * KiB), made::site("orders::warm_up", 3 * MiB, 400 * KiB),
                  made::site("third_party::parse", 9 * MiB, 500 * KiB),
                  made::site("orders::session::open", 2 * MiB, 300 * KiB, "sessions"),
                  made::site("orders::old_cache", -1 * MiB, 100 * KiB)});
    sites.moves.push_back({5, 0, "same type"});
    sites.warnings = {"different builds of the program: b0 and b1", "different services: orders and shop"};
    return {p, sites, made::tags_of({made::tag("sessions", 2.1 * MiB), made::tag("request-cache", 51.7 * MiB)})};
}

judged_case passing() { return {{}, made::of({made::site("orders::log::append", 300 * KiB, 200 * KiB)}), made::tags_of({})}; }

const std::string hostile_name = "evil\x1b[2J\x07\n::error::x]]>%0A<b a=\"'&>|`\xE2\x80\xAE\xFF\xEF\xBF\xBE,f:g";

judged_case hostile() {
    policy p;
    p.tags.push_back(*make_tag_budget(hostile_name, "1KiB", hostile_name));
    p.suppressions.push_back({hostile_name + "not there", hostile_name});
    delta_row row = made::site(hostile_name, 52 * MiB, 1 * MiB);
    row.type = hostile_name;
    row.stack[1].lines[0].file = "/repo/src/" + hostile_name;
    delta sites = made::of({row});
    sites.warnings = {hostile_name};
    sites.after.service = sites.after.executable = hostile_name;
    return {p, sites, made::tags_of({made::tag(hostile_name, 3 * MiB)})};
}

judged_case many(std::size_t count) {
    std::vector<delta_row> rows;
    for (std::size_t i = 0; i < count; ++i) {
        rows.push_back(made::site("app::f" + std::to_string(i), 1 * MiB + static_cast<double>(i) * KiB, 0));
    }
    return {{}, made::of(std::move(rows)), made::tags_of({})};
}

std::size_t lines_with(const std::string& text, std::string_view start) {
    std::size_t count = 0;
    for (std::size_t at = 0; at < text.size(); at = std::min(text.find('\n', at), text.size() - 1) + 1) {
        if (text.compare(at, start.size(), start) == 0) { ++count; }
    }
    return count;
}

bool has_raw_control(const std::string& text) {
    return std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' && c != '\n'; }) ||
           text.find("\xE2\x80\xAE") != std::string::npos || text.find('\xFF') != std::string::npos;
}

rapidjson::Document parsed(const std::string& text) {
    rapidjson::Document document;
    document.Parse<rapidjson::kParseValidateEncodingFlag>(text.data(), text.size());
    REQUIRE_FALSE(document.HasParseError());
    return document;
}

}  // namespace

TEST_CASE("gate output: a failing run in every format") {
    const judged_case c = failing();
    check_golden("failed.txt", render_text(c.report(), 20, false));
    check_golden("failed.md", render_markdown(c.report()));
    check_golden("failed.json", render_json(c.report()));
    check_golden("failed.xml", render_junit(c.report()));
    check_golden("failed.sarif", render_sarif(c.report()));
    check_golden("failed.github", render_annotations(c.report()));
}

TEST_CASE("gate output: a passing run says what it did not count, and what it could not have seen") {
    const judged_case c = passing();
    const std::string text = render_text(c.report(), 20, false);
    check_golden("passed.txt", text);
    CHECK(text.find("+300.0 KiB +- 200.0 KiB") != std::string::npos);
    CHECK(text.find("within sampling error, not counted") != std::string::npos);
    CHECK(text.find("no power") != std::string::npos);
    CHECK(render_annotations(c.report()).empty());
    CHECK(parsed(render_sarif(c.report()))["runs"][0]["results"].Empty());
}

TEST_CASE("gate output: colour is decoration") {
    const judged_case c = failing();
    std::string plain;
    const std::string coloured = render_text(c.report(), 20, true);
    for (std::size_t i = 0; i < coloured.size(); ++i) {
        if (coloured[i] == '\x1b') {
            i = coloured.find('m', i);
        } else {
            plain += coloured[i];
        }
    }
    CHECK(plain == render_text(c.report(), 20, false));
}

TEST_CASE("gate output: no name leaves its place") {
    const judged_case c = hostile();
    const gate_report r = c.report();
    for (const std::string& text : {render_text(r, 20, false), render_markdown(r), render_json(r), render_junit(r),
                                    render_sarif(r), render_annotations(r)}) {
        INFO(text);
        CHECK_FALSE(has_raw_control(text));
        CHECK(lines_with(text, "::error::") == 0);
    }
    CHECK(lines_with(render_annotations(r), "::error ") == 3);  // the site, the total, the tag
    CHECK(render_annotations(r).find("%250A") != std::string::npos);
    CHECK(render_junit(r).find("]]>") == std::string::npos);
    CHECK(render_junit(r).find("<b ") == std::string::npos);
    CHECK(render_junit(r).find("\xEF\xBF\xBE") == std::string::npos);
    parsed(render_json(r));
    parsed(render_sarif(r));
}

TEST_CASE("gate output: no absolute path of the build machine leaves") {
    judged_case c = failing();
    for (const std::string& root : {std::string("/repo"), std::string("/elsewhere")}) {
        gate_report r = c.report();
        r.source_root = root;
        for (const std::string& text : {render_sarif(r), render_annotations(r)}) {
            CHECK(text.find("/repo/") == std::string::npos);
            CHECK(text.find("/srv/") == std::string::npos);
        }
    }
}

TEST_CASE("gate output: stays inside what GitHub takes, largest growth first") {
    const judged_case c = many(6000);
    const std::string markdown = render_markdown(c.report());
    CHECK(markdown.size() <= most_markdown_bytes);
    CHECK(markdown.find("do not fit here") != std::string::npos);
    CHECK(lines_with(render_annotations(c.report()), "::error ") == most_annotations);
    const rapidjson::Document sarif = parsed(render_sarif(c.report()));
    const auto& results = sarif["runs"][0]["results"];
    REQUIRE(results.Size() == most_sarif_results);
    for (rapidjson::SizeType i = 1; i < results.Size(); ++i) {
        REQUIRE(results[i]["properties"]["bytes"].GetDouble() <= results[i - 1]["properties"]["bytes"].GetDouble());
    }
}
