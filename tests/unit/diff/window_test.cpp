// SPDX-License-Identifier: Apache-2.0
// window_between() against a service in miniature whose every allocation and free is known.
#include <catch2/catch.hpp>
#include <vector>

#include <memwatch/diff/window.hpp>

#include "support/random_snapshot.hpp"
#include "support/seed.hpp"

using namespace memwatch_test;

namespace {

constexpr std::size_t site_count = 7;

// Every block is recorded (interval 0), so that all sums are exact.
class service {
public:
    service() {
        s_.info.session = "5e55";
        s_.info.epoch_ns = 100;
        s_.modules.push_back({"/opt/orders", "b1", 0x400000, 0x500000, 0});
        s_.routes.push_back("");
        s_.threads.push_back({"other", 0, false});
        for (std::uint32_t i = 0; i < site_count; ++i) {
            s_.frames.push_back({0, 0x1000 + i, {}});
            s_.stacks.push_back({{i}, false});
            s_.tags.push_back({"tag" + std::to_string(i), 0, 0, 0, 0});
            s_.sites.emplace_back();
            s_.sites.back().stack = s_.sites.back().tag = i;
        }
    }

    void allocate(std::uint32_t at, std::uint64_t size) {
        s_.live.push_back({++sequence_, size, ++now_, 0, {}, at, 0, 0});
        s_.sites[at].live.add(size, 0);
        s_.sites[at].allocated.add(size, 0);
        s_.tags[at].allocated_bytes += size;
        ++s_.tags[at].allocations;
    }

    void free(std::size_t index) {
        const live_record gone = s_.live[index];
        s_.live.erase(s_.live.begin() + static_cast<std::ptrdiff_t>(index));
        site& from = s_.sites[gone.site];
        from.live = {};
        for (const live_record& each : s_.live) {
            if (each.site == gone.site) { from.live.add(each.size_bytes, 0); }
        }
        from.freed.add(gone.size_bytes, 0);
        s_.tags[gone.site].freed_bytes += gone.size_bytes;
        ++s_.tags[gone.site].frees;
    }

    void churn(random_source& random, int steps) {
        for (int i = 0; i < steps; ++i) {
            if (!s_.live.empty() && random.chance(0.45)) {
                free(random.below(s_.live.size()));
            } else {
                allocate(static_cast<std::uint32_t>(random.below(site_count)), 1 + random.below(1000));
            }
        }
    }

    [[nodiscard]] snapshot take() {
        snapshot out = s_;
        out.info.taken_ns = now_++;
        return out;
    }

    snapshot s_;

private:
    std::uint64_t now_{1};
    std::uint64_t sequence_{};
};

snapshot window(const snapshot& start, const snapshot& end) {
    auto out = window_between(start, end);
    REQUIRE(out);
    REQUIRE(validate(*out));
    return *out;
}

const site* find_site(const snapshot& s, std::uint32_t tag) {
    for (const site& each : s.sites) {
        if (each.tag == tag) { return &each; }
    }
    return nullptr;
}

}  // namespace

TEST_CASE("window: what was allocated, freed and is alive of it is exactly what happened in between") {
    const std::uint64_t seed = test_support::seed();
    INFO("seed " << seed);
    random_source random{seed};
    for (int round = 0; round < 50; ++round) {
        service one;
        one.churn(random, 200);
        const snapshot start = one.take();
        one.churn(random, static_cast<int>(random.below(100)));
        const snapshot end = one.take();
        const snapshot w = window(start, end);
        CHECK(w.info.window_ns == end.info.taken_ns - start.info.taken_ns);
        for (const live_record& each : w.live) { CHECK(each.birth_ns > start.info.taken_ns); }
        for (std::uint32_t i = 0; i < site_count; ++i) {
            const site empty;
            const site& row = find_site(w, i) != nullptr ? *find_site(w, i) : empty;
            const double allocated = end.sites[i].allocated.bytes - start.sites[i].allocated.bytes;
            const double freed = end.sites[i].freed.bytes - start.sites[i].freed.bytes;
            CHECK(row.allocated.bytes == allocated);
            CHECK(row.freed.bytes == freed);
            CHECK(row.allocated.bytes - row.freed.bytes == end.sites[i].live.bytes - start.sites[i].live.bytes);
            double alive = 0;
            for (const live_record& each : end.live) {
                if (each.site == i && each.birth_ns > start.info.taken_ns) { alive += static_cast<double>(each.size_bytes); }
            }
            CHECK(row.live.bytes == alive);
            CHECK(static_cast<double>(w.tags[i].allocated_bytes) == allocated);
            CHECK(static_cast<double>(w.tags[i].live_bytes()) == std::max(0.0, allocated - freed));
        }
    }
}

TEST_CASE("window: its start may be a summary without records") {
    const std::uint64_t seed = test_support::seed();
    INFO("seed " << seed);
    random_source random{seed};
    service one;
    one.churn(random, 200);
    snapshot start = one.take();
    one.churn(random, 100);
    const snapshot end = one.take();
    const snapshot with_records = window(start, end);
    start.live.clear();
    const snapshot without = window(start, end);
    REQUIRE(with_records.sites.size() == without.sites.size());
    for (std::size_t i = 0; i < without.sites.size(); ++i) {
        CHECK(with_records.sites[i].live == without.sites[i].live);
        CHECK(with_records.sites[i].allocated == without.sites[i].allocated);
    }
    CHECK(with_records.live.size() == without.live.size());
}

TEST_CASE("window: nothing happens between a snapshot and itself, whatever it holds") {
    const std::uint64_t seed = test_support::seed();
    INFO("seed " << seed);
    random_source random{seed};
    for (int round = 0; round < 20; ++round) {
        snapshot s = random_snapshot(random);
        for (live_record& each : s.live) { each.birth_ns = std::min(each.birth_ns, s.info.taken_ns); }
        const snapshot w = window(s, s);
        CHECK(w.sites.empty());
        CHECK(w.live.empty());
        CHECK(w.info.window_ns == 0);
        for (const tag_totals& tag : w.tags) { CHECK((tag.allocated_bytes == 0 && tag.frees == 0)); }
        for (const pool_totals& pool : w.pools) { CHECK((pool.acquires == 0 && pool.misuses == 0)); }
        for (const named_value& drop : w.drops) { CHECK(drop.value == 0); }
    }
}

TEST_CASE("window: a site that is new in it counts in full, and its records find their row") {
    service one;
    one.allocate(0, 10);
    const snapshot start = one.take();
    one.s_.frames.push_back({0, 0x2000, {}});
    one.s_.stacks.push_back({{static_cast<std::uint32_t>(one.s_.frames.size() - 1)}, false});
    one.s_.sites.emplace_back();
    one.s_.sites.back().stack = static_cast<std::uint32_t>(one.s_.stacks.size() - 1);
    one.s_.sites.back().type = "fresh";
    one.allocate(site_count - 1, 20);
    const auto row = static_cast<std::uint32_t>(one.s_.sites.size() - 1);
    one.s_.tags.push_back({"tag7", 0, 0, 0, 0});
    one.allocate(row, 30);
    const snapshot w = window(start, one.take());
    REQUIRE(w.sites.size() == 2);
    REQUIRE(w.live.size() == 2);
    CHECK(w.sites[w.live[1].site].type == "fresh");
    CHECK(w.sites[w.live[1].site].live.bytes == 30);
}

TEST_CASE("window: verdicts are those of its end, about the sites that are left in it") {
    service orders;
    orders.allocate(1, 10);
    const snapshot start = orders.take();
    orders.allocate(4, 10);
    snapshot end = orders.take();
    end.pools.emplace_back();
    for (const std::uint32_t site : {1U, 4U}) {
        end.verdicts.emplace_back();
        end.verdicts.back().index = site;
        end.verdicts.back().looks = site;
    }
    end.verdicts.emplace_back();
    end.verdicts.back().subject = verdict_subject::pool;
    const auto window = window_between(start, end);
    REQUIRE(window);
    REQUIRE(validate(*window));
    REQUIRE(window->verdicts.size() == 2);
    CHECK(window->verdicts[0].index == 0);
    CHECK(window->verdicts[0].looks == 4);
    CHECK(window->verdicts[1].subject == verdict_subject::pool);
}

TEST_CASE("window: of a pool the counters are the window's and the levels its end's; telemetry is left out") {
    service one;
    one.s_.pools.push_back({"conn", "", 8, 16, 3, 5, 100, 90, 2, 1});
    one.s_.drops.push_back({"ring_full", 3});
    one.s_.hand_offs.push_back({"a", "b", 1, 2, {}});
    const snapshot start = one.take();
    one.s_.pools[0] = {"conn", "", 8, 32, 7, 9, 150, 130, 4, 1};
    one.s_.drops[0].value = 10;
    const snapshot w = window(start, one.take());
    CHECK(w.pools[0].capacity == 32);
    CHECK(w.pools[0].in_use == 7);
    CHECK(w.pools[0].acquires == 50);
    CHECK(w.pools[0].hits == 40);
    CHECK(w.pools[0].acquire_failures == 2);
    CHECK(w.pools[0].misuses == 0);
    CHECK(w.drops[0].value == 7);
    CHECK(w.hand_offs.empty());
}

TEST_CASE("window: another session and a start after the end are refused") {
    service one;
    const snapshot start = one.take();
    snapshot end = one.take();
    CHECK(window_between(end, start).error().code == error_code::invalid_argument);
    end.info.session = "0000";
    CHECK(window_between(start, end).error().code == error_code::unavailable);
    end = one.take();
    end.sites[0].stack = 999;
    CHECK(window_between(start, end).error().code == error_code::invalid_argument);
}

TEST_CASE("born_since: keeps what the window from that moment keeps, and sites count just that") {
    random_source random(test_support::seed());
    service one;
    one.churn(random, 300);
    const snapshot start = one.take();
    one.churn(random, 300);
    const snapshot end = one.take();
    const auto cut = born_since(end, start.info.taken_ns);
    REQUIRE(cut);
    CHECK(validate(*cut));
    const snapshot w = window(start, end);
    REQUIRE(cut->live.size() == w.live.size());
    double of_sites = 0;
    double of_records = 0;
    for (std::size_t i = 0; i < w.live.size(); ++i) {
        CHECK(cut->live[i].sequence == w.live[i].sequence);
        CHECK(cut->live[i].birth_ns > start.info.taken_ns);
        of_records += static_cast<double>(cut->live[i].size_bytes);
    }
    for (const site& each : cut->sites) { of_sites += each.live.bytes; }
    CHECK(of_sites == of_records);
    CHECK(cut->info.window_ns == end.info.taken_ns - start.info.taken_ns);
}

TEST_CASE("born_since: no mark, a mark after the snapshot and a summary are refused") {
    service one;
    one.allocate(0, 10);
    snapshot s = one.take();
    CHECK(born_since(s, 0).error().code == error_code::invalid_argument);
    CHECK(born_since(s, s.info.taken_ns + 1).error().code == error_code::invalid_argument);
    s.live.clear();
    CHECK(born_since(s, 1).error().code == error_code::invalid_argument);
}
