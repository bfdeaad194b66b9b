// SPDX-License-Identifier: Apache-2.0
// Which object is out longest: since when, for which trace, taken by whom.
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include <memwatch/memwatch.hpp>
#include <memwatch/model/site_name.hpp>
#include "support/fake_clock.hpp"

using namespace memwatch;
using test_support::fake_clock;
using test_support::second;

namespace {

constexpr const char* traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

session start_with_fake_clock() {
    options wanted;
    wanted.service = "test";
    wanted.preset = preset_option::off;
    wanted.clock = &fake_clock::now;
    return session::start(wanted);
}

pool_totals row_of(const snapshot& s, const char* name) {
    for (const pool_totals& each : s.pools) {
        if (each.name == name) { return each; }
    }
    return {};
}

}  // namespace

// Outside the anonymous namespace, so that the symbol table has it.
[[gnu::noinline]] object_pool<int>::handle take_and_forget(object_pool<int>& pool) {
    auto handle = pool.acquire(1);
    asm volatile("" ::: "memory");
    return handle;
}

TEST_CASE("object_pool: the oldest checkout is the oldest, with its trace, route and caller", "[alloc]") {
    auto running = start_with_fake_clock();
    object_pool<int> pool("checkouts");
    CHECK(pool.totals().oldest_checkout_ns == 0);
    object_pool<int>::handle first;
    {
        const trace_scope request(traceparent, "/api/v2/orders");
        first = take_and_forget(pool);
    }
    fake_clock::advance(2 * second);
    auto second_one = pool.acquire(2);
    fake_clock::advance(7 * second);

    snapshot frozen = *running.snapshot();
    running.name_functions(frozen);
    const pool_totals row = row_of(frozen, "checkouts");
    CHECK(row.oldest_checkout_ns == 9 * second);
    CHECK(to_string(row.oldest_trace) == "4bf92f3577b34da6a3ce929d0e0e4736");
    REQUIRE(row.oldest_route < frozen.routes.size());
    CHECK(frozen.routes[row.oldest_route] == "/api/v2/orders");
    REQUIRE(row.oldest_frame != 0);
    INFO(frame_name(frozen.frames[row.oldest_frame - 1], frozen.modules));
    CHECK(frame_name(frozen.frames[row.oldest_frame - 1], frozen.modules).find("take_and_forget") != std::string::npos);
    CHECK(validate(frozen));

    first.reset();
    const pool_totals after = pool.totals();
    CHECK(after.oldest_checkout_ns == 7 * second);
    CHECK_FALSE(after.oldest_trace.is_valid());
    CHECK(after.oldest_route == 0);
    second_one.reset();
    CHECK(pool.totals().oldest_checkout_ns == 0);
}

TEST_CASE("object_pool: a slot that is used again forgets the trace it had", "[alloc]") {
    const auto running = start_with_fake_clock();
    object_pool<int> pool("reused");
    {
        const trace_scope request(traceparent, "/api/v2/orders");
        static_cast<void>(pool.acquire(1));
    }
    const auto untraced = pool.acquire(2);
    CHECK(pool.totals().high_water == 1);
    CHECK(pool.totals().oldest_checkout_ns != 0);
    CHECK_FALSE(pool.totals().oldest_trace.is_valid());
}

TEST_CASE("object_pool: what freeze reads while threads acquire is never of two acquires", "[alloc]") {
    object_pool<int> pool("torn");
    const auto pinned = [&] {
        const trace_scope request(trace_id{1, 1}, "/1");
        return pool.acquire(1);
    }();
    std::atomic<bool> is_over{false};
    std::vector<std::thread> threads;
    for (std::uint64_t t = 2; t < 5; ++t) {
        threads.emplace_back([&, t] {
            const trace_scope request(trace_id{t, t}, "/" + std::to_string(t));
            while (!is_over) { static_cast<void>(pool.acquire(static_cast<int>(t))); }
        });
    }
    for (int i = 0; i < 5'000; ++i) {
        const pool_totals totals = pool.totals();
        CHECK(totals.oldest_trace.high == totals.oldest_trace.low);
        CHECK(totals.oldest_trace.high == 1);  // nothing that comes and goes is older than what stays
        CHECK(totals.in_use <= totals.high_water);
        CHECK(totals.high_water <= 4);
        CHECK(totals.acquires >= totals.in_use);
    }
    is_over = true;
    for (std::thread& t : threads) { t.join(); }
}

TEST_CASE("register_pool: what the user knows is shown, what not is zero", "[alloc]") {
    const auto running = start_with_fake_clock();
    const auto shown = register_pool("user-pool", [] {
        pool_stats stats;
        stats.capacity = 10;
        stats.in_use = 4;
        stats.object_bytes = 100;
        stats.waiters = 3;
        stats.most_waiters = 5;
        stats.waits = 7;
        stats.wait_ns = 9;
        stats.oldest_checkout_ns = 11;
        stats.oldest_trace = trace_id{1, 2};
        return stats;
    });
    const auto silent = register_pool("silent-pool", [] { return pool_stats{}; });
    const snapshot frozen = *running.snapshot();
    const pool_totals told = row_of(frozen, "user-pool");
    CHECK(told.waiters == 3);
    CHECK(told.most_waiters == 5);
    CHECK(told.waits == 7);
    CHECK(told.wait_ns == 9);
    CHECK(told.oldest_checkout_ns == 11);
    CHECK(told.oldest_trace == trace_id{1, 2});
    CHECK(told.storage_bytes == 1000);
    CHECK(told.idle_bytes() == 600);
    CHECK(told.tag.empty());
    const pool_totals untold = row_of(frozen, "silent-pool");
    CHECK(untold.waiters == 0);
    CHECK(untold.oldest_checkout_ns == 0);
    CHECK_FALSE(untold.oldest_trace.is_valid());
    CHECK(untold.oldest_frame == 0);
}
