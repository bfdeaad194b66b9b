// SPDX-License-Identifier: Apache-2.0
// Laws that must hold whatever the threads do. Each test checks its total after joining; TSan watches the way there.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <memwatch/memwatch.hpp>
#include "support/full_session.hpp"

using namespace memwatch;

namespace {

#if defined(__SANITIZE_THREAD__)
constexpr int scale = 10;  // ten times less work: TSan is some ten times slower
#else
constexpr int scale = 1;
#endif

struct item {
    char payload[200];
};

template <class Type>
class queue {
public:
    void push(Type value) {
        const std::lock_guard guard(mutex_);
        values_.push_back(std::move(value));
        ready_.notify_one();
    }
    Type pop() {
        std::unique_lock lock(mutex_);
        ready_.wait(lock, [&] { return !values_.empty(); });
        Type value = std::move(values_.front());
        values_.pop_front();
        return value;
    }

private:
    std::mutex mutex_;
    std::condition_variable ready_;
    std::deque<Type> values_;
};

}  // namespace

TEST_CASE("handoff: a million blocks freed by other threads leave nothing, and what is kept names who allocated it",
          "[concurrency]") {
    constexpr int pairs = 4;                     // 8 threads
    constexpr int handoffs = 1'000'000 / pairs;  // under TSan too
    const tag owner{"handoff"};
    const test_support::session_with session(preset_option::on, 4096);  // R = 4 KiB: every twentieth block a sample
    tracked_allocator<item> allocator{owner};
    std::mutex kept_mutex;
    std::vector<item*> kept;
    std::vector<std::thread> threads;
    std::vector<queue<item*>> queues(pairs);
    for (int p = 0; p < pairs; ++p) {
        threads.emplace_back([&, p] {
            for (int i = 0; i < handoffs; ++i) {
                const trace_scope scope(trace_id{static_cast<std::uint64_t>(p) + 1, static_cast<std::uint64_t>(i) + 1},
                                        "/producer");
                queues[static_cast<std::size_t>(p)].push(allocator.allocate(1));
            }
            queues[static_cast<std::size_t>(p)].push(nullptr);
        });
        threads.emplace_back([&, p] {
            const trace_scope scope("consumer", "/consumer");
            int seen = 0;
            while (item* const received = queues[static_cast<std::size_t>(p)].pop()) {
                if (++seen % 1000 == 0) {
                    const std::lock_guard guard(kept_mutex);
                    kept.push_back(received);
                } else {
                    allocator.deallocate(received, 1);
                }
            }
        });
    }
    for (std::thread& t : threads) { t.join(); }

    CHECK(owner.totals().allocations == std::uint64_t{pairs} * handoffs);
    CHECK(owner.totals().live_objects() == kept.size());
    CHECK(owner.totals().live_bytes() == kept.size() * sizeof(item));
    const auto frozen = session.get().snapshot();
    REQUIRE(frozen.has_value());
    for (const live_record& r : frozen->live) {
        if (frozen->sites[r.site].tag != owner.id()) { continue; }
        REQUIRE(frozen->routes[r.route] == "/producer");
        REQUIRE(r.trace.high >= 1);
        REQUIRE(r.trace.high <= pairs);
    }
    sampled_totals freed_elsewhere;
    sampled_totals freed;
    for (const site& s : frozen->sites) {
        if (s.tag != owner.id()) { continue; }
        freed.add(s.freed);
        freed_elsewhere.add(s.freed_by_other_thread);
    }
    CHECK(freed.samples > 1000);
    CHECK(freed_elsewhere.samples == freed.samples);
    for (item* const rest : kept) { allocator.deallocate(rest, 1); }
    CHECK(owner.totals().live_bytes() == 0);
    CHECK(session.live_records(owner) == 0);
}

TEST_CASE("freeze: while threads churn, no snapshot shows more freed than allocated or breaks a sum", "[concurrency]") {
    const tag owner{"churn"};
    const test_support::session_with session(preset_option::full);
    std::atomic<bool> is_over{false};
    std::vector<std::thread> churners;
    for (int t = 0; t < 3; ++t) {
        churners.emplace_back([&, t] {
            std::vector<std::vector<int, tracked_allocator<int>>> held;
            const trace_scope scope("churn", "/churn/" + std::to_string(t));
            while (!is_over) {
                held.emplace_back(static_cast<std::size_t>(1 + held.size() % 50), tracked_allocator<int>{owner});
                if (held.size() > 500) { held.clear(); }
            }
        });
    }
    const int freezes = 300 / scale;
    for (int i = 0; i < freezes; ++i) {
        const auto s = session.get().snapshot();
        REQUIRE(s.has_value());
        REQUIRE(validate(*s).has_value());
        const tag_totals& totals = s->tags[owner.id()];
        REQUIRE(totals.freed_bytes <= totals.allocated_bytes);
        REQUIRE(totals.frees <= totals.allocations);
        std::vector<sampled_totals> sums(s->sites.size());
        for (const live_record& r : s->live) { sums[r.site].add(r.size_bytes, r.interval_bytes); }
        for (std::size_t j = 0; j < sums.size(); ++j) { REQUIRE(sums[j].bytes == s->sites[j].live.bytes); }
        const auto summary = session.get().summary();
        REQUIRE(summary.has_value());
    }
    is_over = true;
    for (std::thread& t : churners) { t.join(); }
    CHECK(owner.totals().live_bytes() == 0);
    CHECK(session.live_records(owner) == 0);
}

TEST_CASE("freed is never ahead of allocated for a tag that is passed between threads", "[concurrency]") {
    const tag owner{"ping-pong"};
    std::atomic<bool> is_over{false};
    queue<int> there;
    std::thread producer([&] {
        while (!is_over) {
            detail::count_allocation(owner.id(), 64);
            there.push(1);
        }
        there.push(0);
    });
    std::thread consumer([&] {
        while (there.pop() == 1) { detail::count_free(owner.id(), 64); }
    });
    for (int i = 0; i < 20'000 / scale; ++i) {
        const tag_totals totals = owner.totals();
        REQUIRE(totals.freed_bytes <= totals.allocated_bytes);
        REQUIRE(totals.frees <= totals.allocations);
    }
    is_over = true;
    producer.join();
    consumer.join();
    CHECK(owner.totals().live_bytes() == 0);
}

TEST_CASE("thinning: threads that overfill the table lose no free and stay unbiased", "[concurrency]") {
    const tag owner{"overfill"};
    const test_support::session_with session(preset_option::full);
    constexpr int thread_count = 4;
    constexpr int blocks = 60'000;  // 240,000 over 114,688 places
    std::vector<std::vector<char*>> held(thread_count);
    const auto on_each_thread = [&](auto work) {
        std::vector<std::thread> threads;
        for (int t = 0; t < thread_count; ++t) {
            threads.emplace_back([&, t] { work(t); });
        }
        for (std::thread& t : threads) { t.join(); }
    };
    tracked_allocator<char> allocator{owner};
    on_each_thread([&](int t) {
        for (int i = 0; i < blocks; ++i) { held[static_cast<std::size_t>(t)].push_back(allocator.allocate(32)); }
    });
    const auto frozen = session.get().snapshot();
    const sampled_totals estimate = live_totals(*frozen);
    const auto is_raised = [](const live_record& r) { return r.interval_bytes > 0; };
    CHECK(std::any_of(frozen->live.begin(), frozen->live.end(), is_raised));  // every block was asked for, R = 0
    // 4 standard errors: one false alarm in 15,800 runs.
    CHECK(std::abs(estimate.bytes - 32.0 * thread_count * blocks) <= 4 * estimate.bytes_standard_error());
    on_each_thread([&](int t) {  // freed by another thread than allocated it
        for (char* block : held[static_cast<std::size_t>((t + 1) % thread_count)]) { allocator.deallocate(block, 32); }
    });
    CHECK(session.live_records(owner) == 0);
    CHECK(owner.totals().live_bytes() == 0);
    CHECK(session.get().snapshot()->drops.at(0).value == 0);  // live_table_full
}

TEST_CASE("sessions: starting, stopping and freezing from many threads at once ends in order", "[concurrency]") {
    std::vector<std::thread> threads;
    std::atomic<int> failures{0};
    for (int t = 0; t < 6; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 50 / (scale > 1 ? 5 : 1); ++i) {
                const session mine = session::start();
                std::vector<int, tracked_allocator<int>> some(100, tracked_allocator<int>{tag{"restless"}});
                if (!mine.snapshot()) { ++failures; }
            }
        });
    }
    for (std::thread& t : threads) { t.join(); }
    CHECK(failures == 0);
    CHECK(tag{"restless"}.totals().live_bytes() == 0);
}
