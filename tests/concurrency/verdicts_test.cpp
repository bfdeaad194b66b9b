// SPDX-License-Identifier: Apache-2.0
// Looks beside threads that allocate, free, hand off and trace, while presets change, snapshots are taken and forks happen: a
// look sees each block whole or not at all, and when all is quiet it sees what a snapshot sees.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <memwatch/memwatch.hpp>
#include "runtime/process_state.hpp"

using namespace memwatch;

namespace {

#if defined(__SANITIZE_THREAD__)
constexpr int rounds = 20;
#else
constexpr int rounds = 100;
#endif
constexpr int workers = 4;

using block = std::vector<char, tracked_allocator<char>>;

block make(tag owner, std::size_t bytes) { return block(bytes, 0, tracked_allocator<char>{owner}); }

memwatch::session start() {
    options wanted;
    wanted.epoch_ns = 10'000'000;
    wanted.interval_bytes = 4096;
    wanted.target_samples_per_second = 0;
    wanted.target_overhead_permille = 0;
    wanted.verdicts = verdicts_option::on;
    return session::start(wanted);
}

// Churns, keeps one in a hundred, and traces each piece of work.
void work(std::atomic<bool>& must_stop, std::vector<block>& kept) {
    const tag passing("passing");
    const tag staying("staying");
    std::vector<block> recent;
    for (std::size_t i = 0; !must_stop; ++i) {
        const trace_scope request("request");
        recent.push_back(make(passing, 100 + i % 3000));
        if (recent.size() > 50) { recent.erase(recent.begin()); }
        if (i % 100 == 0 && kept.size() < 20'000) { kept.push_back(make(staying, 500)); }
    }
}

void count_call(const verdict&, const snapshot&, void* context) noexcept { ++*static_cast<std::atomic<int>*>(context); }

}  // namespace

TEST_CASE("verdicts: looks beside churning threads, steering, snapshots and forks", "[concurrency]") {
    auto session = start();
    static std::atomic<int> calls{0};
    session.on_verdict(&count_call, &calls);
    std::atomic<bool> must_stop{false};
    std::vector<std::vector<block>> kept(workers);
    std::vector<std::thread> threads;
    const std::uint64_t traces_before = process().capture.tags.completed_traces();
    for (auto& list : kept) {
        threads.emplace_back([&] { work(must_stop, list); });
    }
    std::thread looker([&] {
        while (!must_stop) { process().verdicts.look_now(process()); }
    });
    for (int i = 0; i < rounds; ++i) {
        const snapshot s = *session.snapshot();
        REQUIRE(validate(s).has_value());
        if (i % 10 == 3) { REQUIRE(session.pause().has_value()); }
        if (i % 10 == 5) { REQUIRE(session.resume().has_value()); }
        if (i % 20 == 17) { REQUIRE(session.set_preset(i % 40 == 17 ? preset_option::full : preset_option::on).has_value()); }
        session.on_verdict(i % 2 == 0 ? &count_call : nullptr, &calls);
#if !defined(__SANITIZE_THREAD__)  // its own locks do not survive a fork
        if (i % 25 == 7) {
            const pid_t child = fork();
            if (child == 0) {
                process().verdicts.look_now(process());
                _exit(session.snapshot().has_value() ? 0 : 1);
            }
            int status = 0;
            REQUIRE(waitpid(child, &status, 0) == child);
            CHECK(status == 0);
        }
#endif
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    must_stop = true;
    looker.join();
    for (std::thread& each : threads) { each.join(); }

    CHECK(process().capture.tags.completed_traces() > traces_before);
    // Since the last change of preset, with which the history began anew, the threads may have kept nothing more.
    std::vector<block> late;
    snapshot quiet;
    for (int looks = 0; looks < 200 && quiet.verdicts.empty(); ++looks) {
        for (int i = 0; i < 100; ++i) { late.push_back(make(tag("late"), 500)); }
        std::this_thread::sleep_for(std::chrono::milliseconds(10));  // an epoch
        process().verdicts.look_now(process());
        quiet = *session.snapshot();
        REQUIRE(validate(quiet).has_value());
    }
    REQUIRE_FALSE(quiet.verdicts.empty());
    for (const verdict& each : quiet.verdicts) {
        if (each.subject != verdict_subject::site) { continue; }
        const site& of = quiet.sites[each.index];
        CHECK(each.retained_objects <= of.live.objects * 1.001 + 0.001);
        CHECK(each.retained_bytes <= of.live.bytes * 1.001 + 0.001);
    }
    session.on_verdict(nullptr);
}

TEST_CASE("verdicts: sessions that come and go meet a worker that looks", "[concurrency]") {
    std::atomic<bool> must_stop{false};
    std::vector<block> kept;
    std::thread churn([&] { work(must_stop, kept); });
    for (int i = 0; i < rounds / 2; ++i) {
        auto session = start();
        std::this_thread::sleep_for(std::chrono::milliseconds(i % 5));
        auto joined = start();
        process().verdicts.look_now(process());
        CHECK(session.summary().has_value());
    }
    must_stop = true;
    churn.join();
}
