// SPDX-License-Identifier: Apache-2.0
#include "attribution/onset.hpp"

#include <cmath>
#include <random>

#include <catch2/catch.hpp>

#include "support/seed.hpp"

using namespace memwatch;

namespace {

constexpr std::uint64_t second = 1'000'000'000;

// Births of a Poisson process, `per_second` on average, in [from, to).
void add_births(std::vector<std::uint64_t>& births, std::mt19937_64& random, double per_second, double from, double to) {
    std::exponential_distribution<double> gap(per_second);
    for (double at = from + gap(random); at < to; at += gap(random)) { births.push_back(static_cast<std::uint64_t>(at * 1e9)); }
}

}  // namespace

TEST_CASE("onset: without births nothing is said") { CHECK(estimate_onset({}, 100 * second).basis == onset_basis::none); }

TEST_CASE("onset: a site that began late is found where it began, though a few blocks are older") {
    std::mt19937_64 random(test_support::seed());
    for (int round = 0; round < 20; ++round) {
        std::vector<std::uint64_t> births;
        add_births(births, random, 0.02, 0, 300);
        births.push_back(1 * second);  // configuration, loaded at the start
        add_births(births, random, 2, 300, 400);
        const onset found = estimate_onset(births, 400 * second);
        REQUIRE(found.basis == onset_basis::change_point);
        CAPTURE(round, found.at_ns);
        CHECK(std::abs(static_cast<double>(found.at_ns) / 1e9 - 300) < 15);
        CHECK(found.rate_after > 3 * found.rate_before);
    }
}

TEST_CASE("onset: a steady site has begun with its first block") {
    std::mt19937_64 random(test_support::seed());
    int changes = 0;
    for (int round = 0; round < 300; ++round) {
        std::vector<std::uint64_t> births;
        add_births(births, random, 3, 20, 220);
        const onset found = estimate_onset(births, 220 * second);
        if (found.basis == onset_basis::change_point) { ++changes; }
    }
    CHECK(changes <= 3);  // of 300
}

TEST_CASE("onset: a few blocks at the very end, not freed yet, are no onset") {
    std::vector<std::uint64_t> births;
    for (std::uint64_t i = 0; i < 100; ++i) { births.push_back(i * second); }
    for (std::uint64_t i = 0; i < 10; ++i) { births.push_back(100 * second + i * 2'000'000); }
    const onset found = estimate_onset(births, 101 * second);
    CHECK(found.at_ns < second);
}

TEST_CASE("onset: blocks made together count as one event") {
    std::vector<std::uint64_t> births(1000, 50 * second);
    const onset found = estimate_onset(births, 100 * second);
    CHECK(found.basis == onset_basis::first_block);
    CHECK(found.at_ns == 50 * second);
    CHECK(found.error_ns == 50 * second);
}
