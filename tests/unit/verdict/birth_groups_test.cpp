// SPDX-License-Identifier: Apache-2.0
#include "verdict/birth_groups.hpp"

#include <catch2/catch.hpp>

using namespace memwatch;

namespace {

void look_at(birth_groups& groups, std::uint64_t now) {
    const std::uint64_t last = groups.size() == 0 ? 0 : groups.end(groups.size() - 1);
    if (const std::size_t i = groups.crowded(last); i != birth_groups::none) { groups.merge(i); }
    groups.append(now);
}

}  // namespace

TEST_CASE("birth_groups: they cover all time without a gap, and lengths grow with age") {
    birth_groups groups;
    for (std::uint64_t now = 1; now <= 8640; ++now) {
        look_at(groups, now);
        REQUIRE(groups.size() == std::min<std::uint64_t>(now, birth_groups::capacity));
        REQUIRE(groups.start(0) == 0);
        REQUIRE(groups.end(groups.size() - 1) == now);
        for (std::size_t g = 0; g + 1 < groups.size(); ++g) { REQUIRE(groups.end(g) == groups.start(g + 1)); }
        for (std::size_t g = 0; g < groups.size(); ++g) {
            REQUIRE(groups.end(g) > groups.start(g));
            // A group is never much longer than it is old: what is judged settled is told apart from what is not.
            REQUIRE(groups.length_ns(g) <= 4.0 * static_cast<double>(now - groups.end(g) + 1));
        }
    }
}

TEST_CASE("birth_groups: a birth is in the group whose time it falls in") {
    birth_groups groups;
    for (std::uint64_t now = 10; now <= 1000; now += 10) { look_at(groups, now); }
    for (std::uint64_t birth = 1; birth <= 1000; ++birth) {
        const std::size_t g = groups.of(birth);
        REQUIRE(birth > groups.start(g));
        REQUIRE(birth <= groups.end(g));
    }
    CHECK(groups.of(0) == 0);
    CHECK(groups.of(5000) == groups.size() - 1);
}
