// SPDX-License-Identifier: Apache-2.0
#include <memwatch/alloc/tracked_allocator.hpp>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <deque>
#include <forward_list>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "support/full_session.hpp"

using namespace memwatch;

namespace {

template <class Type>
using tracked = tracked_allocator<Type>;

struct alignas(64) wide {
    char bytes[64];
};
struct alignas(8192) page_wide {
    char bytes[8192];
};

static_assert(std::is_same_v<std::allocator_traits<tracked<int>>::rebind_alloc<char>, tracked<char>>);
static_assert(std::allocator_traits<tracked<int>>::propagate_on_container_swap::value);
static_assert(!std::allocator_traits<tracked<int>>::is_always_equal::value);
static_assert(std::is_nothrow_copy_constructible_v<tracked<int>> && sizeof(tracked<int>) == sizeof(tag_id));

// Fills a container, checks that its bytes show under the tag, empties it, checks that they are gone - with no sampling and
// with every block sampled.
template <class Container, class Fill>
void check_container(const char* name, Fill fill) {
    const tag owner{name};
    for (const bool is_full : {false, true}) {
        const test_support::session_with session(is_full ? preset_option::full : preset_option::off);
        const std::size_t records_before = session.live_records(owner);
        {
            Container filled{typename Container::allocator_type{owner}};
            fill(filled);
            CAPTURE(name, is_full);
            CHECK(owner.totals().live_bytes() > 0);
            CHECK(owner.totals().live_objects() > 0);
            if (is_full) { CHECK(session.live_records(owner) - records_before == owner.totals().live_objects()); }
            Container copied(filled);
            CHECK(copied.get_allocator() == filled.get_allocator());
            Container moved(std::move(copied));
            filled = moved;
            filled = std::move(moved);
        }
        CHECK(owner.totals().live_bytes() == 0);
        CHECK(owner.totals().live_objects() == 0);
        CHECK(session.live_records(owner) == records_before);
    }
}

}  // namespace

TEST_CASE("tracked_allocator: every standard container counts what it holds, to zero", "[alloc]") {
    const auto push = [](auto& c) {
        for (int i = 0; i < 500; ++i) { c.push_back(i); }
    };
    check_container<std::vector<int, tracked<int>>>("vector", push);
    check_container<std::deque<int, tracked<int>>>("deque", push);
    check_container<std::list<int, tracked<int>>>("list", push);
    check_container<std::vector<bool, tracked<bool>>>("vector<bool>", [](auto& c) { c.resize(1000); });
    check_container<std::forward_list<int, tracked<int>>>("forward_list", [](auto& c) { c.assign(50, 1); });
    check_container<std::set<int, std::less<>, tracked<int>>>("set", [](auto& c) { c.insert({1, 2, 3}); });
    check_container<std::map<int, int, std::less<>, tracked<std::pair<const int, int>>>>("map", [](auto& c) { c[1] = 2; });
    check_container<std::unordered_set<int, std::hash<int>, std::equal_to<>, tracked<int>>>("unordered_set", [](auto& c) {
        c.insert({1, 2, 3});
    });
    check_container<std::unordered_map<int, int, std::hash<int>, std::equal_to<>, tracked<std::pair<const int, int>>>>(
        "unordered_map", [](auto& c) {
            for (int i = 0; i < 300; ++i) { c[i] = i; }
        });
    check_container<std::basic_string<char, std::char_traits<char>, tracked<char>>>("string",
                                                                                    [](auto& c) { c.assign(1000, 'x'); });
}

TEST_CASE("tracked_allocator: allocate_shared works, control block and all", "[alloc]") {
    const tag owner{"shared"};
    auto shared = std::allocate_shared<std::string>(tracked<std::string>{owner}, "text");
    CHECK(owner.totals().live_objects() == 1);
    CHECK(owner.totals().live_bytes() >= sizeof(std::string));
    shared.reset();
    CHECK(owner.totals().live_bytes() == 0);
}

TEST_CASE("tracked_allocator: over-aligned types stay aligned, sampled or not", "[alloc]") {
    const tag owner{"aligned"};
    for (const preset_option preset : {preset_option::off, preset_option::full}) {
        const test_support::session_with session(preset);
        for (std::size_t n : {1U, 3U, 1000U}) {
            wide* const block = tracked<wide>{owner}.allocate(n);
            CHECK(reinterpret_cast<std::uintptr_t>(block) % alignof(wide) == 0);
            tracked<wide>{owner}.deallocate(block, n);
            page_wide* const pages = tracked<page_wide>{owner}.allocate(n);
            CHECK(reinterpret_cast<std::uintptr_t>(pages) % alignof(page_wide) == 0);
            tracked<page_wide>{owner}.deallocate(pages, n);
        }
        CHECK(session.live_records(owner) == 0);
    }
    CHECK(owner.totals().live_bytes() == 0);
}

TEST_CASE("tracked_allocator: zero objects are a valid, unique block", "[alloc]") {
    const tag owner{"zero"};
    const test_support::session_with session(preset_option::full);
    tracked<int> allocator{owner};
    int* const a = allocator.allocate(0);
    int* const b = allocator.allocate(0);
    CHECK(a != nullptr);
    CHECK(a != b);
    CHECK(owner.totals().live_objects() == 2);
    CHECK(owner.totals().live_bytes() == 0);
    allocator.deallocate(a, 0);
    allocator.deallocate(b, 0);
    CHECK(owner.totals().live_objects() == 0);
}

TEST_CASE("tracked_allocator: more than max_size throws bad_array_new_length and counts nothing", "[alloc]") {
    const tag owner{"too much"};
    tracked<std::uint64_t> allocator{owner};
    volatile std::size_t count = allocator.max_size() + 1;  // volatile: the compiler would warn about the constant
    CHECK_THROWS_AS(static_cast<void>(allocator.allocate(count)), std::bad_array_new_length);
#ifdef MEMWATCH_SANITIZED_TESTS
    WARN("not checked here: sanitizers end the program where operator new throws bad_alloc");
#else
    count = allocator.max_size();
    CHECK_THROWS_AS(static_cast<void>(allocator.allocate(count)), std::bad_alloc);
#endif
    CHECK(owner.totals().allocations == 0);
}

TEST_CASE("tracked_allocator: equal iff the tags are, and tags travel with the memory", "[alloc]") {
    const tag a{"a"};
    const tag b{"b"};
    CHECK(tracked<int>{a} == tracked<char>{a});
    CHECK(tracked<int>{a} != tracked<int>{b});
    std::vector<int, tracked<int>> of_a(100, tracked<int>{a});
    std::vector<int, tracked<int>> of_b(50, tracked<int>{b});
    std::swap(of_a, of_b);
    CHECK(of_a.get_allocator().tag() == b);
    of_a = of_b;
    CHECK(of_a.get_allocator().tag() == a);
    CHECK(b.totals().live_bytes() == 0);
    CHECK(a.totals().live_bytes() == 2 * 100 * sizeof(int));
    of_b = std::move(of_a);
    CHECK(a.totals().live_bytes() == 100 * sizeof(int));
}

TEST_CASE("tracked_allocator: what samples waste at page edges is self, and gone when they are", "[alloc]") {
    const tag owner{"waste"};
    const test_support::session_with session(preset_option::full);
    const auto waste = [&] {
        const auto frozen = session.get().snapshot();
        for (const named_value& part : frozen->self_bytes) {
            if (part.name == "edge_waste") { return part.value; }
        }
        return ~std::uint64_t{0};
    };
    // A page of the map of edges, 4 KiB, comes with the first edge in each 128 MiB of addresses, and may stay.
    const auto without_map_pages = [](std::uint64_t bytes) { return bytes % 4096; };
    const std::uint64_t before = waste();
    {
        const std::vector<char, tracked<char>> small(88, tracked<char>{owner});
        CHECK(without_map_pages(waste() - before) == 4000);  // 4088 asked of operator new
        const std::vector<char, tracked<char>> large(100'000, tracked<char>{owner});
        CHECK(without_map_pages(waste() - before) == 4000);
    }
    CHECK(without_map_pages(waste() - before) == 0);
    CHECK(waste() - before <= 2 * 4096);
}

TEST_CASE("tracked_allocator: pages for samples stay within half of the budget, and estimates unbiased", "[alloc]") {
    const tag owner{"many pages"};
    const test_support::session_with session(preset_option::full);
    tracked<char> allocator{owner};
    std::vector<char*> blocks;
    for (int i = 0; i < 100'000; ++i) { blocks.push_back(allocator.allocate(32)); }
    const auto frozen = session.get().snapshot();
    std::uint64_t waste = 0;
    for (const named_value& part : frozen->self_bytes) { waste += part.name == "edge_waste" ? part.value : 0; }
    CHECK(waste <= 8U << 20U);
    CHECK(waste > 1U << 20U);  // limited at an eighth of the budget or later: other parts of memwatch may have the rest
    sampled_totals estimate;
    for (const live_record& r : frozen->live) { estimate.add(r.size_bytes, r.interval_bytes); }
    CHECK(std::abs(estimate.bytes - 32.0 * 100'000) <= 4 * estimate.bytes_standard_error());
    for (char* const block : blocks) { allocator.deallocate(block, 32); }
    CHECK(session.live_records(owner) == 0);
    CHECK(owner.totals().live_bytes() == 0);
}

TEST_CASE("tracked_allocator: blocks of one session are forgotten when freed after it, or in another", "[alloc]") {
    const tag owner{"across sessions"};
    tracked<char> allocator{owner};
    char* before = allocator.allocate(10);
    char* sampled = nullptr;
    {
        const test_support::session_with session(preset_option::full);
        sampled = allocator.allocate(5000);
        CHECK(session.live_records(owner) == 1);
        allocator.deallocate(before, 10);
    }
    before = allocator.allocate(20);
    {
        const test_support::session_with session(preset_option::full);
        CHECK(session.live_records(owner) == 1);
        allocator.deallocate(sampled, 5000);
        CHECK(session.live_records(owner) == 0);
    }
    allocator.deallocate(before, 20);
    CHECK(owner.totals().live_bytes() == 0);
}

TEST_CASE("tracked_allocator: thinned blocks are freed the way they were allocated", "[alloc]") {
    // 200,000 blocks of 8 bytes at R = 0 overflow the table of 114,688 places; under ASan a mismatched delete would be red.
    const tag owner{"thinned"};
    const test_support::session_with session(preset_option::full);
    std::vector<char*> blocks;
    for (int i = 0; i < 200'000; ++i) { blocks.push_back(tracked<char>{owner}.allocate(8)); }
    const auto frozen = session.get().snapshot();
    REQUIRE(frozen.has_value());
    CHECK(frozen->live.size() < 115'000);
    const sampled_totals totals = live_totals(*frozen);
    CHECK(std::abs(totals.bytes - 8 * 200'000) <= 4 * totals.bytes_standard_error());
    for (char* const block : blocks) { tracked<char>{owner}.deallocate(block, 8); }
    CHECK(session.live_records(owner) == 0);
    CHECK(owner.totals().live_bytes() == 0);
}
