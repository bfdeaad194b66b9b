// SPDX-License-Identifier: Apache-2.0
#pragma once
// The snapshot of a large service, for benches: 10 k sites with stacks of 8 to 40 frames, two dozen cohorts each, 200 k random
// trace ids, as many records as asked for. The same in every run.

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <memwatch/model/snapshot.hpp>

namespace memwatch_bench {

using namespace memwatch;

inline constexpr std::uint64_t seed = 20261101;
inline constexpr std::uint64_t interval = 64 << 10;
inline constexpr std::size_t frame_count = 40'000;
inline constexpr std::size_t site_count = 10'000;
inline constexpr std::size_t trace_count = 200'000;

// Modules, stacks of 8 to 40 frames, tags, routes and threads of a large service.
inline void add_tables(snapshot& s, std::mt19937_64& random) {
    const auto below = [&](std::uint64_t bound) { return random() % bound; };
    s.info = {"bench",   "orders",
              "host-1",  "/opt/orders/bin/orders",
              "0.1.0",   "0123456789abcdef0123456789abcdef",
              4711,      1'700'000'000'000'000'000,
              0,         10'000'000'000,
              0,         interval,
              3ULL << 30};
    for (int i = 0; i < 40; ++i) {
        s.modules.push_back({"/usr/lib/x86_64-linux-gnu/lib" + std::to_string(i) + ".so", "00c0ffee" + std::to_string(1000 + i),
                             0x7f0000000000 + 0x1000000ULL * static_cast<std::uint64_t>(i), 0x7f0000800000, 0x1000});
    }
    for (std::size_t i = 0; i < frame_count; ++i) {
        s.frames.push_back({static_cast<std::uint32_t>(below(40)), below(8 << 20), {}});
    }
    for (std::size_t i = 0; i < site_count; ++i) {
        stack row;
        for (auto depth = 8 + below(32); depth > 0; --depth) {
            row.frames.push_back(static_cast<std::uint32_t>(below(frame_count)));
        }
        s.stacks.push_back(row);
    }
    for (int i = 0; i < 50; ++i) {
        s.tags.push_back({"component-" + std::to_string(i), 1ULL << 40, 1ULL << 30, 1ULL << 39, 1ULL << 29});
        s.routes.push_back(i == 0 ? "" : "/api/v2/resource-" + std::to_string(i));
    }
    for (int i = 0; i < 64; ++i) {
        s.threads.push_back({"worker-" + std::to_string(i), 5000ULL + static_cast<unsigned>(i), true});
    }
}

// Totals as sampling produces them: doubles with all their digits; two dozen cohorts a site.
inline void add_sites(snapshot& s, std::mt19937_64& random) {
    std::exponential_distribution<double> amount(1e-6);
    const auto totals = [&] {
        return sampled_totals{amount(random), amount(random), amount(random), amount(random), random() % 1000};
    };
    for (std::size_t i = 0; i < site_count; ++i) {
        site row;
        row.stack = static_cast<std::uint32_t>(i);
        row.tag = static_cast<std::uint32_t>(i % s.tags.size());
        row.type = i % 3 == 0 ? "" : "std::unordered_map<std::string, orders::item<" + std::to_string(i % 700) + "> >::node";
        row.allocated = totals();
        row.freed = totals();
        row.freed_by_other_thread = totals();
        for (std::uint64_t epoch = 0; epoch < 24; ++epoch) {
            row.cohorts.push_back({epoch, amount(random), amount(random), epoch == 0});
        }
        for (int bucket = 2; bucket < 9; ++bucket) { row.lifetimes.objects[bucket] = amount(random); }
        row.lifetimes.sum_seconds = amount(random);
        s.sites.push_back(row);
    }
}

struct population {
    std::mt19937_64 random{seed};
    std::vector<trace_id> traces;
    std::uint64_t sequence{};
    std::uint64_t now_ns{};

    population() {
        for (std::size_t i = 0; i < trace_count; ++i) { traces.push_back({random(), random()}); }
    }

    // A few large sites and many small ones; sizes follow the site; every 40th allocation is sampled, 25 us apart.
    live_record born() {
        live_record row;
        row.site = static_cast<std::uint32_t>(random() % (1 + random() % site_count));
        row.sequence = sequence += 1 + random() % 80;
        row.birth_ns = now_ns += random() % 50'000;
        row.size_bytes = (row.site % 5 == 0 ? 64 + random() % 4096 : 16ULL << row.site % 10);
        row.interval_bytes = interval;
        row.trace = random() % 5 == 0 ? trace_id{} : traces[random() % trace_count];
        row.route = static_cast<std::uint32_t>(random() % 50);
        row.thread = static_cast<std::uint32_t>(random() % 64);
        return row;
    }
};

inline void fill_live_totals(snapshot& s) {
    for (auto& row : s.sites) { row.live = {}; }
    for (const auto& row : s.live) { s.sites[row.site].live.add(row.size_bytes, row.interval_bytes); }
}

}  // namespace memwatch_bench
