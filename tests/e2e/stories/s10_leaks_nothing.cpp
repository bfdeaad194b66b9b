// SPDX-License-Identifier: Apache-2.0
// A newcomer's story, S10: put it in tests. [passes] and [fails] do what they are called; s10_leaks_nothing.py runs both.
#include <unistd.h>
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include <memwatch/memwatch.hpp>
#include <memwatch/testing.hpp>

namespace orders {

struct order {
    int id;
    char name[60];
};

using order_list = std::vector<order, memwatch::tracked_allocator<order>>;

memwatch::tag cache{"order-cache"};
std::vector<std::unique_ptr<order_list>> remembered;

// The bug: an early return that forgets what it made.
[[gnu::noinline]] void remember_order(bool is_bad) {
    auto made = std::make_unique<order_list>(memwatch::tracked_allocator<order>{cache});
    made->push_back({1, "an order"});
    if (is_bad) { remembered.push_back(std::move(made)); }
}

[[gnu::noinline]] void serve(bool is_bad) {
    remember_order(is_bad);
    asm volatile("" ::: "memory");
}

}  // namespace orders

namespace {

const unsigned watchdog = ::alarm(120);

void serve_one() { orders::serve(false); }
void serve_one_badly() { orders::serve(true); }

}  // namespace

TEST_CASE("one request leaks nothing", "[passes]") {
    REQUIRE_THAT([] { serve_one(); }, memwatch::LeaksNothing().warmup(3));
}

TEST_CASE("one bad request leaks nothing", "[fails]") {
    REQUIRE_THAT([] { serve_one_badly(); }, memwatch::LeaksNothing().warmup(3));
}

TEST_CASE("a thousand checks of either kind are of one mind", "[repeats]") {
    for (int i = 0; i < 1000; ++i) {
        INFO("check " << i);
        REQUIRE_THAT(serve_one, memwatch::LeaksNothing());
        const auto report = memwatch::testing::leak_check(serve_one_badly);
        REQUIRE(report.objects == 1);
        REQUIRE(report.bytes == sizeof(orders::order));
        REQUIRE(report.sites.size() == 1);
        REQUIRE(report.sites[0].tag == "order-cache");
        REQUIRE(report.sites[0].type == "orders::order");
        orders::remembered.clear();
    }
}
