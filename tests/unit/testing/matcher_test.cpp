// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <vector>

#include <memwatch/memwatch.hpp>
#include <memwatch/testing.hpp>  // behind Catch2: brings the matcher along

using namespace memwatch;

namespace {

std::vector<int*> kept;

void leak_one() { kept.push_back(tracked_allocator<int>{tag{"matched"}}.allocate(1)); }
void leak_nothing() {}

void let_go() {
    for (int* const each : kept) { tracked_allocator<int>{tag{"matched"}}.deallocate(each, 1); }
    kept.clear();
}

}  // namespace

TEST_CASE("LeaksNothing: matches functions and lambdas, with options, and combines with other matchers", "[testing]") {
    REQUIRE_THAT([] { leak_nothing(); }, memwatch::LeaksNothing().warmup(3));
    REQUIRE_THAT(leak_nothing, leaks_nothing());
    REQUIRE_THAT(leak_one, !LeaksNothing());
    REQUIRE_THAT(leak_one, LeaksNothing().threshold_bytes(sizeof(int)));
    REQUIRE_THAT(leak_one, LeaksNothing().of({tag{"another"}}));
    REQUIRE_THAT(leak_one, !LeaksNothing().in_this_thread().runs(2));
    let_go();
}

TEST_CASE("LeaksNothing: says what leaked, in the words of the report", "[testing]") {
    auto matcher = LeaksNothing().warmup(1);
    CHECK(matcher.describe() == "leaks nothing");
    int calls = 0;
    CHECK_FALSE(matcher.match([&] {
        ++calls;
        leak_one();
    }));
    CHECK(calls == 2);
    CHECK(matcher.describe().find("tag \"matched\"") != std::string::npos);
    CHECK(matcher.describe().find("1 object, 4 bytes of int") != std::string::npos);
    let_go();
}
