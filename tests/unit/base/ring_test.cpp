// SPDX-License-Identifier: Apache-2.0
#include "base/ring.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <cstdint>
#include <thread>
#include <vector>

#include "support/memory_block.hpp"

using memwatch::ring;

namespace {

struct event {
    std::uint64_t number;
    std::uint64_t check;
    std::uint64_t more[5];
};
static_assert(ring<event>::node_bytes == 64);

struct ring_under_test {
    explicit ring_under_test(std::size_t capacity)
        : memory(ring<event>::memory_bytes(capacity)), events(memory.get(), capacity) {}
    test_support::memory_block memory;
    ring<event> events;
};

event make_event(std::uint64_t number) { return {number, ~number, {}}; }

}  // namespace

TEST_CASE("ring: events come out in order, and exactly `capacity` fit", "[base]") {
    for (const std::size_t capacity : {std::size_t{1}, std::size_t{8}, ring<event>::max_capacity}) {
        ring_under_test t(capacity);
        event out{};
        CHECK_FALSE(t.events.try_pop(out));
        for (int round = 0; round < 3; ++round) {
            for (std::size_t i = 0; i < capacity; ++i) { REQUIRE(t.events.try_push(make_event(i))); }
            CHECK_FALSE(t.events.try_push(make_event(0)));
            for (std::size_t i = 0; i < capacity; ++i) {
                REQUIRE(t.events.try_pop(out));
                REQUIRE(out.number == i);
            }
            CHECK_FALSE(t.events.try_pop(out));
        }
    }
}

TEST_CASE("ring: more than the library can link is refused when it is made, not later", "[base]") {
    const std::size_t too_many = ring<event>::max_capacity + 1;
    const test_support::memory_block memory(ring<event>::memory_bytes(too_many));
    CHECK_THROWS(ring<event>(memory.get(), too_many));
}

TEST_CASE("ring: with many producers, pushed == popped + refused, each event whole and in its producer's order", "[base]") {
    constexpr std::uint64_t producers = 4;
    constexpr std::uint64_t each = 50'000;
    ring_under_test t(256);
    std::atomic<std::uint64_t> refused{0};
    std::atomic<std::uint64_t> running{producers};
    std::vector<std::thread> threads;
    for (std::uint64_t p = 0; p < producers; ++p) {
        threads.emplace_back([&, p] {
            for (std::uint64_t i = 0; i < each; ++i) {
                if (!t.events.try_push(make_event(p << 32U | i))) { ++refused; }
            }
            --running;
        });
    }
    std::uint64_t popped = 0;
    std::uint64_t torn = 0;
    std::uint64_t disordered = 0;
    std::vector<std::uint64_t> next(producers, 0);
    const auto drain = [&] {
        event out{};
        while (t.events.try_pop(out)) {
            ++popped;
            torn += out.check != ~out.number;
            std::uint64_t& expected = next[out.number >> 32U];
            disordered += (out.number & 0xFFFF'FFFF) < expected;
            expected = (out.number & 0xFFFF'FFFF) + 1;
        }
    };
    while (running.load() != 0) { drain(); }
    for (std::thread& thread : threads) { thread.join(); }
    drain();
    CHECK(torn == 0);
    CHECK(disordered == 0);
    CHECK(popped + refused.load() == producers * each);
    CHECK(popped > 0);
}
