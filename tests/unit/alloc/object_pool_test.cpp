// SPDX-License-Identifier: Apache-2.0
#include <memwatch/alloc/object_pool.hpp>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstring>
#include <iterator>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <memwatch/alloc/pool_registry.hpp>
#include <memwatch/base/log.hpp>
#include "support/full_session.hpp"

using namespace memwatch;

namespace {

struct counted {
    static inline int alive = 0;
    explicit counted(int v = 0) : value(v) {
        if (v < 0) { throw std::invalid_argument("negative"); }
        ++alive;
    }
    ~counted() { --alive; }
    int value;
};

std::vector<std::string>& heard() {
    static std::vector<std::string> lines;
    return lines;
}

// Collects log lines for as long as it lives. (The limit of 10 lines of one event a minute holds for tests too: keep reports
// few.)
struct listening {
    listening() {
        heard().clear();
        set_log_sink([](log_level, std::string_view line) { heard().emplace_back(line); });
    }
    ~listening() { set_log_sink(nullptr); }
};

pool_options bounded(std::size_t capacity) {
    pool_options options;
    options.capacity = capacity;
    return options;
}

pool_options growing(std::size_t capacity) {
    pool_options options = bounded(capacity);
    options.can_grow = true;
    return options;
}

}  // namespace

TEST_CASE("object_pool: a handle brings its object back; counts follow", "[alloc]") {
    const test_support::session_with session(preset_option::full);
    object_pool<counted> pool("handles", bounded(4));
    const tag owner{"handles"};
    {
        auto a = pool.acquire(1);
        auto b = pool.acquire(2);
        CHECK(a->value + (*b).value == 3);
        CHECK(pool.totals().in_use == 2);
        CHECK(owner.totals().live_bytes() == 2 * sizeof(counted));
        CHECK(session.live_records(owner) == 2);
        auto c = std::move(a);
        CHECK_FALSE(a);
        c = std::move(b);
        CHECK(pool.totals().in_use == 1);
        CHECK(counted::alive == 1);
    }
    CHECK(counted::alive == 0);
    CHECK(owner.totals().live_objects() == 0);
    CHECK(session.live_records(owner) == 0);
    CHECK(pool.totals().acquires == 2);
    CHECK(pool.totals().high_water == 2);
    CHECK(pool.totals().hits == 2);
}

TEST_CASE("object_pool: bounded, it fails when all objects are out, and works again after", "[alloc]") {
    object_pool<counted> pool("bounded", bounded(3));
    std::vector<counted*> out;
    for (int i = 0; i < 3; ++i) { out.push_back(pool.acquire_raw(i)); }
    CHECK(std::set<counted*>(out.begin(), out.end()).size() == 3);
    CHECK(pool.acquire_raw(4) == nullptr);
    CHECK_FALSE(pool.acquire(5));
    CHECK(pool.totals().acquire_failures == 2);
    CHECK(pool.totals().free() == 0);
    pool.release(out.back());
    out.back() = pool.acquire_raw(6);
    CHECK(out.back() != nullptr);
    for (counted* object : out) { pool.release(object); }
    CHECK(pool.totals().in_use == 0);
    CHECK(pool.totals().capacity == 3);
}

TEST_CASE("object_pool: growing, it doubles and says which acquires were misses", "[alloc]") {
    object_pool<counted> pool("growing", growing(2));
    std::vector<object_pool<counted>::handle> out;
    for (int i = 0; i < 100; ++i) { out.push_back(pool.acquire(i)); }
    std::set<counted*> distinct;
    for (const auto& handle : out) { distinct.insert(handle.get()); }
    CHECK(distinct.size() == 100);
    CHECK(pool.totals().capacity == 128);
    CHECK(pool.totals().acquires - pool.totals().hits == 6);
    CHECK(pool.totals().acquire_failures == 0);
    out.clear();
    CHECK(pool.totals().in_use == 0);
    CHECK(counted::alive == 0);
}

TEST_CASE("object_pool: a double release and a foreign pointer are refused, counted and named", "[alloc]") {
    const listening listen;
    object_pool<counted> pool("misused", bounded(2));
    counted* const object = pool.acquire_raw(1);
    pool.release(object);
    pool.release(object);
    counted elsewhere(1);
    pool.release(&elsewhere);
    pool.release(reinterpret_cast<counted*>(reinterpret_cast<char*>(object) + 1));
    pool.release(nullptr);
    CHECK(pool.totals().misuses == 3);
    CHECK(pool.totals().in_use == 0);
    CHECK(counted::alive == 1);  // `elsewhere`
    auto a = pool.acquire(1);
    auto b = pool.acquire(2);
    CHECK(a.get() != b.get());
    REQUIRE(heard().size() == 3);
    CHECK(heard()[0].find("kind=double_release pool=\"misused\"") != std::string::npos);
    CHECK(heard()[1].find("kind=foreign_pointer") != std::string::npos);
    CHECK(heard()[0].find("at=\"") != std::string::npos);
}

TEST_CASE("object_pool: destroyed with objects out, it says so, and a late handle is safe", "[alloc]") {
    const listening listen;
    object_pool<counted>::handle late;
    {
        auto pool = std::make_unique<object_pool<counted>>("short-lived", bounded(4));
        late = pool->acquire(7);
        auto also = pool->acquire(8);
        pool.reset();
        CHECK(also->value == 8);
    }
    CHECK(late->value == 7);
    late.reset();
    CHECK(counted::alive == 0);
    REQUIRE(heard().size() == 1);
    CHECK(heard()[0].find("kind=outstanding_at_destruction pool=\"short-lived\" objects=2") != std::string::npos);
    CHECK(heard()[0].find("acquired_at=") != std::string::npos);
}

TEST_CASE("object_pool: a throwing constructor leaves the storage in the pool", "[alloc]") {
    object_pool<counted> pool("throwing", bounded(1));
    CHECK_THROWS_AS(pool.acquire_raw(-1), std::invalid_argument);
    CHECK(pool.totals().in_use == 0);
    CHECK(pool.acquire(1));
    CHECK(pool.totals().misuses == 0);
}

TEST_CASE("object_pool: over-aligned objects are aligned; a capacity out of range is refused", "[alloc]") {
    struct alignas(256) wide {
        char c;
    };
    object_pool<wide> pool("wide", growing(3));
    std::vector<object_pool<wide>::handle> out;
    for (int i = 0; i < 10; ++i) { out.push_back(pool.acquire()); }
    for (const auto& handle : out) { CHECK(reinterpret_cast<std::uintptr_t>(handle.get()) % 256 == 0); }
    CHECK_THROWS_AS(object_pool<char>("none", bounded(0)), std::bad_array_new_length);
    CHECK_THROWS_AS(object_pool<char>("too many", bounded(std::size_t{1} << 40U)), std::bad_array_new_length);
}

TEST_CASE("object_pool: many threads share one pool and nothing is lost or given out twice", "[alloc]") {
    object_pool<std::string> pool("busy", growing(4));
    constexpr int thread_count = 8;
    constexpr int rounds = 20'000;
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (int t = 0; t < thread_count; ++t) {
        threads.emplace_back([&, t] {
            std::vector<object_pool<std::string>::handle> held;
            for (int i = 0; i < rounds; ++i) {
                const std::string mine = std::to_string(t) + ":" + std::to_string(i);
                held.push_back(pool.acquire(mine));
                if (*held.back() != mine) { ++wrong; }
                if (held.size() > 20) { held.erase(held.begin(), held.begin() + 10); }
            }
        });
    }
    for (std::thread& t : threads) { t.join(); }
    const pool_totals totals = pool.totals();
    CHECK(wrong == 0);
    CHECK(totals.in_use == 0);
    CHECK(totals.acquires == std::uint64_t{thread_count} * rounds);
    CHECK(totals.misuses == 0);
    CHECK(tag{"busy"}.totals().live_objects() == 0);
    CHECK(totals.high_water <= totals.capacity);
    object_pool<int> single("single", bounded(1));
    std::vector<std::thread> rivals;
    for (int t = 0; t < 4; ++t) {
        rivals.emplace_back([&] {
            for (int i = 0; i < 20'000; ++i) { static_cast<void>(single.acquire(i)); }
        });
    }
    for (std::thread& t : rivals) { t.join(); }
    CHECK(single.totals().high_water == 1);  // never more out than there are
}

TEST_CASE("register_pool: a pool of the user's own shows up with its upstream, as long as it is registered", "[alloc]") {
    const test_support::session_with session(preset_option::off);
    const tag storage{"conn-storage"};
    const auto find = [&](const char* name) {
        const auto frozen = session.get().snapshot();
        for (const pool_totals& p : frozen->pools) {
            if (p.name == name) { return p; }
        }
        return pool_totals{};
    };
    {
        std::uint64_t busy = 3;
        registered_pool_options options;
        options.upstream = storage;
        const pool_registration shown = register_pool(
            "conn",
            [&] {
                pool_stats stats;
                stats.capacity = 64;
                stats.in_use = busy;
                return stats;
            },
            options);
        CHECK(find("conn").in_use == 3);
        CHECK(find("conn").upstream == "conn-storage");
        busy = 5;
        CHECK(find("conn").in_use == 5);
        const pool_registration throws = register_pool("throws", []() -> pool_stats { throw std::runtime_error("no"); });
        CHECK(find("throws").name.empty());
        CHECK(find("conn").free() == 59);
        // The function may take a lock that another thread holds while it makes and destroys pools of its own.
        std::mutex users;
        const pool_registration locked = register_pool("locked", [&] {
            const std::lock_guard guard(users);
            return pool_stats{};
        });
        std::atomic<bool> is_over{false};
        std::thread other([&] {
            while (!is_over) {
                const std::lock_guard guard(users);
                object_pool<int> brief("brief", bounded(1));
            }
        });
        for (int i = 0; i < 200; ++i) { CHECK(find("locked").name == "locked"); }
        is_over = true;
        other.join();
    }
    CHECK(find("conn").name.empty());
}

TEST_CASE("register_pool: a function that asks for a snapshot is left out of it", "[alloc]") {
    const test_support::session_with session(preset_option::off);
    const auto names_of = [](const snapshot& frozen) {
        std::set<std::string> names;
        for (const pool_totals& p : frozen.pools) { names.insert(p.name); }
        return names;
    };
    std::set<std::string> seen_inside;
    const auto quiet = register_pool("quiet", [] { return pool_stats{}; });
    const auto asks = register_pool("asks", [&] {
        seen_inside = names_of(*session.get().snapshot());
        return pool_stats{};
    });
    const auto seen = names_of(*session.get().snapshot());
    CHECK(seen.count("asks") == 1);
    CHECK(seen.count("quiet") == 1);
    CHECK(seen_inside.count("asks") == 0);
    CHECK(seen_inside.count("quiet") == 1);
}

TEST_CASE("register_pool: a function may end its own registration", "[alloc]") {
    const test_support::session_with session(preset_option::off);
    int calls = 0;
    pool_registration own;
    own = register_pool("brief-life", [&] {
        ++calls;
        own = pool_registration{};
        return pool_stats{};
    });
    for (int i = 0; i < 2; ++i) { CHECK(session.get().snapshot()); }
    CHECK(calls == 1);
}

TEST_CASE("register_pool: functions that ask for snapshots do not wait for each other in a circle", "[alloc]") {
    const test_support::session_with session(preset_option::off);
    const auto ask = [&] {
        static_cast<void>(session.get().snapshot());
        return pool_stats{};
    };
    const auto one = register_pool("circle-one", ask);
    const auto other = register_pool("circle-other", ask);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int n = 0; n < 50; ++n) { static_cast<void>(session.get().snapshot()); }
        });
    }
    for (std::thread& t : threads) { t.join(); }
}

TEST_CASE("object_pool: shrink gives the pages of free objects back, and objects that live are not touched", "[alloc]") {
    struct page {
        unsigned char bytes[4096];
    };
    object_pool<page> pool("alloc/shrinking", growing(64));
    constexpr std::size_t count = 4000;
    std::vector<page*> out;
    for (std::size_t i = 0; i < count; ++i) {
        out.push_back(pool.acquire_raw());
        std::memset(out.back()->bytes, static_cast<int>(i % 251), sizeof(page));
    }
    CHECK(pool.shrink() == 0);  // all are out
    std::vector<std::pair<page*, std::size_t>> kept;
    for (std::size_t i = 0; i < count; ++i) {
        if (i % 100 == 0) {
            kept.emplace_back(out[i], i);
        } else {
            pool.release(out[i]);
        }
    }
    const pool_totals before = pool.totals();
    const std::size_t given_back = pool.shrink();
    CHECK(given_back >= count / 2 * sizeof(page));  // three quarters of the free ones, less a page a run
    CHECK(given_back <= count * sizeof(page));
    CHECK(pool.totals().in_use == before.in_use);
    CHECK(pool.totals().acquires == before.acquires);
    CHECK(pool.totals().high_water == before.high_water);
    CHECK(pool.shrink() < given_back / 4);  // what was given back is not there to be given back
    for (const auto& [object, i] : kept) {
        CHECK(std::all_of(std::begin(object->bytes), std::end(object->bytes),
                          [i = i](unsigned char byte) { return byte == static_cast<unsigned char>(i % 251); }));
        pool.release(object);
    }
    std::set<page*> again;
    for (std::size_t i = 0; i < count; ++i) {
        page* const object = pool.acquire_raw();
        REQUIRE(object != nullptr);
        std::memset(object->bytes, 1, sizeof(page));
        again.insert(object);
    }
    CHECK(again.size() == count);
    for (page* const each : again) { pool.release(each); }
}

TEST_CASE("object_pool: shrink beside threads that acquire and release loses no object and hands none out twice", "[alloc]") {
    object_pool<std::uint64_t> pool("alloc/shrinking-threads", growing(256));
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> mixed_up{0};
    std::vector<std::thread> threads;
    for (std::uint64_t t = 1; t <= 3; ++t) {
        threads.emplace_back([&, t] {
            while (!stop.load(std::memory_order_relaxed)) {  // relaxed: a flag
                std::vector<std::uint64_t*> mine;
                for (int i = 0; i < 300; ++i) { mine.push_back(pool.acquire_raw(t)); }
                for (std::uint64_t* const each : mine) {
                    if (each == nullptr) { continue; }
                    if (*each != t) { mixed_up.fetch_add(1, std::memory_order_relaxed); }  // relaxed: a count
                    pool.release(each);
                }
            }
        });
    }
    for (int i = 0; i < 200; ++i) { static_cast<void>(pool.shrink()); }
    stop.store(true, std::memory_order_relaxed);  // relaxed: a flag
    for (std::thread& each : threads) { each.join(); }
    CHECK(mixed_up.load() == 0);
    CHECK(pool.totals().in_use == 0);
    CHECK(pool.totals().misuses == 0);
}
