// SPDX-License-Identifier: Apache-2.0
// What a sample costs, and what freezing costs those who allocate meanwhile.
//
//   sample_bench             a sampled pair in ns, by unwinder; freeze of 100,000 live samples while 2 threads churn: its time,
//   and
//                            the longest operation of the churning threads by percentile, with and without freezing
// Budgets (issue 2): freeze < 50 ms, p99.9 of an operation < 1 ms. Exits 1 beyond a budget.
#include <atomic>
#include <cstdio>
#include <thread>
#include <vector>

#include <memwatch/memwatch.hpp>
#include "bench/interleaved.hpp"

namespace {

using memwatch::tracked_allocator;

struct block {
    char bytes[64];
};

memwatch::session start(memwatch::unwinder_option unwinder) {
    memwatch::options wanted;
    wanted.preset = memwatch::preset_option::full;
    wanted.unwinder = unwinder;
    return memwatch::session::start(wanted);
}

// Twenty frames above the allocation, as in a service.
[[gnu::noinline]] void at_depth(int depth, tracked_allocator<block>& allocator) {
    if (depth > 0) {
        at_depth(depth - 1, allocator);
        asm volatile("" ::: "memory");  // no tail call
        return;
    }
    block* const one = allocator.allocate(1);
    asm volatile("" : : "g"(one) : "memory");
    allocator.deallocate(one, 1);
}

void print_sampled_pair(const char* name, memwatch::unwinder_option unwinder) {
    const memwatch::session session = start(unwinder);
    tracked_allocator<block> allocator{memwatch::tag{"sampled"}};
    std::vector<double> rounds;
    for (int i = 0; i < 50; ++i) {
        rounds.push_back(bench::nanoseconds_per(1000, [&](std::size_t n) {
            for (std::size_t j = 0; j < n; ++j) { at_depth(20, allocator); }
        }));
    }
    const bench::summary s = bench::summarize(rounds);
    std::printf("sampled alloc + free at depth 20, %-13s %7.0f ns [%.0f .. %.0f]\n", name, s.median, s.low, s.high);
}

std::uint64_t now_ns() { return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count()); }

// Durations of single operations, in powers of two of nanoseconds.
struct histogram {
    std::uint64_t counts[64]{};
    void add(std::uint64_t ns) { ++counts[ns == 0 ? 0 : 63 - __builtin_clzll(ns)]; }
    void add(const histogram& other) {
        for (int i = 0; i < 64; ++i) { counts[i] += other.counts[i]; }
    }
    [[nodiscard]] double upper_bound_at(double quantile) const {
        std::uint64_t total = 0;
        for (const std::uint64_t c : counts) { total += c; }
        std::uint64_t seen = 0;
        for (int i = 0; i < 64; ++i) {
            seen += counts[i];
            if (static_cast<double>(seen) >= quantile * static_cast<double>(total)) { return static_cast<double>(2ULL << i); }
        }
        return 0;
    }
};

struct churn_result {
    histogram operations;
    std::vector<double> freeze_ms;
    std::size_t live_samples{};
};

// Two threads allocate and free, every block a sample, among 100,000 that stay; with `freezes`, a third takes snapshots.
churn_result churn(memwatch::session& session, int freezes) {
    churn_result result;
    std::atomic<bool> is_over{false};
    std::vector<histogram> per_thread(2);
    std::vector<std::thread> threads;
    for (histogram& mine : per_thread) {
        threads.emplace_back([&] {
            tracked_allocator<block> allocator{memwatch::tag{"churn"}};
            while (!is_over) {
                const std::uint64_t before = now_ns();
                allocator.deallocate(allocator.allocate(1), 1);
                mine.add(now_ns() - before);
            }
        });
    }
    if (freezes == 0) { std::this_thread::sleep_for(std::chrono::seconds(2)); }
    for (int i = 0; i < freezes; ++i) {
        const std::uint64_t before = now_ns();
        const auto frozen = session.snapshot();
        result.freeze_ms.push_back(static_cast<double>(now_ns() - before) * 1e-6);
        result.live_samples = frozen->live.size();
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    is_over = true;
    for (std::thread& t : threads) { t.join(); }
    for (const histogram& mine : per_thread) { result.operations.add(mine); }
    return result;
}

void print_operations(const char* name, const churn_result& r) {
    std::printf("  an operation, %-18s p50 <= %.2f us   p99 <= %.2f us   p99.9 <= %.2f us   p99.99 <= %.2f us\n", name,
                r.operations.upper_bound_at(0.5) * 1e-3, r.operations.upper_bound_at(0.99) * 1e-3,
                r.operations.upper_bound_at(0.999) * 1e-3, r.operations.upper_bound_at(0.9999) * 1e-3);
}

}  // namespace

int main() {
    print_sampled_pair("frame pointers", memwatch::unwinder_option::frame_pointer);
    print_sampled_pair("rules", memwatch::unwinder_option::automatic);
    print_sampled_pair("DWARF", memwatch::unwinder_option::dwarf);

    memwatch::session session = start(memwatch::unwinder_option::automatic);
    memwatch::tracking_resource resource{memwatch::tag{"kept"}};  // not at page edges: those have a limit of their own
    std::vector<void*> kept;
    for (int i = 0; i < 100'000; ++i) { kept.push_back(resource.allocate(sizeof(block))); }
    const churn_result alone = churn(session, 0);
    const churn_result frozen = churn(session, 40);
    const bench::summary freeze = bench::summarize(frozen.freeze_ms);
    std::printf("freeze of %zu live samples, 2 threads churning: %.1f ms [%.1f .. %.1f]\n", frozen.live_samples, freeze.median,
                freeze.low, freeze.high);
    print_operations("nobody freezing", alone);
    print_operations("freezing", frozen);
    for (void* const one : kept) { resource.deallocate(one, sizeof(block)); }
    const bool is_within = freeze.median < 50 && frozen.operations.upper_bound_at(0.999) < 1e6;
    std::printf("%s\n", is_within ? "within budget" : "OVER BUDGET (50 ms, p99.9 1 ms)");
    return is_within ? 0 : 1;
}
