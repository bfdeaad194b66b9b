// SPDX-License-Identifier: Apache-2.0
// Waiting for an object. That no order of steps loses a wake-up is shown on a model (tests/unit/base/slot_list_test.cpp); here
// are the laws on real threads.
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include <memwatch/alloc/object_pool.hpp>
#include <memwatch/base/log.hpp>
#include "support/full_session.hpp"
#include "support/seed.hpp"

using namespace memwatch;
using namespace std::chrono_literals;

namespace {

pool_options bounded(std::size_t capacity) {
    pool_options options;
    options.capacity = capacity;
    return options;
}

template <class Condition>
void await(Condition condition) {
    while (!condition()) { std::this_thread::yield(); }
}

}  // namespace

TEST_CASE("object_pool: a duration is a patience in nanoseconds, none below zero, for ever beyond all time", "[alloc]") {
    CHECK(detail::to_patience_ns(50ms) == 50'000'000);
    CHECK(detail::to_patience_ns(-1s) == 0);
    CHECK(detail::to_patience_ns(std::chrono::duration<double>(0.25)) == 250'000'000);
    CHECK(detail::to_patience_ns(std::chrono::hours::max()) == detail::pool_core::forever);
    CHECK(detail::to_patience_ns(std::chrono::nanoseconds::max()) == detail::pool_core::forever);
}

TEST_CASE("object_pool: waiting ends with a release, and says how often and how long", "[alloc]") {
    object_pool<int> pool("wait-one", bounded(1));
    auto held = pool.acquire(1);
    std::atomic<int> seen{0};
    std::thread waiter([&] {
        auto mine = pool.acquire_wait(7);
        seen = *mine;
    });
    await([&] { return pool.totals().waiters == 1; });
    CHECK(seen == 0);
    held.reset();
    waiter.join();
    CHECK(seen == 7);
    const pool_totals totals = pool.totals();
    CHECK(totals.waiters == 0);
    CHECK(totals.most_waiters == 1);
    CHECK(totals.waits == 1);
    CHECK(totals.wait_ns > 0);
    CHECK(totals.acquire_failures == 0);
    CHECK(totals.in_use == 0);
    CHECK(totals.high_water == 1);
}

TEST_CASE("object_pool: the sample of an acquire that waited begins when the wait has ended", "[alloc]") {
    const test_support::session_with session(preset_option::on, 1);
    using object = std::array<char, 4000>;  // so that every acquire is a sample
    object_pool<object> pool("wait-sampled", bounded(1));
    auto held = pool.acquire();
    object_pool<object>::handle mine;
    std::thread waiter([&] { mine = pool.acquire_wait(); });
    await([&] { return pool.totals().waiters == 1; });
    const std::uint64_t still_waiting_ns = session.get().snapshot()->info.taken_ns;
    held.reset();
    waiter.join();
    const snapshot after = *session.get().snapshot();
    const auto of_waiter = std::find_if(after.live.begin(), after.live.end(), [&](const live_record& r) {
        return after.tags[after.sites[r.site].tag].name == "wait-sampled";
    });
    REQUIRE(of_waiter != after.live.end());
    CHECK(of_waiter->birth_ns >= still_waiting_ns);
}

TEST_CASE("object_pool: patience that ends is a failure; an object that is there needs none", "[alloc]") {
    object_pool<int> pool("impatient", bounded(1));
    auto held = pool.acquire_for(0ms, 1);
    REQUIRE(held);
    CHECK(pool.totals().waits == 0);
    CHECK_FALSE(pool.acquire_for(1ms, 2));
    CHECK_FALSE(pool.acquire_for(-1s, 3));
    CHECK(pool.totals().acquire_failures == 2);
    CHECK(pool.totals().waits == 2);
    CHECK(pool.totals().waiters == 0);
    held.reset();
    CHECK(pool.acquire_for(1h, 4));  // nobody is waited for
    CHECK(pool.totals().waits == 2);
}

TEST_CASE("object_pool: a constructor that throws wakes the next in the queue", "[alloc]") {
    struct fussy {
        explicit fussy(bool is_fine) {
            if (!is_fine) { throw 1; }
        }
    };
    object_pool<fussy> pool("fussy", bounded(1));
    auto held = pool.acquire(true);
    std::atomic<int> thrown{0};
    std::atomic<int> made{0};
    std::vector<std::thread> waiters;
    for (int i = 0; i < 4; ++i) {
        waiters.emplace_back([&, i] {
            try {
                if (pool.acquire_wait(i % 2 == 0)) { ++made; }
            } catch (int) { ++thrown; }
        });
    }
    await([&] { return pool.totals().waiters == 4; });
    held.reset();
    for (std::thread& t : waiters) { t.join(); }
    CHECK(thrown == 2);
    CHECK(made == 2);
    CHECK(pool.totals().most_waiters == 4);
}

TEST_CASE("object_pool: who waits, barges in or gives up, in the end all objects are back and each acquire is accounted for",
          "[alloc]") {
    constexpr int thread_count = 6;
    constexpr int rounds = 3'000;
    object_pool<int> pool("crowded", bounded(2));
    std::atomic<std::uint64_t> got{0};
    std::atomic<std::uint64_t> refused{0};
    std::atomic<int> inside{0};
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    const std::uint64_t first_seed = test_support::seed();
    INFO("seed " << first_seed);
    for (int t = 0; t < thread_count; ++t) {
        threads.emplace_back([&, t] {
            std::uint64_t random = first_seed + static_cast<std::uint64_t>(t);
            for (int i = 0; i < rounds; ++i) {
                random = random * 6'364'136'223'846'793'005ULL + 1'442'695'040'888'963'407ULL;
                object_pool<int>::handle mine;
                switch (random >> 62U) {
                    case 0:
                        mine = pool.acquire(t);
                        break;
                    case 1:
                        mine = pool.acquire_for(std::chrono::microseconds((random >> 40U) % 50), t);
                        break;
                    default:
                        mine = pool.acquire_wait(t);
                        break;
                }
                if (!mine) {
                    ++refused;
                    continue;
                }
                ++got;
                if (++inside > 2 || *mine != t) { ++wrong; }
                --inside;
            }
        });
    }
    for (std::thread& t : threads) { t.join(); }
    const pool_totals totals = pool.totals();
    CHECK(wrong == 0);
    CHECK(got + refused == std::uint64_t{thread_count} * rounds);
    CHECK(totals.acquires == got);
    CHECK(totals.acquire_failures == refused);
    CHECK(totals.in_use == 0);
    CHECK(totals.waiters == 0);
    CHECK(totals.high_water <= totals.capacity);
    CHECK(totals.misuses == 0);
    CHECK(tag{"crowded"}.totals().live_objects() == 0);
    CHECK(tag{"crowded"}.totals().allocations == got);
    auto a = pool.acquire(1);  // the objects are there, each once
    auto b = pool.acquire(2);
    CHECK(a);
    CHECK(b);
    CHECK_FALSE(pool.acquire(3));
}

#if !defined(__SANITIZE_THREAD__)  // which does not follow a forked child of a process with threads
TEST_CASE("object_pool: a forked child inherits objects and no waiters", "[alloc]") {
    object_pool<int> pool("forked", bounded(1));
    auto held = pool.acquire(1);
    std::thread waiter([&] { static_cast<void>(pool.acquire_wait(2)); });
    await([&] { return pool.totals().waiters == 1; });
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(20);
        const bool nobody_waits = pool.totals().waiters == 0 && pool.totals().in_use == 1;
        held.reset();
        const auto mine = pool.acquire_for(1ms, 3);
        ::_exit(nobody_waits && mine && !pool.acquire_for(1ms, 4) && pool.totals().in_use == 1 ? 0 : 1);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    held.reset();
    waiter.join();
    CHECK(pool.totals().in_use == 0);
}
#endif

TEST_CASE("object_pool: late handles on many threads end an abandoned pool once", "[alloc]") {
    set_log_sink([](log_level, std::string_view) {});  // it is reported, each time
    for (int round = 0; round < 200; ++round) {
        auto pool = std::make_unique<object_pool<std::vector<int>>>("abandoned", bounded(8));
        std::vector<object_pool<std::vector<int>>::handle> out;
        for (int i = 0; i < 8; ++i) { out.push_back(pool->acquire(10U)); }
        std::atomic<bool> go{false};
        std::vector<std::thread> threads;
        for (int t = 0; t < 2; ++t) {
            threads.emplace_back([&, t] {
                await([&] { return go.load(); });
                for (int i = t; i < 8; i += 2) { out[static_cast<std::size_t>(i)].reset(); }
            });
        }
        go = true;
        pool.reset();
        for (std::thread& t : threads) { t.join(); }
    }
    set_log_sink(nullptr);
    CHECK(tag{"abandoned"}.totals().live_objects() == 0);
}
