// SPDX-License-Identifier: Apache-2.0
#include "capture/edge_map.hpp"

#include <catch2/catch.hpp>
#include <memory>
#include <random>
#include <set>

using namespace memwatch;

namespace {
void* page(std::uint64_t number) { return reinterpret_cast<void*>(number << 12U); }
}  // namespace

TEST_CASE("edge_map: agrees with a set of pages under random use", "[capture]") {
    loss_counters losses;
    edge_budget waste{losses};
    const auto map = std::make_unique<edge_map>(losses, waste);
    std::set<std::uint64_t> model;
    std::mt19937_64 random(4711);
    for (int i = 0; i < 200'000; ++i) {
        // Three neighbourhoods: a heap, an mmap area, the end of the address space.
        const std::uint64_t bases[] = {0x5555'5555'0ULL, 0x7fff'0000'0ULL, (1ULL << 36U) - 4096};
        const std::uint64_t number = bases[random() % 3] + random() % 4096;
        if (random() % 2 == 0) {
            REQUIRE(map->set(page(number)));
            model.insert(number);
        } else {
            REQUIRE(map->take(page(number)) == (model.erase(number) == 1));
        }
    }
    for (const std::uint64_t number : model) { REQUIRE(map->take(page(number))); }
}

TEST_CASE("edge_map: null and addresses out of range are never ours; a block 16 bytes behind an edge can be", "[capture]") {
    loss_counters losses;
    edge_budget waste{losses};
    const auto map = std::make_unique<edge_map>(losses, waste);
    REQUIRE(map->set(page(77)));
    CHECK_FALSE(map->take(nullptr));
    CHECK_FALSE(map->take(page(1ULL << 37U)));
    CHECK_FALSE(map->set(page(1ULL << 37U)));
    CHECK(losses.of(drop_reason::no_memory) == 1);
    CHECK(map->contains(page(77)));
    CHECK(map->take(reinterpret_cast<void*>((77ULL << 12U) + 16)));  // glibc's large blocks
    CHECK_FALSE(map->contains(page(77)));
}

TEST_CASE("edge_map: the page cache is bounded, and closed when sampling stops", "[capture]") {
    loss_counters losses;
    edge_budget waste{losses};
    const auto map = std::make_unique<edge_map>(losses, waste);
    std::size_t kept = 0;
    while (map->keep_cached(page(100 + kept))) { ++kept; }
    CHECK(kept == 64);
    map->open_cache(false);
    CHECK(map->take_cached() == page(163));
    CHECK_FALSE(map->keep_cached(page(1)));
    map->open_cache(true);
    CHECK(map->keep_cached(page(1)));
}

TEST_CASE("edge_map: says which owner a page was set with, and keeps it for that page alone", "[capture]") {
    loss_counters losses;
    edge_budget waste{losses};
    const auto map = std::make_unique<edge_map>(losses, waste);
    std::uint16_t owner = 7;
    REQUIRE(map->set(page(100), 41));
    REQUIRE(map->set(page(101), 0));
    CHECK(map->take(page(100), owner));
    CHECK(owner == 41);
    CHECK(map->take(page(101), owner));
    CHECK(owner == 0);
    CHECK_FALSE(map->take(page(100), owner));
    REQUIRE(map->set(page(100), 0));  // the next block there
    CHECK(map->take(page(100), owner));
    CHECK(owner == 0);
}

TEST_CASE("edge_map: its pages are on the account of edges' waste, and given back when nothing is on them; what is, stays",
          "[capture]") {
    loss_counters losses;
    edge_budget waste{losses};
    const auto map = std::make_unique<edge_map>(losses, waste);
    constexpr std::uint64_t pages_of_bits = 1U << 15U;  // 128 MiB of heap
    for (std::uint64_t i = 0; i < 100; ++i) { REQUIRE(map->set(page(i * pages_of_bits + 5))); }
    CHECK(waste.waste_bytes() == 100 * 4096);
    for (std::uint64_t i = 0; i < 90; ++i) { REQUIRE(map->take(page(i * pages_of_bits + 5))); }
    map->release_empty_pages();
    CHECK(waste.waste_bytes() == 10 * 4096);
    for (std::uint64_t i = 0; i < 100; ++i) { CHECK(map->contains(page(i * pages_of_bits + 5)) == (i >= 90)); }
    REQUIRE(map->set(page(3 * pages_of_bits + 6)));  // and taken again where it was given back
    CHECK(map->take(page(3 * pages_of_bits + 6)));
    CHECK(waste.waste_bytes() == 11 * 4096);
}
