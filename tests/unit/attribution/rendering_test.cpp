// SPDX-License-Identifier: Apache-2.0
#include "report/attribution_html.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

#include "attribution/attribution.hpp"
#include "report/attribution_json.hpp"
#include "report/attribution_markdown.hpp"
#include "report/attribution_words.hpp"
#include "report/regression_test.hpp"
#include "service.hpp"
#include "unit/report/golden.hpp"

using namespace memwatch;

namespace {

const attribution_text_options options{"0.1.0", true, 200};

const attribution& told() {
    static const attribution a =
        *attribute({&service::before(), &service::during(), &service::after()}, {128 * 1024, 10, {}, 2e9});
    return a;
}

const attribution& hostile() {
    static const snapshot before = service::made_hostile(service::before());
    static const snapshot after = service::made_hostile(service::after());
    static const attribution a = *attribute({&before, &after});
    return a;
}

bool is_harmless(const std::string& text) {
    return std::none_of(text.begin(), text.end(),
                        [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7F; }) &&
           text.find("\xE2\x80\xAE") == std::string::npos && text.find('\xFF') == std::string::npos;
}

std::string first_line_with(const std::string& text, std::string_view part) {
    const std::size_t at = text.find(part);
    REQUIRE(at != std::string::npos);
    const std::size_t begin = text.rfind('\n', at) + 1;
    return text.substr(begin, text.find('\n', at) - begin);
}

}  // namespace

TEST_CASE("report: the Markdown reads as in the golden file") {
    check_golden("attribution.md", render_markdown(told(), options));
}
TEST_CASE("report: the JSON twin reads as in the golden file") {
    const std::string json = render_json(told(), "0.1.0");  // the delta in it has a golden file of its own
    check_golden("attribution.json", json.substr(0, json.find(",\n\"delta\":")) + "}\n");
}
TEST_CASE("report: the HTML reads as in the golden file") { check_golden("attribution.html", render_html(told(), options)); }
TEST_CASE("report: the regression test reads as in the golden file") {
    check_golden("attribution_test.cpp.txt", render_regression_test(told(), told().findings.front()));
}

TEST_CASE("report: the first sentence alone names culprit, place, tag, type, route, onset, speed, certainty and fix") {
    const std::string line = first_line_with(render_markdown(told(), options), "**3 findings");
    for (const char* fact :
         {"orders::request_cache::remember", "request_cache.cpp:42", "`request-cache`", "`orders::order`", "/api/v2/orders",
          "about 23:01:40 UTC", "2m00s before AFTER", "+321.3 KiB/s", "standard errors", "Erase on every path"}) {
        CAPTURE(fact, line);
        CHECK(line.find(fact) != std::string::npos);
    }
}

TEST_CASE("report: a report without findings says so and names what grew most") {
    snapshot after = service::after();
    after.pools.clear();
    const auto none = attribute({&service::before(), &after}, {1e12, 10, {}, 0});
    const std::string text = render_markdown(*none, options);
    CHECK(text.find("Nothing grew by") != std::string::npos);
    CHECK(text.find("findings_count: 0") != std::string::npos);
    CHECK(text.find("request_cache::remember") != std::string::npos);
}

TEST_CASE("report: hostile names change no page") {
    for (const std::string& text :
         {render_markdown(hostile(), options), render_html(hostile(), options), render_json(hostile(), service::hostile)}) {
        CHECK(is_harmless(text));
    }
    const std::string html = render_html(hostile(), options);
    CHECK(html.find("</script>") == std::string::npos);
    CHECK(html.find("<b") == html.find("<body"));
    // The front matter ends where it should: the second "---" line, before the page's title.
    const std::string markdown = render_markdown(hostile(), options);
    const std::size_t end = markdown.find("\n---\n", 4);
    CHECK(markdown.substr(end + 5, 4) == "\n# M");
}

TEST_CASE("report: HTML takes nothing from elsewhere and runs nothing") {
    const std::string html = render_html(told(), options);
    for (const char* part : {"<script", "http://", "https://", " style=", "onload", "<img", "<link", "@import", "url("}) {
        CAPTURE(part);
        CHECK(html.find(part) == std::string::npos);
    }
    CHECK(html.find("default-src 'none'") != std::string::npos);
}

TEST_CASE("report: a regression test of a hostile name is one line a comment and one literal") {
    for (const finding& f : hostile().findings) {
        if (!has_regression_test(f)) { continue; }
        const std::string text = render_regression_test(hostile(), f);
        CHECK(is_harmless(text));
        std::size_t begin = 0;
        while (begin < text.size()) {
            const std::size_t end = text.find('\n', begin);
            const std::string line = text.substr(begin, end - begin);
            begin = end + 1;
            CAPTURE(line);
            CHECK_FALSE((line.starts_with("//") && line.ends_with("\\")));
            CHECK_FALSE((line.find("evil") != std::string::npos && line.find("//") == std::string::npos &&
                         line.find('"') == std::string::npos));
        }
    }
}

TEST_CASE("report: names of test files are safe, whatever the function is called") {
    for (const char* name : {"shop::f", "../../etc/passwd", "", "-rf", "std::map<int, int>::f", "операция", "a\nb", "CON"}) {
        finding f;
        f.function = name;
        const std::string file = regression_test_name(f);
        CAPTURE(name, file);
        CHECK(std::all_of(file.begin(), file.end(), [](char c) {
            return c == '_' || c == '.' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        }));
        CHECK(file.ends_with("_test.cpp"));
        CHECK(file.find("..") == std::string::npos);
        CHECK(file.size() < 100);
    }
}

TEST_CASE("report: a YAML scalar ends where it should") {
    CHECK(yaml_string("a\"b\\c") == "\"a\\\"b\\\\c\"");
    CHECK(yaml_string("\n---\n") == "\"\\\\n---\\\\n\"");
    CHECK(yaml_string("\xEF\xBF\xBF") == "\"\\uFFFF\"");
    CHECK(yaml_string("") == "\"\"");
}
