// SPDX-License-Identifier: Apache-2.0
// A leak of small blocks at R = 1 MiB, epoch by epoch: a thousand 64-byte blocks an epoch are one sample in 16 epochs, and 25
// samples, which a verdict takes, are 410 epochs. The thread's draws have a fixed seed, so a failure is a defect.
#include <catch2/catch.hpp>

#include <cstdint>
#include <deque>
#include <vector>

#include <memwatch/memwatch.hpp>
#include "capture/own_work.hpp"
#include "runtime/process_state.hpp"
#include "support/fake_clock.hpp"

using namespace memwatch;
using test_support::fake_clock;
using test_support::second;

namespace {

struct alignas(8) small_block {
    char bytes[64];
};

struct program {
    explicit program(std::uint64_t escalation_bytes) : session(start(escalation_bytes)) {
        detail::this_thread.countdown = 0;
        detail::this_thread.random_state = 20261122;
    }
    ~program() {
        for (small_block* const block : kept) { leaking.deallocate(block, 1); }
        for (small_block* const block : serving) { healthy.deallocate(block, 1); }
        detail::own_work::draw_anew();  // the next test's blocks are not drawn for with this one's R
    }
    program(const program&) = delete;
    program& operator=(const program&) = delete;

    static memwatch::session start(std::uint64_t escalation_bytes) {
        options wanted;
        wanted.clock = &fake_clock::now;
        wanted.control = control_option::off;
        wanted.verdicts = verdicts_option::on;
        wanted.escalation_bytes = escalation_bytes;
        wanted.target_overhead_permille = 0;  // here an epoch takes microseconds
        wanted.target_samples_per_second = 0;
        return session::start(wanted);
    }

    [[gnu::noinline]] void subscribe() { kept.push_back(leaking.allocate(1)); }
    [[gnu::noinline]] void serve() {
        serving.push_back(healthy.allocate(1));
        if (serving.size() <= 300) { return; }
        healthy.deallocate(serving.front(), 1);
        serving.pop_front();
    }
    [[gnu::noinline]] void live_through_an_epoch() {
        for (int i = 0; i < 1000; ++i) {
            subscribe();
            serve();
            serve();
            fake_clock::advance(second / 100);
        }
        static_cast<void>(process().verdicts.turn(process()));
    }
    [[nodiscard]] verdict_class kind_of(const char* owner) const {
        const auto s = session.snapshot("now");
        REQUIRE(s);
        for (const verdict& each : s->verdicts) {
            const bool is_its = each.subject == verdict_subject::site && s->tags[s->sites[each.index].tag].name == owner;
            if (is_its && level_of(each.kind) != verdict_level::none) { return each.kind; }
        }
        return verdict_class::inconclusive;
    }

    memwatch::session session;
    tracked_allocator<small_block> leaking{tag("escalation/listeners")};
    tracked_allocator<small_block> healthy{tag("escalation/orders")};
    std::vector<small_block*> kept;
    std::deque<small_block*> serving;
};

constexpr int epochs = 200;  // 12.5 samples

}  // namespace

TEST_CASE("escalation: a leak far below R is judged long before it has 25 samples, and its neighbour is left alone",
          "[runtime]") {
    program host(4U << 20U);
    int first_escalated = 0;
    int accused = 0;
    int ended = 0;  // its pages, or its term
    int taken_back = 0;
    for (int i = 1; i <= epochs + 80; ++i) {
        host.live_through_an_epoch();
        const bool is_active = process().capture.escalation.is_active();
        const bool is_accused = host.kind_of("escalation/listeners") == verdict_class::leak_retained;
        if (first_escalated == 0 && is_active) { first_escalated = i; }
        if (accused == 0 && is_accused) { accused = i; }
        if (accused != 0 && ended == 0 && !is_active) { ended = i; }
        if (taken_back == 0 && accused != 0 && !is_accused) { taken_back = i; }
        REQUIRE(host.kind_of("escalation/orders") == verdict_class::inconclusive);
        REQUIRE(process().capture.escalation.waste_bytes() <= (4U << 20U) + escalation::page_bytes);
    }
    CAPTURE(first_escalated, accused, ended, taken_back);
    REQUIRE(first_escalated > 0);
    REQUIRE(accused > first_escalated);
    CHECK(accused - first_escalated <= 30);
    CHECK(ended > accused);
    CHECK(taken_back == 0);  // nothing that came later speaks against it
}

TEST_CASE("escalation: without it the same leak is not told by then", "[runtime]") {
    program host(0);
    for (int i = 1; i <= epochs / 2; ++i) { host.live_through_an_epoch(); }
    CHECK_FALSE(process().capture.escalation.is_active());
    CHECK(host.kind_of("escalation/listeners") == verdict_class::inconclusive);
}

TEST_CASE("escalation: what was born before full mode began is not taken for births in it", "[runtime]") {
    program host(4U << 20U);
    for (int i = 1; i <= epochs && !process().capture.escalation.is_active(); ++i) { host.live_through_an_epoch(); }
    for (int i = 0; i < 3; ++i) { host.live_through_an_epoch(); }
    REQUIRE(process().capture.escalation.is_active());
    REQUIRE(host.session.set_preset(preset_option::full));
    for (int i = 0; i < 12; ++i) { host.live_through_an_epoch(); }
    const snapshot s = *host.session.snapshot();
    int judged = 0;
    for (const verdict& each : s.verdicts) {
        if (each.subject != verdict_subject::site) { continue; }
        if (s.tags[s.sites[each.index].tag].name != "escalation/listeners") { continue; }
        CHECK(each.kind != verdict_class::bounded);  // nothing of it was ever freed
        ++judged;
    }
    CHECK(judged > 0);
}

TEST_CASE("escalation: it ends with its session", "[runtime]") {
    {
        program host(4U << 20U);
        for (int i = 1; i <= epochs && !process().capture.escalation.is_active(); ++i) { host.live_through_an_epoch(); }
        CHECK(process().capture.escalation.is_active());
        CHECK(host.session.set_preset(preset_option::full));
        host.live_through_an_epoch();
        CHECK_FALSE(process().capture.escalation.is_active());
    }
    const program next(4U << 20U);
    CHECK_FALSE(process().capture.escalation.is_active());
}
