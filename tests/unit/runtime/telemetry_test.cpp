// SPDX-License-Identifier: Apache-2.0
// Lifecycle telemetry through the public doors: a session, threads, tracked memory.
#include <pthread.h>
#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include <memwatch/memwatch.hpp>
#include <memwatch/snapshot/codec.hpp>
#include "runtime/process_state.hpp"
#include "support/fake_clock.hpp"

using namespace memwatch;
using test_support::fake_clock;
using test_support::second;

namespace {

session start_full() {
    options wanted;
    wanted.preset = preset_option::full;
    wanted.clock = &fake_clock::now;
    return session::start(wanted);
}

void name_this_thread(const char* name) { pthread_setname_np(pthread_self(), name); }

using block_list = std::vector<int, tracked_allocator<int>>;

std::uint64_t activity_of(const snapshot& s, const std::string& name) {
    for (const named_value& each : s.activity) {
        if (each.name == name) { return each.value; }
    }
    return 0;
}

const hand_off* find_pair(const snapshot& s, const std::string& from, const std::string& to) {
    const auto at = std::find_if(s.hand_offs.begin(), s.hand_offs.end(),
                                 [&](const hand_off& pair) { return pair.from == from && pair.to == to; });
    return at == s.hand_offs.end() ? nullptr : &*at;
}

}  // namespace

TEST_CASE("telemetry: what one thread makes and another frees is a hand-off between their names", "[runtime]") {
    const session running = start_full();
    std::vector<block_list> handed;
    std::thread([&] {
        name_this_thread("maker");
        for (int i = 0; i < 40; ++i) { handed.emplace_back(100, 0, tracked_allocator<int>{tag("hand-off")}); }
    }).join();
    std::thread([&] {
        name_this_thread("breaker");
        handed.clear();
    }).join();
    const snapshot s = *running.summary();
    REQUIRE(validate(s).has_value());
    const hand_off* const pair = find_pair(s, "maker", "breaker");
    REQUIRE(pair != nullptr);
    CHECK(pair->freed.samples == 40);
    CHECK(pair->freed.bytes == 40 * 400);
    CHECK(pair->from_tid != pair->to_tid);
}

TEST_CASE("telemetry: survivors, short lives and lifetimes are in snapshots, and the codec keeps them", "[runtime]") {
    const session running = start_full();
    const tag owner("survivors");
    const std::uint64_t events_before = activity_of(*running.summary(), "lifecycle_events");
    fake_clock::advance(10 * second);
    std::vector<block_list> kept;
    for (int i = 0; i < 10; ++i) { kept.emplace_back(100, 0, tracked_allocator<int>{owner}); }
    for (int i = 0; i < 30; ++i) { const block_list brief(50, 0, tracked_allocator<int>{owner}); }
    fake_clock::advance(20 * second);
    kept.resize(7);
    const snapshot s = *running.snapshot();
    REQUIRE(validate(s).has_value());
    double survived = 0;
    double ended = 0;
    double short_lived = 0;
    for (const survival& row : s.survivals) {
        if (s.tags[s.sites[row.site].tag].name != "survivors") { continue; }
        survived += row.survived.objects;
        ended += row.ended.objects;
        short_lived += row.short_lived.objects;
    }
    CHECK(survived == 10);
    CHECK(ended == 3);
    CHECK(short_lived == 30);
    CHECK(activity_of(s, "lifecycle_events") - events_before >= 73);
    CHECK(activity_of(s, "lifetime_p99_ns") > 0);
    const auto decoded = decode(*encode(s, dump_format::memtrace));
    REQUIRE(decoded.has_value());
    CHECK(decoded->value.survivals.size() == s.survivals.size());
    CHECK(decoded->value.hand_offs.size() == s.hand_offs.size());
}

TEST_CASE("telemetry: the worker empties the ring without being asked, and loses nothing at its pace", "[runtime]") {
    const session running = start_full();
    live_state* const live = process().live.load();
    REQUIRE(live != nullptr);
    const std::uint64_t lost_before = process().capture.losses.of(drop_reason::telemetry_ring_full);
    for (int round = 0; round < 8; ++round) {  // four rings' worth
        for (int i = 0; i < 2000; ++i) { const block_list brief(10, 0, tracked_allocator<int>{tag("worker")}); }
        while (live->waiting_lifecycle_events() != 0) { std::this_thread::yield(); }
    }
    CHECK(process().capture.losses.of(drop_reason::telemetry_ring_full) == lost_before);
}

TEST_CASE("threads: a name given after the first sample counts, alive or ended", "[runtime]") {
    const session running = start_full();
    block_list ended_block;
    std::thread([&] {
        ended_block = block_list(10, 0, tracked_allocator<int>{tag("named")});
        name_this_thread("late-and-gone");
    }).join();
    block_list block(10, 0, tracked_allocator<int>{tag("named")});
    char before[16];
    pthread_getname_np(pthread_self(), before, sizeof before);
    name_this_thread("late-and-alive");
    const snapshot s = *running.snapshot();
    name_this_thread(before);
    const auto has_thread = [&](const char* name) {
        return std::any_of(s.threads.begin(), s.threads.end(), [&](const thread_info& t) { return t.name == name; });
    };
    CHECK(has_thread("late-and-gone"));
    CHECK(has_thread("late-and-alive"));
}
