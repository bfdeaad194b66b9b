// SPDX-License-Identifier: Apache-2.0
// The words of a footprint, and what it says of itself.
#include <string>

#include <catch2/catch.hpp>
#include <memwatch/model/footprint.hpp>

using namespace memwatch;

namespace {

constexpr std::uint64_t mib = std::uint64_t{1} << 20U;

footprint of_100_mib() {
    footprint where;
    where.resident_bytes = 100 * mib;
    where.allocators.push_back({});
    where.allocators.front().name = "glibc";
    return where;
}

}  // namespace

TEST_CASE("footprint: each word names its part and no other") {
    for (std::size_t i = 0; i < footprint_part_count; ++i) {
        CHECK(footprint_part_of(word_of(static_cast<footprint_part>(i))) == static_cast<footprint_part>(i));
        CHECK_FALSE(title_of(static_cast<footprint_part>(i)).empty());
    }
    for (std::size_t i = 0; i < cgroup_part_count; ++i) {
        CHECK(cgroup_part_of(word_of(static_cast<cgroup_part>(i))) == static_cast<cgroup_part>(i));
    }
    for (std::size_t i = 0; i < kernel_part_count; ++i) {
        CHECK(kernel_part_of(word_of(static_cast<kernel_part>(i))) == static_cast<kernel_part>(i));
    }
    for (std::size_t i = 0; i < footprint_basis_count; ++i) {
        CHECK(footprint_basis_of(word_of(static_cast<footprint_basis>(i))) == static_cast<footprint_basis>(i));
    }
    CHECK_FALSE(footprint_part_of("unknown"));
    CHECK(word_of(static_cast<footprint_part>(200)) == "unknown");
}

TEST_CASE("footprint: what the allocator keeps is said first, with what gives it back") {
    footprint where = of_100_mib();
    where.rows = {{footprint_part::tracked_live, footprint_basis::estimated, 60 * mib, 0, ""},
                  {footprint_part::retained, footprint_basis::measured, 30 * mib, 0, ""}};
    where.allocators.front().reclaimable_bytes = 30 * mib;
    where.allocators.front().remedy = "malloc_trim(0)";
    const std::vector<std::string> said = sentences_of(where);
    REQUIRE(said.size() == 2);
    CHECK(said[0] == "allocator retention, not a leak: 30.0 MiB reclaimable with malloc_trim(0)");
    CHECK(said[1] == "live blocks: 60.0 MiB (60 % of VmRSS)");
}

TEST_CASE("footprint: little is not worth a sentence, an unknown allocator and a gap are") {
    footprint where = of_100_mib();
    where.rows = {{footprint_part::stacks, footprint_basis::measured, 4 * mib, 0, ""}};
    CHECK(sentences_of(where).empty());
    where.allocators.clear();
    where.unexplained_bytes = -static_cast<std::int64_t>(3 * mib);
    const std::vector<std::string> said = sentences_of(where);
    REQUIRE(said.size() == 2);
    CHECK(said[0].rfind("unknown allocator", 0) == 0);
    CHECK(said[1] == "unexplained: -3.0 MiB (-3.0 % of VmRSS)");
    where.not_detailed = "it is too large";
    CHECK(sentences_of(where).front() == "not looked through: it is too large");
}
