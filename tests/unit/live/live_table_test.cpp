// SPDX-License-Identifier: Apache-2.0
#include "live/live_table.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <random>
#include <unordered_map>
#include <vector>

#include "support/memory_block.hpp"

using namespace memwatch;

namespace {

// Keeps the sums that a site would, so that the table's story can be checked against its contents.
struct bookkeeper {
    double live_bytes{};
    std::size_t births{};
    std::size_t deaths{};
    std::size_t thinned{};
    std::uint64_t highest_interval{};

    static double weight(std::uint64_t size, std::uint64_t interval) {
        return static_cast<double>(size) / sampling_probability(size, interval);
    }
    void born(const live_entry& e) {
        ++births;
        live_bytes += weight(e.size_bytes, e.interval_bytes);
    }
    void died(const live_entry& e) {
        ++deaths;
        live_bytes -= weight(e.size_bytes, e.interval_bytes);
    }
    void displaced(const live_entry& e) { died(e); }
    void reweighed(const live_entry& e, std::uint64_t before, std::uint64_t after, bool is_kept) {
        live_bytes -= weight(e.size_bytes, before);
        if (is_kept) {
            live_bytes += weight(e.size_bytes, after);
        } else {
            ++thinned;
        }
    }
    void interval_changed(std::uint64_t, std::uint64_t after) { highest_interval = std::max(highest_interval, after); }
};

struct table_under_test {
    explicit table_under_test(std::size_t entries_per_shard)
        : memory(live_table::memory_bytes(entries_per_shard)), table(memory.get(), entries_per_shard) {}
    test_support::memory_block memory;
    live_table table;
    bookkeeper books;
    std::uint64_t random_state{0x9E3779B97F4A7C15ULL};

    live_table::outcome insert(block_key key, std::uint64_t size, std::uint64_t interval) {
        live_entry e{};
        e.key = key;
        e.size_bytes = size;
        e.interval_bytes = interval;
        return table.insert(e, random_state, books);
    }
    bool remove(block_key key) { return table.remove(key, books); }
    sampled_totals totals() {
        sampled_totals sum;
        table.for_each([](std::size_t) {}, [&](const live_entry& e) { sum.add(e.size_bytes, e.interval_bytes); });
        return sum;
    }
};

}  // namespace

TEST_CASE("live_table: agrees with a map under random inserts and removals", "[live]") {
    table_under_test t(256);
    std::unordered_map<block_key, std::uint64_t> model;
    std::mt19937_64 random(1);
    for (int i = 0; i < 500'000; ++i) {
        const block_key key = 1 + random() % 6000;  // of 14,336 places: crowded, never thinned
        if (random() % 2 == 0) {
            const auto result = t.insert(key, i + 1U, 0);
            const bool is_new = model.insert_or_assign(key, i + 1U).second;
            REQUIRE(result == (is_new ? live_table::outcome::kept : live_table::outcome::displaced_duplicate));
        } else {
            REQUIRE(t.remove(key) == (model.erase(key) == 1));
        }
    }
    CHECK(t.table.size() == model.size());
    std::size_t seen = 0;
    t.table.for_each([](std::size_t) {},
                     [&](const live_entry& e) {
                         ++seen;
                         REQUIRE(model.at(e.key) == e.size_bytes);
                     });
    CHECK(seen == model.size());
    CHECK(t.books.births - t.books.deaths == model.size());
}

TEST_CASE("live_table: thinning keeps the estimate unbiased", "[live]") {
    // 40 independent tables, each forced far over its cap; the mean of their estimates against the truth at 4 sigma of that
    // mean.
    constexpr int rounds = 40;
    const std::uint64_t interval = GENERATE(0ULL, 64ULL << 10U, 1ULL << 20U);
    double error_sum = 0;
    double variance_sum = 0;
    for (int round = 0; round < rounds; ++round) {
        table_under_test t(64);
        t.table.set_base_interval(interval);
        t.random_state += static_cast<std::uint64_t>(round) * 7919 + interval;
        std::mt19937_64 random(static_cast<std::uint64_t>(round) + 1);
        double truth = 0;
        for (block_key key = 1; key <= 20'000; ++key) {
            const std::uint64_t size = 16 + random() % 20'000;
            truth += static_cast<double>(size);
            // Drawn as the sampler draws: seen with p, or not at all.
            if (!(next_unit(t.random_state) <= sampling_probability(size, interval))) { continue; }
            static_cast<void>(t.insert(key, size, interval));
        }
        if (interval == 0) { REQUIRE(t.books.thinned > 4'000); }
        const sampled_totals sum = t.totals();
        CHECK(sum.bytes == Approx(t.books.live_bytes).epsilon(1e-9));
        error_sum += sum.bytes - truth;
        variance_sum += sum.bytes_variance;
    }
    CAPTURE(interval, error_sum, std::sqrt(variance_sum));
    CHECK(std::abs(error_sum) <= 4 * std::sqrt(variance_sum));
}

TEST_CASE("live_table: at the cap R rises for all, and comes back when the table empties", "[live]") {
    table_under_test t(64);
    t.table.set_base_interval(1024);
    CHECK(t.table.interval_floor() == 1024);
    for (block_key key = 1; key <= 100'000; ++key) { static_cast<void>(t.insert(key, 100, 1024)); }
    CHECK(t.table.interval_floor() > 1024);
    CHECK(t.table.size() <= t.table.capacity() * 7 / 8);
    for (block_key key = 1; key <= 100'000; ++key) { static_cast<void>(t.remove(key)); }
    CHECK(t.table.size() == 0);
    // Each shard comes down by halves, one a removal; fresh blocks come and go until all have.
    for (block_key key = 1; key <= 100'000; ++key) {
        static_cast<void>(t.insert(key, 1 << 20, 1024));
        static_cast<void>(t.remove(key));
    }
    CHECK(t.table.interval_floor() == 1024);
    CHECK(t.books.live_bytes == Approx(0).margin(1e-3));
}

TEST_CASE("live_table: blocks of any size give way: huge ones are thinned too", "[live]") {
    table_under_test t(64);
    t.table.set_base_interval(1);
    for (block_key key = 1; key <= 50'000; ++key) { REQUIRE(t.insert(key, 1ULL << 40U, 1) != live_table::outcome::full); }
    CHECK(t.table.size() <= t.table.capacity() * 7 / 8);
    const sampled_totals sum = t.totals();
    const double truth = 50'000.0 * static_cast<double>(1ULL << 40U);
    CHECK(std::abs(sum.bytes - truth) <= 4 * sum.bytes_standard_error());
}
