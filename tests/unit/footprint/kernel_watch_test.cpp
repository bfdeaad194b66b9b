// SPDX-License-Identifier: Apache-2.0
// What grows on the kernel's side: slopes, steps that go together, and a bound on what is kept.
#include "footprint/kernel_watch.hpp"
#include <catch2/catch.hpp>

using namespace memwatch;

namespace {

constexpr std::uint64_t minute = kernel_watch::least_pause_ns;
constexpr std::uint64_t mib = std::uint64_t{1} << 20U;

const kernel_growth* of(const std::vector<kernel_growth>& list, kernel_part part) {
    for (const kernel_growth& each : list) {
        if (each.part == part) { return &each; }
    }
    return nullptr;
}

}  // namespace

TEST_CASE("kernel_watch: sockets that grow with the heap go together with it, a steady slab does not") {
    kernel_watch watch;
    std::uint64_t sockets = 0;
    std::uint64_t live = 100 * mib;
    for (std::uint64_t i = 1; i <= 30; ++i) {
        const std::uint64_t step = (i * 7919) % 13 * mib / 16;
        sockets += step;
        live += 3 * step + 100;
        watch.note(kernel_part::sockets, {i * minute, sockets, live});
        watch.note(kernel_part::slab, {i * minute, 5 * mib, live});
        watch.note(kernel_part::page_tables, {i * minute, 40 * mib - i * mib, live});
    }
    const std::vector<kernel_growth> growth = watch.growth();
    REQUIRE(growth.size() == 3);
    const kernel_growth* const sockets_row = of(growth, kernel_part::sockets);
    REQUIRE(sockets_row != nullptr);
    CHECK(sockets_row->is_of_group);
    CHECK(sockets_row->correlation == Approx(1));
    CHECK(sockets_row->steps == 29);
    CHECK(sockets_row->watched_ns == 29 * minute);
    CHECK(sockets_row->bytes_per_second * 60 == Approx(6.0 * mib / 16).epsilon(0.2));
    CHECK(of(growth, kernel_part::slab)->bytes_per_second == Approx(0));
    CHECK(of(growth, kernel_part::slab)->correlation == Approx(0));
    CHECK(of(growth, kernel_part::page_tables)->bytes_per_second * 60 == Approx(-1.0 * mib));
    CHECK_FALSE(of(growth, kernel_part::page_tables)->is_of_group);
}

TEST_CASE("kernel_watch: a few points are no growth, and none comes too soon") {
    kernel_watch watch;
    CHECK(watch.wants(kernel_part::sockets, 0));
    for (std::uint64_t i = 1; i < kernel_watch::least_points; ++i) { watch.note(kernel_part::sockets, {i * minute, i, i}); }
    CHECK(watch.growth().empty());
    const std::uint64_t last = (kernel_watch::least_points - 1) * minute;
    CHECK_FALSE(watch.wants(kernel_part::sockets, last + minute - 1));
    watch.note(kernel_part::sockets, {last + 1, 1, 1});
    CHECK(watch.growth().empty());
    // What is mapped is known only when somebody asks, however soon.
    for (std::uint64_t i = 1; i <= kernel_watch::least_points; ++i) { watch.note(kernel_part::mapped, {i, i * mib, i}); }
    CHECK(watch.growth().size() == 1);
    watch.forget();
    CHECK(watch.growth().empty());
}

TEST_CASE("kernel_watch: a day of minutes stays bounded and keeps its slope") {
    kernel_watch watch;
    for (std::uint64_t i = 1; i <= 1440; ++i) { watch.note(kernel_part::page_tables, {i * minute, i * 4096, 0}); }
    CHECK(watch.self_bytes() <= 64U << 10U);
    const std::vector<kernel_growth> growth = watch.growth();
    REQUIRE(growth.size() == 1);
    CHECK(growth[0].steps < kernel_watch::most_points);
    CHECK(growth[0].watched_ns > 1400 * minute);
    CHECK(growth[0].bytes_per_second * 60 == Approx(4096));
}

TEST_CASE("kernel_watch: a region keeps the time it was first seen, one that went and came is new") {
    kernel_watch watch;
    std::vector<mapped_region> regions(2);
    watch.see_regions(10, regions, {0x1000, 0x9000});
    CHECK(regions[0].first_seen_ns == 10);
    watch.see_regions(20, regions, {0x9000, 0x5000});
    CHECK(regions[0].first_seen_ns == 10);
    CHECK(regions[1].first_seen_ns == 20);
    watch.see_regions(30, regions, {0x1000, 0x5000});
    CHECK(regions[0].first_seen_ns == 30);
    CHECK(regions[1].first_seen_ns == 20);
}
