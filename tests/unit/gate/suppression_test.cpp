// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "gate/suppression.hpp"

using namespace memwatch;
using namespace memwatch::gate;

namespace {

const std::vector<module> modules{{"/usr/lib/libfontconfig.so.1", "f0", 0, 0, 0}, {"/srv/orders/orders", "b1", 0, 0, 0}};

std::vector<frame> stack() {
    return {{0, 0x10, {}},
            {1, 0x20, {{"void cache::insert<int>(int) const", "/home/me/src/cache.cpp", 42}, {"handle", "src/routes.cpp", 7}}}};
}

bool fits(const std::string& pattern) { return suppresses({pattern, ""}, texts_of(stack(), modules)); }

}  // namespace

TEST_CASE("suppression: a pattern matches any part of a text") {
    CHECK(matches_pattern("Foo", "myFooBar"));
    CHECK(matches_pattern("*Foo*", "myFooBar"));
    CHECK(matches_pattern("my*Bar", "xmyFooBarx"));
    CHECK(matches_pattern("m*F*r", "myFooBar"));
    CHECK_FALSE(matches_pattern("foo", "myFooBar"));
    CHECK_FALSE(matches_pattern("F*y", "myFooBar"));
    CHECK_FALSE(matches_pattern("*", ""));
}

TEST_CASE("suppression: ^ and $ bind to the ends") {
    CHECK(matches_pattern("^my", "myFooBar"));
    CHECK_FALSE(matches_pattern("^Foo", "myFooBar"));
    CHECK(matches_pattern("Bar$", "myFooBar"));
    CHECK_FALSE(matches_pattern("Foo$", "myFooBar"));
    CHECK(matches_pattern("^my*Bar$", "myFooBar"));
    CHECK_FALSE(matches_pattern("^my$", "myFooBar"));
    CHECK(matches_pattern("^*Bar$", "myFooBar"));
    CHECK(matches_pattern("foo$", "foofoo"));     // LeakSanitizer looks at the first one only
    CHECK(matches_pattern("Bar$x", "myFooBar"));  // and so does it read nothing behind a $
    CHECK_FALSE(matches_pattern("a^b", "ab"));    // only a ^ in front is special
}

TEST_CASE("suppression: a hostile pattern costs no more than text times pattern") {
    std::string pattern;
    for (int i = 0; i < 500; ++i) { pattern += "*a"; }
    CHECK_FALSE(matches_pattern(pattern + "b$", std::string(10'000, 'a')));
}

TEST_CASE("suppression: functions, files and modules of any frame count, inlined calls too") {
    CHECK(fits("cache::insert"));
    CHECK(fits("^cache::insert<int>$"));  // the bare name
    CHECK(fits("^void cache::insert<int>(int) const$"));
    CHECK(fits("^handle$"));
    CHECK(fits("cache.cpp$"));
    CHECK(fits("libfontconfig.so"));
    CHECK_FALSE(fits("libfreetype"));
}

TEST_CASE("suppression: files are read as LeakSanitizer reads them") {
    const auto read = parse_suppressions("# fonts\n\n  leak:libfontconfig  \r\nleak:^init_*\n#leak:not me", "lsan.supp");
    REQUIRE(read.has_value());
    REQUIRE(read->size() == 2);
    CHECK(read->at(0).pattern == "libfontconfig");
    CHECK(read->at(0).where == "lsan.supp:3");
    CHECK(read->at(1).pattern == "^init_*");
}

TEST_CASE("suppression: what is no leak: line is refused with its number") {
    for (const char* text : {"leak:a\nrace:b\n", "leak:a\nfoo\n", "leak:a\nleak:\n", "leak:a\nleak:  \n", "leak:a\nleak:*\n",
                             "leak:a\nleak:^$\n"}) {
        const auto read = parse_suppressions(text, "x.supp");
        REQUIRE_FALSE(read.has_value());
        CHECK(read.error().code == error_code::unreadable);
        CHECK(read.error().where == "x.supp:2");
    }
    CHECK_FALSE(parse_suppressions("leak:" + std::string(5000, 'a'), "x").has_value());
}
