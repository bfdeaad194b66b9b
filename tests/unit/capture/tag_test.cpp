// SPDX-License-Identifier: Apache-2.0
#include <memwatch/capture/tag.hpp>
#include <memwatch/capture/type_name.hpp>

#include <atomic>
#include <catch2/catch.hpp>
#include <cmath>
#include <string>
#include <thread>
#include <vector>

#include <memwatch/base/log.hpp>
#include "capture/capture_state.hpp"

using namespace memwatch;

TEST_CASE("tag: equal names are one tag, and the default tag is untagged", "[capture]") {
    CHECK(tag{"same"} == tag{"same"});
    CHECK(tag{"same"} != tag{"other one"});
    CHECK(tag{}.name() == "untagged");
    CHECK(tag{""} == tag{});
    CHECK(tag{"same"}.name() == "same");
    CHECK(tag{std::string(500, 'x')}.name().size() == tag_table::max_name_bytes);
}

TEST_CASE("tag: a weight is stated in code, the largest one holds, and what is no weight is refused", "[capture]") {
    CHECK(tag{"weightless"}.totals().weight == default_tag_weight);
    const tag cash{"cash", 0.9};
    CHECK(cash == tag{"cash"});
    CHECK(cash.totals().weight == 0.9);
    CHECK(tag("cash", 0.2).totals().weight == 0.9);
    CHECK(tag("cash", 1).totals().weight == 1);
    CHECK(tag("logs", 0).totals().weight == 0);
    static std::string logged;
    set_log_sink([](log_level, std::string_view line) { logged = line; });
    for (const double refused : {-0.1, 1.1, std::nan("")}) {
        logged.clear();
        CHECK(tag("cash", refused).totals().weight == 1);
        CHECK(logged.find("event=tag_weight") != std::string::npos);
    }
    set_log_sink(nullptr);
}

TEST_CASE("tag: counts to the byte over threads that come and go, freed by others too", "[capture]") {
    const tag counted{"threads"};
    constexpr int thread_count = 300;  // more than there are rows, one after the other
    for (int i = 0; i < thread_count; ++i) {
        std::thread([&] {
            detail::count_allocation(counted.id(), 100);
            detail::count_allocation(counted.id(), 11);
        }).join();
        std::thread([&] { detail::count_free(counted.id(), 100); }).join();
    }
    const tag_totals totals = counted.totals();
    CHECK(totals.allocated_bytes == 111ULL * thread_count);
    CHECK(totals.allocations == 2ULL * thread_count);
    CHECK(totals.live_bytes() == 11ULL * thread_count);
    CHECK(totals.live_objects() == 1ULL * thread_count);
}

TEST_CASE("tag: threads beyond the rows share one and still count exactly", "[capture]") {
    const tag counted{"crowd"};
    constexpr std::size_t crowd = tag_table::row_count + 40;
    std::atomic<std::size_t> arrived{0};
    std::atomic<bool> may_leave{false};
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < crowd; ++i) {
        threads.emplace_back([&] {
            for (int n = 0; n < 1000; ++n) { detail::count_allocation(counted.id(), 3); }
            ++arrived;
            while (!may_leave) { std::this_thread::yield(); }
            for (int n = 0; n < 1000; ++n) { detail::count_free(counted.id(), 3); }
        });
    }
    while (arrived < crowd) { std::this_thread::yield(); }
    CHECK(counted.totals().live_bytes() == crowd * 3000);
    CHECK_FALSE(process_capture().tags.has_free_row());
    may_leave = true;
    for (std::thread& t : threads) { t.join(); }
    CHECK(process_capture().tags.has_free_row());
    CHECK(counted.totals().live_bytes() == 0);
    CHECK(counted.totals().frees == crowd * 1000);
}

TEST_CASE("tag: a TLS destructor that runs after the row went back is counted", "[capture]") {
    static const tag late{"late"};
    struct frees_at_exit {
        ~frees_at_exit() { detail::count_free(late.id(), 5); }
    };
    std::thread([] {
        thread_local frees_at_exit object;
        static_cast<void>(object);
        detail::count_allocation(late.id(), 5);
    }).join();
    CHECK(late.totals().live_bytes() == 0);
    CHECK(late.totals().frees == 1);
}

TEST_CASE("tag: when the table is full the tag is other, and the loss is counted", "[capture]") {
    const tag early{"early bird"};
    for (std::size_t i = 0; i < 2 * max_tags; ++i) { static_cast<void>(tag{"filler " + std::to_string(i)}); }
    const tag overflow{"no room for me"};
    CHECK(overflow.name() == "other");
    CHECK(tag{"early bird"} == early);
    CHECK(process_capture().losses.of(drop_reason::tag_table_full) >= max_tags);
}

namespace type_name_test {
struct order {};
template <class, int>
struct box {};
}  // namespace type_name_test

TEST_CASE("type_name: reads as the compiler spells it", "[capture]") {
    CHECK(type_name<int>() == "int");
    CHECK(type_name<type_name_test::order>() == "type_name_test::order");
    CHECK(type_name<type_name_test::box<char, 3>>() == "type_name_test::box<char, 3>");
    CHECK(type_name<std::string_view>().find("basic_string_view") != std::string_view::npos);
}

TEST_CASE("tags: frees beyond what was allocated are cut, and counted as the mismatch they prove", "[capture]") {
    const tag wronged{"wronged"};
    const std::uint64_t before = process_capture().tags.excess_frees();
    detail::count_allocation(wronged.id(), 100);
    detail::count_free(wronged.id(), 100);
    CHECK(wronged.totals().live_bytes() == 0);
    CHECK(process_capture().tags.excess_frees() == before);
    detail::count_free(wronged.id(), 100);  // of another tag's block
    detail::count_free(wronged.id(), 100);
    CHECK(wronged.totals().frees == 1);
    CHECK(wronged.totals().freed_bytes == 100);
    CHECK(process_capture().tags.excess_frees() == before + 2);
    CHECK(wronged.totals().live_bytes() == 0);  // asked again, it is the same proof
    CHECK(process_capture().tags.excess_frees() == before + 2);
}
