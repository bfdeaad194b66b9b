// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "gate/policy.hpp"

using namespace memwatch;
using namespace memwatch::gate;

TEST_CASE("policy: everything a file can say") {
    const auto p = read_policy(R"(
# why: see docs/gate.md
max_growth: 256KiB
max_total: 1MiB
tags:
  order-cache: 10MiB
  "img-*": {max_growth: 2MiB, reason: thumbnails}
sites:
  - {match: "orders::warm_up*", max_growth: 4MiB, reason: filled once}
  - match: re:^app::.*cache
    max_growth: 4096
suppressions:
  - leak:libfontconfig
  - "^init$"
suppression_files: [lsan.supp]
accept_moves: true
)",
                               "gate.yml");
    REQUIRE(p.has_value());
    CHECK(p->site_limit_bytes == 256 * 1024);
    CHECK(p->total_limit_bytes == 1024 * 1024);
    REQUIRE(p->tags.size() == 2);
    CHECK(p->tags[0].pattern == "order-cache");
    CHECK(p->tags[0].limit_bytes == 10 * 1024 * 1024);
    CHECK(p->tags[1].match.matches("img-large"));
    CHECK(p->tags[1].reason == "thumbnails");
    REQUIRE(p->sites.size() == 2);
    CHECK(p->sites[0].match.matches("orders::warm_up_all"));
    CHECK(p->sites[1].match.matches("app::order_cache"));
    REQUIRE(p->suppressions.size() == 2);
    CHECK(p->suppressions[0].pattern == "libfontconfig");
    CHECK(p->suppressions[0].where == "gate.yml:13");
    CHECK(p->suppression_files == std::vector<std::string>{"lsan.supp"});
    CHECK(p->accepts_moves);
}

TEST_CASE("policy: an empty file changes nothing") {
    for (const char* text : {"", "# nothing\n", "---\n"}) {
        const auto p = read_policy(text, "gate.yml");
        REQUIRE(p.has_value());
        CHECK(p->site_limit_bytes == default_limit_bytes);
        CHECK(p->total_limit_bytes == default_limit_bytes);
    }
}

TEST_CASE("policy: a misspelt budget is no budget, so it is refused with its line") {
    const std::pair<const char*, const char*> texts[] = {
        {"max_grwoth: 1MiB", "gate.yml:1"},
        {"max_growth: 1MiB\nmax_total: lots", "gate.yml:2"},
        {"max_growth: -1", "gate.yml:1"},
        {"max_growth: [1, 2]", "gate.yml:1"},
        {"max_growth: 1MiB\nmax_growth: 2MiB", "gate.yml:2"},
        {"tags: [a, b]", "gate.yml:1"},
        {"tags:\n  a: {max: 1MiB}", "gate.yml:2"},
        {"sites:\n  - {match: a}", "gate.yml:2"},
        {"sites:\n  - {max_growth: 1MiB}", "gate.yml:2"},
        {"sites:\n  - {match: \"re:(\", max_growth: 1MiB}", "gate.yml:2"},
        {"sites: {match: a}", "gate.yml:1"},
        {"suppressions: leak:a", "gate.yml:1"},
        {"suppressions: [\"leak:\"]", "gate.yml:1"},
        {"accept_moves: perhaps", "gate.yml:1"},
        {"- a\n- b", "gate.yml:1"},
        {"just text", "gate.yml:1"},
    };
    for (const auto& [text, where] : texts) {
        INFO(text);
        const auto p = read_policy(text, "gate.yml");
        REQUIRE_FALSE(p.has_value());
        CHECK(p.error().code == error_code::unreadable);
        CHECK(p.error().where == where);
        CHECK_FALSE(p.error().what.empty());
    }
}

TEST_CASE("policy: hostile YAML is refused, never thrown at the caller") {
    const std::string deep(100'000, '[');
    const std::string map(50'000, '{');
    for (const std::string& text :
         {deep, map, std::string("a: &a [*a]"), std::string("\"unterminated"), std::string("%YAML 9.9\n---\na"),
          std::string("a: b: c"), std::string("? [a]\n: b"), std::string("&x a: *y"), std::string("max_growth\0: 1", 15),
          std::string("\xff\xfe\0a\0", 5), "tags: {" + std::string(300'000, 'x') + ": 1}",
          std::string("<<: {max_growth: 1}")}) {
        const auto p = read_policy(text, "gate.yml");
        CHECK_FALSE(p.has_value());
    }
    // Ten levels of nine aliases each: no copy is ever made of what an alias names.
    std::string laughs = "a0: &a0 [x]\n";
    for (int i = 1; i < 10; ++i) {
        laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
        for (int k = 0; k < 9; ++k) { laughs += (k == 0 ? "*a" : ", *a") + std::to_string(i - 1); }
        laughs += "]\n";
    }
    CHECK_FALSE(read_policy(laughs, "gate.yml").has_value());
}

TEST_CASE("policy: a tag budget names the whole tag, a site budget any part") {
    const auto tag = make_tag_budget("cache", "1MiB");
    REQUIRE(tag.has_value());
    CHECK(tag->match.is_everything());  // the judge compares names
    CHECK(make_budget("cache", "1MiB")->match.matches("orders::cache::insert"));
    CHECK_FALSE(make_budget("", "1MiB").has_value());
    CHECK_FALSE(make_budget("a", "").has_value());
    CHECK_FALSE(make_budget("a", "many").has_value());
}
