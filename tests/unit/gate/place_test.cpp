// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "gate/place.hpp"
#include "unit/gate/made_delta.hpp"

using namespace memwatch;
using namespace memwatch::gate;

TEST_CASE("place: files are told relative to the repository, and never outside of it") {
    CHECK(path_in_repository("/repo/src/a.cpp", "/repo") == "src/a.cpp");
    CHECK(path_in_repository("/repo/src/../src/./a.cpp", "/repo/") == "src/a.cpp");
    CHECK(path_in_repository("../src/a.cpp", "/repo") == "src/a.cpp");
    CHECK(path_in_repository("src/a.cpp", "/repo") == "src/a.cpp");
    CHECK_FALSE(path_in_repository("/usr/include/c++/12/new", "/repo").has_value());
    CHECK_FALSE(path_in_repository("/repository/a.cpp", "/repo").has_value());
    CHECK_FALSE(path_in_repository("/repo/../etc/passwd", "/repo").has_value());
    CHECK_FALSE(path_in_repository("", "/repo").has_value());
    CHECK_FALSE(path_in_repository("..", "/repo").has_value());
    CHECK_FALSE(path_in_repository(std::string("a\0b", 3), "/repo").has_value());
}

TEST_CASE("place: is the innermost line of the user's own in the repository") {
    const auto found = place_of(made::site("app::f", 1, 0).stack, "/repo");
    REQUIRE(found.has_value());
    CHECK(found->file == "src/cache.cpp");
    CHECK(found->line == 42);
    CHECK(found->function == "app::f");
    CHECK_FALSE(place_of(made::site("app::f", 1, 0).stack, "/elsewhere").has_value());
}

TEST_CASE("place: a fingerprint survives a rebuild and tells sites apart") {
    delta before = made::of({made::site("app::f", 1, 0)});
    delta after = made::of({made::site("app::f", 9, 0)});
    after.rows[0].stack[1].offset = 0x999;
    after.rows[0].stack[1].lines[0].line = 77;
    after.modules[0].build_id = "b2";
    CHECK(site_fingerprint(before.rows[0], before.modules) == site_fingerprint(after.rows[0], after.modules));
    CHECK(site_fingerprint(before.rows[0], before.modules).size() == 16);
    after.rows[0].tag = "cache";
    CHECK(site_fingerprint(before.rows[0], before.modules) != site_fingerprint(after.rows[0], after.modules));
    CHECK(site_fingerprint(made::site("app::g", 1, 0), before.modules) != site_fingerprint(before.rows[0], before.modules));
}
