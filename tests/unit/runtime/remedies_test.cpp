// SPDX-License-Identifier: Apache-2.0
// Remedies with made-up verdicts and pressure, and a clock of the test. What the worker adds is a turn a second.
#include <memwatch/remedies.hpp>

#include <atomic>
#include <catch2/catch.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <memwatch/memwatch.hpp>
#include "runtime/process_state.hpp"
#include "runtime/tasks/remedies.hpp"

using namespace memwatch;

namespace {

constexpr std::uint64_t second = 1'000'000'000;

// A snapshot with a site under each of two tags and a pool, for verdicts to be of.
snapshot made_up() {
    snapshot s;
    s.tags.resize(3);
    s.tags[1].name = "cache";
    s.tags[2].name = "sessions";
    s.stacks.emplace_back();
    for (const tag_id tag : {tag_id{1}, tag_id{2}}) {
        site& each = s.sites.emplace_back();
        each.tag = tag;
    }
    s.pools.emplace_back().name = "connections";
    return s;
}

verdict verdict_of(verdict_subject subject, std::uint32_t index, verdict_class kind) {
    verdict out;
    out.subject = subject;
    out.index = index;
    out.kind = kind;
    return out;
}

struct told {
    told() { process().remedies.begin(); }
    void note(std::uint32_t site, verdict_class kind) {
        process().remedies.note(verdict_of(verdict_subject::site, site, kind), seen);
    }
    void look(pressure_level pressure = pressure_level::none, std::uint64_t after_ns = second) {
        now_ns += after_ns;
        process().remedies.look(now_ns, pressure);
    }
    snapshot seen = made_up();
    std::uint64_t now_ns{1000 * second};
};

constexpr remedy_limits for_real{false, 60 * second};

remedy_trigger on_leak(std::string tag = {}) {
    remedy_trigger when;
    when.level = verdict_level::leak;
    when.tag = std::move(tag);
    return when;
}

remedy_trigger on_pressure(bool only_critical = false) {
    remedy_trigger when;
    when.on_pressure = true;
    when.only_critical = only_critical;
    return when;
}

}  // namespace

TEST_CASE("remedies: one is called when its tag is accused, and again while it is, at its rate; not when that is over",
          "[runtime]") {
    told world;
    int calls = 0;
    const auto evict = register_remedy(
        "evict", on_leak("cache"), [&] { return ++calls * 100; }, for_real);
    world.look();
    CHECK(calls == 0);
    world.note(1, verdict_class::leak_retained);   // the other tag
    world.note(0, verdict_class::suspect_growth);  // not a leak
    world.look();
    CHECK(calls == 0);
    world.note(0, verdict_class::leak_retained);
    for (int i = 0; i < 121; ++i) { world.look(); }
    CHECK(calls == 3);
    world.note(0, verdict_class::cache);
    world.look(pressure_level::critical, 600 * second);
    CHECK(calls == 3);
    const remedy_record last = remedy_log().back();
    CHECK(last.remedy == "evict");
    CHECK(last.reason == "leak_retained of cache");
    CHECK_FALSE(last.is_dry_run);
    CHECK(last.said_bytes == 300);
    CHECK(last.resident_before > 0);
    CHECK(last.resident_after > 0);
}

TEST_CASE("remedies: unless it is said otherwise nothing is called, and the record says what would have been", "[runtime]") {
    told world;
    int calls = 0;
    const auto evict = register_remedy("tempting", on_leak(), [&] { ++calls; });
    world.note(1, verdict_class::leak_retained);
    world.look();
    CHECK(calls == 0);
    CHECK(remedy_log().back().remedy == "tempting");
    CHECK(remedy_log().back().is_dry_run);
    snapshot s;
    process().remedies.copy_into(s);
    const auto is_it = [](const named_value& v) { return v.name == "remedy_dry_runs:tempting" && v.value == 1; };
    CHECK(std::any_of(s.activity.begin(), s.activity.end(), is_it));
}

TEST_CASE("remedies: pressure is a reason for those that say so, from their level on", "[runtime]") {
    told world;
    int some = 0;
    int critical = 0;
    const auto first = register_remedy(
        "some", on_pressure(), [&] { ++some; }, for_real);
    const auto second_one = register_remedy(
        "critical", on_pressure(true), [&] { ++critical; }, for_real);
    world.look(pressure_level::none);
    CHECK(some + critical == 0);
    world.look(pressure_level::some);
    CHECK(some == 1);
    CHECK(critical == 0);
    world.look(pressure_level::critical, 61 * second);
    CHECK(some == 2);
    CHECK(critical == 1);
}

TEST_CASE("remedies: a pool is known by its name", "[runtime]") {
    told world;
    int calls = 0;
    const auto shrink = register_remedy(
        "shrink", on_leak("connections"), [&] { ++calls; }, for_real);
    process().remedies.note(verdict_of(verdict_subject::pool, 0, verdict_class::pool_leak), world.seen);
    world.look();
    CHECK(calls == 1);
}

TEST_CASE("remedies: a function that throws is a failure, and the others are called all the same", "[runtime]") {
    told world;
    int calls = 0;
    const auto bad = register_remedy(
        "bad", on_pressure(), []() -> std::uint64_t { throw std::runtime_error("no"); }, for_real);
    const auto good = register_remedy(
        "good", on_pressure(), [&] { ++calls; }, for_real);
    world.look(pressure_level::some);
    CHECK(calls == 1);
    snapshot s;
    process().remedies.copy_into(s);
    const auto is_it = [](const named_value& v) { return v.name == "remedy_failures:bad" && v.value == 1; };
    CHECK(std::any_of(s.activity.begin(), s.activity.end(), is_it));
}

TEST_CASE("remedies: what was taken back is not called, and taking back waits for a call under way", "[runtime]") {
    told world;
    std::atomic<bool> is_inside{false};
    std::atomic<bool> may_go{false};
    std::atomic<bool> is_done{false};
    auto slow = register_remedy(
        "slow", on_pressure(),
        [&] {
            is_inside = true;
            is_inside.notify_all();
            may_go.wait(false);
            is_done = true;
        },
        for_real);
    std::thread caller([&] { world.look(pressure_level::some); });
    is_inside.wait(false);
    std::thread remover([&] {
        slow = {};
        CHECK(is_done);
    });
    may_go = true;
    may_go.notify_all();
    caller.join();
    remover.join();
    is_done = false;
    world.look(pressure_level::some, 100 * second);
    CHECK_FALSE(is_done);
}

TEST_CASE("remedies: one may take itself back; there are 64 at most, and 64 records", "[runtime]") {
    told world;
    remedy_registration once;
    int calls = 0;
    once = register_remedy(
        "once", on_pressure(),
        [&] {
            ++calls;
            once = {};
        },
        for_real);
    world.look(pressure_level::some);
    world.look(pressure_level::some, 100 * second);
    CHECK(calls == 1);
    std::vector<remedy_registration> many;
    for (int i = 0; i < 70; ++i) {
        many.push_back(register_remedy(
            "many", on_pressure(), [&] { ++calls; }, for_real));
    }
    world.look(pressure_level::some, 100 * second);
    CHECK(calls == 1 + 64);
    CHECK(remedy_log().size() == 64);
}

TEST_CASE("remedies: the built-in one gives back what the allocator keeps", "[runtime]") {
    constexpr std::size_t blocks = 4000;
    std::vector<std::vector<char>> held;
    for (std::size_t i = 0; i < blocks; ++i) { held.emplace_back(8000, 'x'); }  // below malloc's mmap threshold
    auto last = std::make_unique<char[]>(8000);                                 // keeps the heap's top where it is
    held.clear();
#ifdef MEMWATCH_SANITIZED_TESTS
    WARN("not checked here: a sanitizer's malloc has nothing that gives back");
    static_cast<void>(release_free_memory());
#else
    CHECK(release_free_memory() > blocks * 8000 / 2);
#endif
    CHECK(last != nullptr);
}
