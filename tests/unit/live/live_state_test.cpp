// SPDX-License-Identifier: Apache-2.0
#include "live/live_state.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <vector>

#include "support/fake_clock.hpp"
#include "support/memory_block.hpp"

using namespace memwatch;
using test_support::second;

namespace {

struct live_under_test {
    explicit live_under_test(std::uint64_t budget = 4U << 20U)
        : sizes(live_sizes::for_budget(budget)), memory(sizes.memory_bytes()), live(memory.get(), sizes, losses) {
        live.set_timeline(0, 10 * second);
        live.configure(1024, nullptr);
    }
    loss_counters losses;
    live_sizes sizes;
    test_support::memory_block memory;
    live_state live;
    std::uint64_t random_state{42};

    void insert(std::uint64_t address, std::uint64_t size, std::uint64_t time_ns, std::vector<std::uint64_t> frames = {1, 2, 3},
                std::uint16_t thread = 0, std::string_view type = "order", trace_id trace = {}) {
        record r;
        r.trace = trace;
        r.key = make_block_key(reinterpret_cast<void*>(address), 5);
        r.size_bytes = size;
        r.interval_bytes = 1024;
        r.time_ns = time_ns;
        r.frames = frames.data();
        r.depth = static_cast<std::uint32_t>(frames.size());
        r.tag = 5;
        r.thread = thread;
        r.type = type;
        live.insert(r, random_state);
    }
    bool remove(std::uint64_t address, std::uint64_t time_ns, std::uint16_t thread = 0) {
        return live.remove(make_block_key(reinterpret_cast<void*>(address), 5), thread, time_ns);
    }
    snapshot freeze(live_state::detail how = live_state::detail::records) {
        snapshot s;
        live.freeze(s, how);
        s.tags.resize(6);  // runtime fills these in; sites refer to tag 5
        s.routes.resize(1);
        return s;
    }
};

const site& the_site(const snapshot& s) {
    const site* found = nullptr;
    for (const site& candidate : s.sites) {
        if (candidate.allocated.samples > 0) {
            REQUIRE(found == nullptr);
            found = &candidate;
        }
    }
    REQUIRE(found != nullptr);
    return *found;
}

}  // namespace

TEST_CASE("live_state: equal stack, type and tag are one site, any difference is another", "[live]") {
    live_under_test t;
    t.insert(0x1000, 64, 0);
    t.insert(0x2000, 64, 0);
    CHECK(t.freeze().sites.size() == 1);
    t.insert(0x3000, 64, 0, {1, 2, 4});
    t.insert(0x4000, 64, 0, {1, 2, 3}, 0, "invoice");
    const snapshot s = t.freeze();
    CHECK(s.sites.size() == 3);
    CHECK(validate(s).has_value());
}

TEST_CASE("live_state: balanced churn leaves exactly nothing, and the totals add up", "[live]") {
    live_under_test t;
    std::mt19937_64 random(3);
    std::vector<std::uint64_t> alive;
    for (int i = 0; i < 20'000; ++i) {
        if (alive.size() < 500 || random() % 2 == 0) {
            alive.push_back(0x10000 + static_cast<std::uint64_t>(i) * 16);
            t.insert(alive.back(), 1 + random() % 5000, second);
        } else {
            std::swap(alive[random() % alive.size()], alive.back());
            REQUIRE(t.remove(alive.back(), 2 * second));
            alive.pop_back();
        }
    }
    const snapshot busy = t.freeze();
    CHECK(the_site(busy).live.samples == alive.size());
    CHECK(the_site(busy).live.bytes == Approx(live_totals(busy).bytes));
    CHECK(the_site(t.freeze(live_state::detail::summary)).live.bytes == Approx(live_totals(busy).bytes));
    for (const std::uint64_t address : alive) { REQUIRE(t.remove(address, 3 * second)); }
    const snapshot quiet = t.freeze();
    CHECK(quiet.live.empty());
    const snapshot summary = t.freeze(live_state::detail::summary);
    const site& s = the_site(summary);
    CHECK(s.live == sampled_totals{});  // not nearly: exactly
    CHECK(s.allocated.bytes == Approx(s.freed.bytes));
    CHECK(s.allocated.samples == s.freed.samples);
}

TEST_CASE("live_state: births are kept by epoch, the oldest merged", "[live]") {
    live_under_test t;
    for (std::uint64_t epoch = 0; epoch < 40; ++epoch) { t.insert(0x1000 + epoch * 64, 1 << 20, epoch * 10 * second); }
    const snapshot s = t.freeze();
    const site& only = the_site(s);
    REQUIRE(only.cohorts.size() == site_state::cohort_count);
    CHECK(only.cohorts.front().is_merged);
    CHECK(only.cohorts.front().epoch == 24);
    CHECK(only.cohorts.front().born_objects == Approx(25));
    CHECK(only.cohorts.back().epoch == 39);
    CHECK(only.cohorts.back().born_bytes == Approx(1 << 20));
    CHECK_FALSE(only.cohorts.back().is_merged);
    double born = 0;
    for (const cohort& c : only.cohorts) { born += c.born_bytes; }
    CHECK(born == Approx(only.allocated.bytes));
}

TEST_CASE("live_state: lifetimes fall into their buckets, bounds included", "[live]") {
    live_under_test t;
    t.insert(0x1000, 1 << 20, 0);
    t.insert(0x2000, 1 << 20, 0);
    t.insert(0x3000, 1 << 20, 0);
    t.remove(0x1000, 1'000'000);        // 1 ms: first bucket
    t.remove(0x2000, 1'000'001);        // just above: second
    t.remove(0x3000, 10'000 * second);  // beyond the last bound: +Inf
    const snapshot s = t.freeze();
    const lifetime_histogram& lifetimes = the_site(s).lifetimes;
    CHECK(lifetimes.objects[0] == Approx(1));
    CHECK(lifetimes.objects[1] == Approx(1));
    CHECK(lifetimes.objects[lifetime_bucket_count - 1] == Approx(1));
    CHECK(lifetimes.sum_seconds == Approx(10'000.002));
}

TEST_CASE("live_state: a free by another thread is told from one by its own", "[live]") {
    live_under_test t;
    const std::uint16_t a = t.live.threads().add(100, "worker-a\0\0\0\0\0\0\0");
    const std::uint16_t b = t.live.threads().add(101, "worker-b\0\0\0\0\0\0\0");
    t.insert(0x1000, 1 << 20, 0, {1}, a);
    t.insert(0x2000, 1 << 20, 0, {1}, a);
    t.remove(0x1000, 1, a);
    t.remove(0x2000, 1, b);
    CHECK(the_site(t.freeze()).freed.samples == 2);
    CHECK(the_site(t.freeze()).freed_by_other_thread.samples == 1);
}

TEST_CASE("thread_table: an index is reused only when nothing alive names it", "[live]") {
    live_under_test t;
    const std::uint16_t a = t.live.threads().add(100, "worker-a\0\0\0\0\0\0\0");
    t.insert(0x1000, 1 << 20, 0, {1}, a);
    t.live.threads().retire(a, "worker-a\0\0\0\0\0\0\0");
    const std::uint16_t b = t.live.threads().add(101, "worker-b\0\0\0\0\0\0\0");
    CHECK(b != a);
    t.remove(0x1000, 1, b);
    CHECK(t.live.threads().add(102, "worker-c\0\0\0\0\0\0\0") == a);
    for (std::size_t i = 0; i < thread_table::capacity; ++i) {
        static_cast<void>(t.live.threads().add(1000, "x\0\0\0\0\0\0\0\0\0\0\0\0\0\0"));
    }
    CHECK(t.live.threads().add(103, "one too many\0\0\0") == 0);
    CHECK(t.losses.of(drop_reason::thread_table_full) > 0);
}

TEST_CASE("live_state: with the site table full, blocks stay tracked under the overflow site", "[live]") {
    live_under_test t(2U << 20U);
    const std::size_t sites = t.sizes.sites;
    for (std::size_t i = 0; i < sites + 100; ++i) { t.insert(0x1000 + i * 64, 1 << 20, 0, {i + 1}); }
    const snapshot s = t.freeze();
    CHECK(validate(s).has_value());
    CHECK(s.sites[site_table::overflow].live.samples == 100);
    CHECK(t.losses.of(drop_reason::site_table_full) + t.losses.of(drop_reason::stack_table_full) >= 100);
    CHECK(live_totals(s).samples == sites + 100);
    for (std::size_t i = 0; i < sites + 100; ++i) { REQUIRE(t.remove(0x1000 + i * 64, 1)); }
}

TEST_CASE("live_state: memory follows the budget", "[live]") {
    for (const std::uint64_t mib : {2, 16, 64, 256}) {
        const live_sizes sizes = live_sizes::for_budget(mib << 20U);
        CAPTURE(mib, sizes.memory_bytes(), sizes.sites, sizeof(site_state), sizes.entries_per_shard * live_table::shard_count);
        CHECK(sizes.memory_bytes() <= (mib << 20U) + (mib << 20U) / 4);
    }
    // 100,000 live samples fit at the default budget without thinning (7/8 of 131,072).
    CHECK(live_sizes::for_budget(16U << 20U).entries_per_shard * live_table::shard_count / 8 * 7 >= 100'000);
}

TEST_CASE("live_state: a visit sees the blocks and totals that a snapshot has, by the sites' own numbers", "[live]") {
    struct seeing {
        std::map<std::uint32_t, sampled_totals> live;
        std::map<std::uint32_t, site> sites;
        std::map<std::uint32_t, std::uint32_t> depths;
        std::vector<live_record> blocks;
        void see(const live_record& block) {
            live[block.site].add(block.size_bytes, block.interval_bytes);
            blocks.push_back(block);
        }
        void see(std::uint32_t id, const site& totals, std::uint32_t depth) {
            sites[id] = totals;
            depths[id] = depth;
        }
    };
    live_under_test t;
    std::mt19937_64 random(11);
    for (std::uint64_t i = 1; i <= 5000; ++i) {
        t.insert(i * 0x1000, 1 + random() % 5000, i * second, {1, 2, random() % 20});
        if (i % 3 == 0) { t.remove((1 + random() % i) * 0x1000, i * second); }
    }
    seeing seen;
    std::vector<exact_site_totals> scratch;
    t.live.visit(seen, scratch);
    snapshot s;
    const std::uint32_t first = t.live.freeze(s, live_state::detail::records);
    CHECK(first == site_table::overflow + 1);
    REQUIRE(seen.blocks.size() == s.live.size());
    std::uint64_t births = 0;
    for (const live_record& block : seen.blocks) { births += block.birth_ns; }
    for (const live_record& block : s.live) { births -= block.birth_ns; }
    CHECK(births == 0);
    for (std::uint32_t row = 0; row < s.sites.size(); ++row) {
        CAPTURE(row);
        CHECK(seen.live[row + first].samples == s.sites[row].live.samples);
        CHECK(seen.live[row + first].bytes == Approx(s.sites[row].live.bytes));
        CHECK(seen.sites[row + first].allocated == s.sites[row].allocated);
        CHECK(seen.sites[row + first].freed == s.sites[row].freed);
        CHECK(seen.sites[row + first].tag == s.sites[row].tag);
        CHECK(seen.depths[row + first] == s.stacks[s.sites[row].stack].frames.size());
        CHECK(seen.sites[row + first].lifetimes.sum_seconds == s.sites[row].lifetimes.sum_seconds);
    }
}

TEST_CASE("live_state: of each tag and bucket of lifetimes, a summary has the trace that died last in it") {
    live_under_test t;
    const auto live_for = [&](std::uint64_t address, trace_id trace, std::uint64_t born_ns, std::uint64_t lifetime_ns) {
        t.insert(address, 100, born_ns, {1, 2, 3}, 0, "order", trace);
        REQUIRE(t.remove(address, born_ns + lifetime_ns));
    };
    live_for(0x1000, {1, 1}, second, second / 1000);
    live_for(0x2000, {2, 2}, 2 * second, second / 1000);  // the same bucket, later
    live_for(0x3000, {3, 3}, second, 100 * second);
    live_for(0x4000, {}, 3 * second, second / 1000);               // in no trace
    t.insert(0x5000, 100, second, {1, 2, 3}, 0, "order", {5, 5});  // alive
    CHECK(t.freeze().lifetime_examples.empty());
    const snapshot s = t.freeze(live_state::detail::summary);
    REQUIRE(s.lifetime_examples.size() == 2);
    CHECK(s.lifetime_examples[0].tag == 5);
    CHECK(s.lifetime_examples[0].trace == trace_id{2, 2});
    CHECK(s.lifetime_examples[0].lifetime_ns == second / 1000);
    CHECK(s.lifetime_examples[0].died_ns == 2 * second + second / 1000);
    CHECK(s.lifetime_examples[1].trace == trace_id{3, 3});
    CHECK(lifetime_bucket(lifetime_bounds_ns[0]) == 0);
    CHECK(lifetime_bucket(lifetime_bounds_ns[0] + 1) == 1);
    CHECK(lifetime_bucket(~std::uint64_t{0}) == lifetime_bucket_count - 1);
}
