// SPDX-License-Identifier: Apache-2.0
// Verdicts through the public doors: a session, the epochs of a fake clock, tracked memory.
#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include <memwatch/base/log.hpp>
#include <memwatch/memwatch.hpp>
#include <memwatch/model/site_name.hpp>
#include "runtime/process_state.hpp"
#include "support/fake_clock.hpp"

using namespace memwatch;
using test_support::fake_clock;
using test_support::second;

namespace {

using block = std::vector<int, tracked_allocator<int>>;

std::vector<std::string> lines;
void keep_line(log_level level, std::string_view line) {
    lines.push_back((level == log_level::warning ? "W " : "I ") + std::string(line));
}

struct heard {
    std::vector<verdict_class> kinds;
    std::string name;
};
void listen(const verdict& changed, const snapshot& seen, void* context) noexcept {
    auto& all = *static_cast<heard*>(context);
    all.kinds.push_back(changed.kind);
    all.name = site_name(seen, seen.sites[changed.index]);
}

// A program of two components, epoch by epoch. The worker has the same turns, and real time hardly passes.
struct running_program {
    explicit running_program(verdicts_option judged = verdicts_option::automatic) : session(start(judged)) {
        set_log_sink(&keep_line);
        lines.clear();
        session.on_verdict(&listen, &told);
    }
    ~running_program() {
        session.on_verdict(nullptr);
        set_log_sink(nullptr);
    }
    running_program(const running_program&) = delete;
    running_program& operator=(const running_program&) = delete;

    static memwatch::session start(verdicts_option judged) {
        options wanted;
        wanted.preset = preset_option::full;
        wanted.clock = &fake_clock::now;
        wanted.control = control_option::off;
        wanted.verdicts = judged;
        return session::start(wanted);
    }

    [[gnu::noinline]] void insert_into_cache() { kept.emplace_back(25, 0, tracked_allocator<int>{tag("keeper")}); }
    [[gnu::noinline]] void serve() { serving.emplace_back(10, 0, tracked_allocator<int>{tag("server")}); }

    void live_through_an_epoch(int leaks) {
        for (int i = 0; i < 100; ++i) {
            if (i < leaks) { insert_into_cache(); }
            serve();
            if (serving.size() > 20) { serving.erase(serving.begin()); }
            fake_clock::advance(second / 10);
        }
        static_cast<void>(process().verdicts.turn(process()));
    }

    memwatch::session session;
    heard told;
    std::vector<block> kept;
    std::vector<block> serving;
};

// The largest of its sites: compilers make several of a loop.
const verdict* verdict_of(const snapshot& s, const char* owner) {
    const verdict* largest = nullptr;
    for (const verdict& each : s.verdicts) {
        if (each.subject != verdict_subject::site || s.tags[s.sites[each.index].tag].name != owner) { continue; }
        if (largest == nullptr || each.retained_bytes > largest->retained_bytes) { largest = &each; }
    }
    return largest;
}

std::size_t lines_with(const std::string& text) {
    const auto has = [&](const std::string& line) { return line.find(text) != std::string::npos; };
    return static_cast<std::size_t>(std::count_if(lines.begin(), lines.end(), has));
}

}  // namespace

TEST_CASE("verdicts: what is kept and never freed is a leak, told once, in the log, to the program and by snapshots",
          "[runtime]") {
    running_program program;
    int epochs = 0;
    for (int i = 1; i <= 60; ++i) {
        program.live_through_an_epoch(10);  // few enough blocks for the budget to stay exact
        if (epochs == 0 && !program.told.kinds.empty()) { epochs = i; }
    }
    INFO((lines.empty() ? "" : lines.front()));
    REQUIRE(program.told.kinds == std::vector<verdict_class>{verdict_class::leak_retained});
    CHECK(program.told.name.find("insert_into_cache") != std::string::npos);
    CHECK(epochs <= 30);

    const snapshot s = *program.session.snapshot();
    REQUIRE(validate(s).has_value());
    const verdict* const leak = verdict_of(s, "keeper");
    REQUIRE(leak != nullptr);
    CHECK(leak->kind == verdict_class::leak_retained);
    // Exact as long as its blocks stand for themselves: once page edges are scarce (what ran before in this process holds them)
    // preset full estimates tracked blocks, and has to say so.
    const sampled_totals& held = s.sites[leak->index].live;
    CHECK(leak->is_exact == (held.objects <= 1.01 * static_cast<double>(held.samples)));
    CHECK(leak->retained_bytes <= s.sites[leak->index].live.bytes);
    CHECK(leak->retained_bytes > 0.5 * s.sites[leak->index].live.bytes);
    const verdict* const healthy = verdict_of(s, "server");
    REQUIRE(healthy != nullptr);
    CHECK(level_of(healthy->kind) == verdict_level::none);
    CHECK(program.session.summary()->verdicts.size() == s.verdicts.size());

    REQUIRE(lines_with("event=verdict ") == 1);
    CHECK(lines_with("W memwatch level=warning event=verdict class=leak_retained was=") == 1);
    CHECK(lines_with("tag=\"keeper\"") == 1);
    CHECK(lines_with("insert_into_cache") == 1);
    CHECK(lines_with("severity=info") == 1);
}

TEST_CASE("verdicts: a program that frees what it takes is never spoken of", "[runtime]") {
    running_program program;
    for (int i = 0; i < 60; ++i) { program.live_through_an_epoch(0); }
    CHECK(program.told.kinds.empty());
    CHECK(lines_with("event=verdict") == 0);
    const snapshot s = *program.session.snapshot();
    for (const verdict& each : s.verdicts) { CHECK(level_of(each.kind) == verdict_level::none); }
}

TEST_CASE("verdicts: a turn looks once an epoch, however often it comes, and late ones are not made up for", "[runtime]") {
    running_program program;
    verdict_keeper& keeper = process().verdicts;
    program.live_through_an_epoch(20);
    program.live_through_an_epoch(20);
    const std::uint64_t looks = keeper.looks();
    static_cast<void>(keeper.turn(process()));
    CHECK(keeper.looks() == looks);
    fake_clock::advance(35 * second);
    CHECK(keeper.turn(process()) <= 10 * second);
    CHECK(keeper.looks() == looks + 1);
    fake_clock::advance(10 * second);
    static_cast<void>(keeper.turn(process()));
    CHECK(keeper.looks() == looks + 2);
}

TEST_CASE("verdicts: nothing is judged while nothing is sampled, with verdicts off, or by what a session before has seen",
          "[runtime]") {
    {
        running_program program;
        for (int i = 0; i < 20; ++i) { program.live_through_an_epoch(20); }
        CHECK_FALSE(program.session.snapshot()->verdicts.empty());
        const std::uint64_t looks = process().verdicts.looks();
        REQUIRE(program.session.pause().has_value());
        program.live_through_an_epoch(20);
        CHECK(process().verdicts.looks() == looks);
    }
    {
        running_program program;
        CHECK(program.session.snapshot()->verdicts.empty());
    }
    running_program program(verdicts_option::off);
    for (int i = 0; i < 20; ++i) { program.live_through_an_epoch(20); }
    CHECK(program.session.snapshot()->verdicts.empty());
    CHECK(program.told.kinds.empty());
}

TEST_CASE("verdicts: a forked child begins anew", "[runtime]") {
    running_program program;
    for (int i = 0; i < 20; ++i) { program.live_through_an_epoch(20); }
    verdict_keeper& keeper = process().verdicts;
    keeper.lock_for_fork();
    keeper.enter_child(fake_clock::now() - process().session.origin_ns);
    keeper.unlock_after_fork();
    CHECK(program.session.snapshot()->verdicts.empty());
    program.live_through_an_epoch(0);
    const snapshot s = *program.session.snapshot();
    const verdict* const inherited = verdict_of(s, "keeper");
    CHECK((inherited == nullptr || inherited->kind == verdict_class::inconclusive));
}

TEST_CASE("verdicts: the end of the last session is looked at, and told to nobody", "[runtime]") {
    running_program program;
    program.live_through_an_epoch(0);
    fake_clock::advance(second);
    for (int i = 0; i < 40; ++i) { program.insert_into_cache(); }
    fake_clock::advance(8 * second);  // no epoch ends, or the worker would look, too
    const snapshot before = *program.session.snapshot();
    CHECK(verdict_of(before, "keeper") == nullptr);
    program.session.stop();
    const snapshot after = *program.session.snapshot();
    CHECK(verdict_of(after, "keeper") != nullptr);
    CHECK(lines_with("event=verdict") == 0);
}

TEST_CASE("verdicts: of two pools of one name each is judged by its own figures, and shown in its own row", "[runtime]") {
    running_program program;
    std::atomic<std::uint64_t> taken{0};  // the worker asks, too
    std::atomic<std::uint64_t> kept{0};
    const auto healthy = [&] { return pool_stats{1'000'000, 20, 20, taken.load(), 0, 0, 1000}; };
    const auto leaking = [&] {
        const std::uint64_t out = kept.load();
        return pool_stats{1'000'000, out, out, taken.load() + 7, 0, 0, 1000};
    };
    const pool_registration first = register_pool("verdicts/twins", healthy);
    const pool_registration second_of_them = register_pool("verdicts/twins", leaking);
    for (int i = 0; i < 60; ++i) {
        taken += 2000;
        kept += 100;
        program.live_through_an_epoch(0);
    }
    const snapshot s = *program.session.snapshot();
    std::vector<const verdict*> twins;
    for (const verdict& each : s.verdicts) {
        if (each.subject == verdict_subject::pool && s.pools[each.index].name == "verdicts/twins") { twins.push_back(&each); }
    }
    REQUIRE(twins.size() == 2);
    CHECK(level_of(twins[0]->kind) == verdict_level::none);
    CHECK(s.pools[twins[0]->index].in_use == 20);
    CHECK(twins[1]->kind == verdict_class::pool_leak);
    CHECK(s.pools[twins[1]->index].in_use == kept.load());
    CHECK(lines_with("class=pool_leak") == 1);
}

TEST_CASE("verdicts: a line of the log is one line and no command of a terminal, whatever a pool is called", "[runtime]") {
    snapshot s;
    s.pools.resize(1);
    s.pools[0].name =
        "a\n\x1b[31m\" level=error \xc2\x9b"
        "1m\x7f";
    verdict_change change{};
    change.now.subject = verdict_subject::pool;
    change.now.kind = verdict_class::pool_leak;
    const std::string line = verdict_line(change, s);
    CHECK(line.find_first_of("\n\r\x1b\x7f") == std::string::npos);
    CHECK(line.find("\xc2\x9b") == std::string::npos);
    CHECK(line.find("\" level=error") == std::string::npos);
}
