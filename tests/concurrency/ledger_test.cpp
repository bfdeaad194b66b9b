// SPDX-License-Identifier: Apache-2.0
// Full mode's ledger, called as the malloc door calls it, from many threads: what was born and not freed is there, to the
// block.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <memwatch/memwatch.hpp>
#include "capture/exact_sink.hpp"
#include "support/full_session.hpp"

using namespace memwatch;

namespace {

#if defined(__SANITIZE_THREAD__)
constexpr std::size_t scale = 10;
#else
constexpr std::size_t scale = 1;
#endif

struct held {
    std::uint32_t index{};
    const void* block{};
};

// Addresses nobody else uses: thread `t`'s `i`-th block.
const void* address_of(std::size_t t, std::size_t i) { return reinterpret_cast<const void*>((t + 1) << 36U | i * 16); }

[[gnu::noinline]] held born(const void* block, std::size_t bytes) {
    auto* const frame = static_cast<std::uint64_t*>(__builtin_frame_address(0));
    const std::uint32_t index = exact_birth(block, bytes, frame + 1, frame[0]);
    asm volatile("" ::: "memory");  // no tail call: the frame stays
    return {index, block};
}

// One writer, one reader.
class pipe_of_blocks {
public:
    void push(const held& block) {
        const std::size_t at = written_.load(std::memory_order_relaxed);  // relaxed: its own
        // acquire: pairs with the release in pop().
        while (at - read_.load(std::memory_order_acquire) == size) { std::this_thread::yield(); }
        blocks_[at % size] = block;
        // release: pairs with the acquire in pop().
        written_.store(at + 1, std::memory_order_release);
    }
    held pop() {
        const std::size_t at = read_.load(std::memory_order_relaxed);  // relaxed: its own
        // acquire: pairs with the release in push().
        while (written_.load(std::memory_order_acquire) == at) { std::this_thread::yield(); }
        const held block = blocks_[at % size];
        // release: pairs with the acquire in push().
        read_.store(at + 1, std::memory_order_release);
        return block;
    }

private:
    static constexpr std::size_t size = 4096;
    std::vector<held> blocks_ = std::vector<held>(size);
    std::atomic<std::size_t> written_{0};
    std::atomic<std::size_t> read_{0};
};

struct sums {
    std::uint64_t allocated{}, freed{}, elsewhere{}, live{};
};

// Over all sites; what the doors of other tests recorded is sampled and not in here only if they left nothing.
sums sum_of(const snapshot& s) {
    sums all;
    for (const site& each : s.sites) {
        all.allocated += each.allocated.samples;
        all.freed += each.freed.samples;
        all.elsewhere += each.freed_by_other_thread.samples;
        all.live += each.live.samples;
    }
    return all;
}

std::uint64_t drop_of(const snapshot& s, const std::string& name) {
    for (const named_value& each : s.drops) {
        if (each.name == name) { return each.value; }
    }
    return 0;
}

template <class Work>
void on_threads(std::size_t count, const Work& work) {
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < count; ++t) {
        threads.emplace_back([&work, t] { work(t); });
    }
    for (std::thread& each : threads) { each.join(); }
}

// Keeps up to `most` blocks alive until told to stop; what it could not record is not counted.
class churner {
public:
    void run(std::size_t t, const std::atomic<bool>& is_over, std::size_t most) {
        std::vector<held> alive;
        std::uint64_t random = t + 1;
        std::size_t next = 0;
        // relaxed: a flag; the join orders the rest.
        while (!is_over.load(std::memory_order_relaxed)) {
            random = random * 6364136223846793005U + 1;
            if (alive.size() < most && (random >> 60U) < 9) {
                const held fresh = born(address_of(t, next++), 16 + (random >> 56U));
                if (fresh.index != 0) { alive.push_back(fresh); }
            } else if (!alive.empty()) {
                std::swap(alive[(random >> 33U) % alive.size()], alive.back());
                exact_death(alive.back().index, alive.back().block);
                alive.pop_back();
            }
        }
        for (const held& each : alive) { exact_death(each.index, each.block); }
    }
};

}  // namespace

TEST_CASE("ledger: a million blocks freed by other threads leave nothing", "[concurrency]") {
    constexpr std::size_t pairs = 4;
    constexpr std::size_t handoffs = 1'000'000 / pairs;  // under TSan too
    const test_support::session_with session(preset_option::full);
    const sums before = sum_of(*session.get().snapshot());
    std::vector<pipe_of_blocks> pipes(pairs);
    on_threads(2 * pairs, [&](std::size_t t) {
        pipe_of_blocks& pipe = pipes[t / 2];
        for (std::size_t i = 0; i < handoffs; ++i) {
            if (t % 2 == 0) {
                pipe.push(born(address_of(t, i), 32));
            } else {
                const held block = pipe.pop();
                exact_death(block.index, block.block);
            }
        }
    });
    const auto s = session.get().snapshot();
    const sums after = sum_of(*s);
    CHECK(after.allocated - before.allocated == pairs * handoffs);
    CHECK(after.freed - before.freed == pairs * handoffs);
    CHECK(after.elsewhere - before.elsewhere == pairs * handoffs);
    CHECK(after.live == 0);
    CHECK(s->live.empty());
    CHECK(s->info.exact_until_ns == 0);
}

TEST_CASE("ledger: while threads churn, snapshots are sound, counters only grow, and no block is seen twice", "[concurrency]") {
    const test_support::session_with session(preset_option::full);
    std::atomic<bool> is_over{false};
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < 3; ++t) {
        threads.emplace_back([&, t] { churner().run(t, is_over, 500); });
    }
    std::map<std::pair<std::uint32_t, std::string>, std::pair<std::uint64_t, std::uint64_t>> last;
    for (std::size_t i = 0; i < 200 / scale; ++i) {
        const auto s = session.get().snapshot();
        REQUIRE(s.has_value());
        REQUIRE(validate(*s).has_value());  // sequences are unique among it
        std::vector<sampled_totals> alive(s->sites.size());
        for (const live_record& r : s->live) {
            REQUIRE(r.size_bytes >= 16);
            REQUIRE(r.size_bytes < 16 + 256);
            alive[r.site].add(r.size_bytes, r.interval_bytes);
        }
        for (std::size_t j = 0; j < s->sites.size(); ++j) {
            const site& each = s->sites[j];
            REQUIRE(alive[j] == each.live);
            REQUIRE(each.freed.samples + each.live.samples <= each.allocated.samples);
            auto& [allocated, freed] = last[{each.stack, each.type}];
            REQUIRE(each.allocated.samples >= allocated);
            REQUIRE(each.freed.samples >= freed);
            allocated = each.allocated.samples;
            freed = each.freed.samples;
        }
        const auto summary = session.get().summary();
        REQUIRE(summary.has_value());
    }
    is_over = true;
    for (std::thread& each : threads) { each.join(); }
    CHECK(session.get().snapshot()->live.empty());
}

TEST_CASE("ledger: leaving and entering full mode while threads churn loses nothing unsaid", "[concurrency]") {
    test_support::session_with session(preset_option::full);
    const auto first = session.get().snapshot();
    std::atomic<bool> is_over{false};
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < 3; ++t) {
        threads.emplace_back([&, t] { churner().run(t, is_over, 200); });
    }
    while (session.get().snapshot()->live.empty()) { std::this_thread::yield(); }  // they have begun
    for (std::size_t i = 0; i < 100 / scale; ++i) {
        REQUIRE(session.get().set_preset(preset_option::on).has_value());
        REQUIRE(session.get().summary().has_value());
        REQUIRE(session.get().set_preset(preset_option::full).has_value());
        REQUIRE(validate(*session.get().snapshot()).has_value());
    }
    is_over = true;
    for (std::thread& each : threads) { each.join(); }
    const auto s = session.get().snapshot();
    CHECK(s->live.empty());
    const sums before = sum_of(*first);
    const sums after = sum_of(*s);
    const std::uint64_t abandoned = drop_of(*s, "ledger_abandoned") - drop_of(*first, "ledger_abandoned");
    CHECK(abandoned > 0);
    CHECK(after.allocated - before.allocated == after.freed - before.freed + abandoned);
}

TEST_CASE("ledger: more threads than lanes share one, and nothing is lost", "[concurrency]") {
    const test_support::session_with session(preset_option::full);
    const sums before = sum_of(*session.get().snapshot());
    constexpr std::size_t blocks = 2000 / scale;
    std::atomic<std::size_t> arrived{0};
    constexpr std::size_t count = 48;
    on_threads(count, [&](std::size_t t) {
        std::vector<held> mine;
        for (std::size_t i = 0; i < blocks; ++i) { mine.push_back(born(address_of(t, i), 64)); }
        ++arrived;
        while (arrived < count) { std::this_thread::yield(); }  // all at once: 33 lanes are not enough
        for (const held& each : mine) { exact_death(each.index, each.block); }
    });
    const auto s = session.get().snapshot();
    const sums after = sum_of(*s);
    CHECK(after.allocated - before.allocated == count * blocks);
    CHECK(after.freed - before.freed == count * blocks);
    CHECK(s->live.empty());
}

#if !defined(__SANITIZE_THREAD__)  // which does not follow a fork of several threads
TEST_CASE("ledger: a child forked out of churning threads owns what it inherited and goes on", "[concurrency]") {
    const test_support::session_with session(preset_option::full);
    std::atomic<bool> is_over{false};
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < 3; ++t) {
        threads.emplace_back([&, t] { churner().run(t, is_over, 300); });
    }
    constexpr std::size_t mine_bytes = 4711;  // churning threads have smaller ones
    std::vector<held> mine;
    for (std::size_t i = 0; i < 1000; ++i) { mine.push_back(born(address_of(9, i), mine_bytes)); }
    for (int i = 0; i < 20; ++i) {
        const pid_t child = fork();
        if (child == 0) {
            for (const held& each : mine) { exact_death(each.index, each.block); }
            const auto inherited = session.get().snapshot();
            for (const live_record& r : inherited->live) {
                if (r.size_bytes == mine_bytes) { _exit(1); }
            }
            std::vector<held> fresh;
            for (std::size_t j = 0; j < 5000; ++j) { fresh.push_back(born(address_of(10, j), 24)); }
            const auto s = session.get().snapshot();
            if (!s || !validate(*s)) { _exit(2); }
            std::size_t here = 0;
            for (const live_record& r : s->live) { here += r.size_bytes == 24 ? 1 : 0; }
            if (here < fresh.size()) { _exit(3); }
            for (const held& each : fresh) {
                if (each.index == 0) { _exit(4); }
                exact_death(each.index, each.block);
            }
            _exit(0);
        }
        int status = 0;
        REQUIRE(waitpid(child, &status, 0) == child);
        REQUIRE(WIFEXITED(status));
        REQUIRE(WEXITSTATUS(status) == 0);
    }
    is_over = true;
    for (std::thread& each : threads) { each.join(); }
    for (const held& each : mine) { exact_death(each.index, each.block); }
    CHECK(session.get().snapshot()->live.empty());
}
#endif
