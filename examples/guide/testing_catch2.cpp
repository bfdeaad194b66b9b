// SPDX-License-Identifier: Apache-2.0
// What docs/testing.md shows of Catch2. Built and run by tests/e2e/stories.
// [matcher]
#include <catch2/catch.hpp>
#include <memwatch/memwatch.hpp>
#include <memwatch/testing.hpp>  // or testing_catch2.hpp, which includes Catch2 itself

void serve_one();

TEST_CASE("one request leaks nothing") {
    REQUIRE_THAT([] { serve_one(); }, memwatch::LeaksNothing().warmup(3));
}
// [/matcher]

#include <vector>

void serve_one() {
    static const memwatch::tag cache{"order-cache"};
    std::vector<int, memwatch::tracked_allocator<int>> numbers{memwatch::tracked_allocator<int>{cache}};
    numbers.resize(100);
}
