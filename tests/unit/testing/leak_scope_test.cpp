// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <catch2/catch.hpp>
#include <list>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include <memwatch/memwatch.hpp>
#include <memwatch/testing.hpp>

using namespace memwatch;
using namespace memwatch::testing;

namespace leaky {

struct order {
    char bytes[48];
};

// Kept until the test lets go of them.
struct store {
    explicit store(const char* name) : owner(name), allocator(owner) {}
    ~store() { clear(); }
    [[gnu::noinline]] void keep_one() {
        kept.push_back(allocator.allocate(1));
        asm volatile("" ::: "memory");
    }
    void drop_oldest() {
        allocator.deallocate(kept.front(), 1);
        kept.pop_front();
    }
    void clear() {
        while (!kept.empty()) { drop_oldest(); }
    }
    tag owner;
    tracked_allocator<order> allocator;
    std::list<order*> kept;
};

}  // namespace leaky

using leaky::store;

namespace {

bool has_line_with(const std::vector<std::string>& lines, const char* text) {
    return std::any_of(lines.begin(), lines.end(), [&](const std::string& l) { return l.find(text) != std::string::npos; });
}

leak_options only(tag owner) {
    leak_options options;
    options.tags = {owner};
    return options;
}

}  // namespace

TEST_CASE("leak_check: what comes and goes is no leak", "[testing]") {
    store s("comes-and-goes");
    const leak_report report = leak_check([&] {
        for (int i = 0; i < 500; ++i) { s.keep_one(); }
        s.clear();
    });
    CHECK(report.passed);
    CHECK(report.objects == 0);
    CHECK(report.bytes == 0);
    CHECK(report.sites.empty());
    CHECK(report.notes.empty());
}

TEST_CASE("leak_check: what stays is named with tag, type, stack, count, bytes and trace", "[testing]") {
    store s("stays");
    const leak_report report = leak_check([&] {
        const trace_scope request("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "/api/v2/orders");
        for (int i = 0; i < 3; ++i) { s.keep_one(); }
    });
    CHECK_FALSE(report.passed);
    CHECK(report.objects == 3);
    CHECK(report.bytes == 3 * sizeof(leaky::order));
    CHECK(report.notes.empty());
    REQUIRE(report.tags.size() == 1);
    CHECK(report.tags[0].tag == "stays");
    CHECK(report.tags[0].objects_without_stack == 0);
    REQUIRE(report.sites.size() == 1);
    CHECK(report.sites[0].type == "leaky::order");
    CHECK(report.sites[0].tag == "stays");
    CHECK(report.sites[0].objects == 3);
    CHECK(to_string(report.sites[0].oldest_trace) == "4bf92f3577b34da6a3ce929d0e0e4736");
    CHECK(report.sites[0].oldest_route == "/api/v2/orders");
    INFO(report.message());
    REQUIRE_FALSE(report.sites[0].stack.empty());
    CHECK(report.sites[0].stack[0].find("leaky::store::keep_one") != std::string::npos);
    for (const char* expected :
         {"leaked: 3 objects, 144 bytes", "tag \"stays\"", "leaky::order", "keep_one", "4bf92f3577b34da6"}) {
        CHECK(report.message().find(expected) != std::string::npos);
    }
}

TEST_CASE("leak_check: an older block that is freed inside does not hide one that leaks", "[testing]") {
    store s("masked");
    s.keep_one();
    const leak_report report = leak_check([&] {
        s.keep_one();
        s.drop_oldest();
    });
    CHECK(s.owner.totals().live_objects() == 1);  // the sum did not change
    CHECK_FALSE(report.passed);
    CHECK(report.objects == 1);
}

TEST_CASE("leak_check: the sampling that a running session does before does not blunt the scope", "[testing]") {
    options wanted;
    wanted.interval_bytes = 1U << 30U;
    auto running = session::start(wanted);
    store s("coarse");
    for (int i = 0; i < 10; ++i) { s.keep_one(); }  // in the middle of a draw of a GiB
    const leak_report report = leak_check([&] { s.keep_one(); });
    CHECK(report.objects == 1);
    REQUIRE(report.sites.size() == 1);
    CHECK(report.notes.empty());
    CHECK(running.status().state == session_state::running);
    const snapshot after = *running.snapshot();
    CHECK(after.info.interval_bytes == 1U << 30U);  // as it was
}

TEST_CASE("leak_check: warm-up calls may fill caches; runs add up; a threshold forgives bytes", "[testing]") {
    store s("cache");
    leak_options options = only(s.owner);
    options.warmup = 2;
    int calls = 0;
    CHECK(leak_check([&] { ++calls < 3 ? s.keep_one() : void(); }, options).passed);
    CHECK(calls == 3);
    options.warmup = 0;
    options.runs = 4;
    const leak_report four = leak_check([&] { s.keep_one(); }, options);
    CHECK(four.objects == 4);
    options.threshold_bytes = 4 * sizeof(leaky::order);
    CHECK(leak_check([&] { s.keep_one(); }, options).passed);
    --options.threshold_bytes;
    CHECK_FALSE(leak_check([&] { s.keep_one(); }, options).passed);
}

TEST_CASE("leak_check: only the chosen tags count", "[testing]") {
    store watched("watched");
    store other("not-watched");
    CHECK(leak_check([&] { other.keep_one(); }, only(watched.owner)).passed);
    CHECK_FALSE(leak_check([&] { watched.keep_one(); }, only(watched.owner)).passed);
}

TEST_CASE("leak_check: an untagged block inside a tag_scope is one leak, under the scope's label", "[testing]") {
    tracked_allocator<leaky::order> untagged;
    leaky::order* kept = nullptr;
    const leak_report report = leak_check([&] {
        const tag_scope scope(tag("leak-label"));
        kept = untagged.allocate(1);
    });
    CHECK(report.objects == 1);
    CHECK(report.bytes == sizeof(leaky::order));
    REQUIRE(report.tags.size() == 1);
    CHECK(report.tags[0].tag == "leak-label");
    untagged.deallocate(kept, 1);
}

TEST_CASE("leak_check: resources and pools count as allocators do", "[testing]") {
    const tag owner{"of-resource"};
    void* block = nullptr;
    const leak_report of_resource = leak_check([&] { block = resource(owner)->allocate(100); });
    resource(owner)->deallocate(block, 100);
    CHECK(of_resource.bytes == 100);
    REQUIRE(of_resource.sites.size() == 1);

    object_pool<leaky::order> pool("of-pool");
    leaky::order* taken = nullptr;
    const leak_report of_pool = leak_check([&] { taken = pool.acquire_raw(); });
    CHECK(of_pool.objects == 1);
    REQUIRE(of_pool.sites.size() == 1);
    CHECK(of_pool.sites[0].type == "leaky::order");
    CHECK(of_pool.sites[0].tag == "of-pool");
    CHECK(leak_check([&] { pool.release(taken); }).passed);
}

TEST_CASE("leak_check: a thread born inside is seen with its stack; one that was there before, at least by its tag",
          "[testing]") {
    store s("of-thread");
    const leak_report born_inside = leak_check([&] { std::thread([&] { s.keep_one(); }).join(); });
    CHECK(born_inside.objects == 1);
    CHECK(born_inside.sites.size() == 1);

    leak_options here = only(s.owner);
    here.threads = leak_threads::this_thread;
    CHECK(leak_check([&] { std::thread([&] { s.keep_one(); }).join(); }, here).passed);
    CHECK_FALSE(leak_check([&] { s.keep_one(); }, here).passed);

    options wanted;
    wanted.interval_bytes = 1U << 30U;
    const auto running = session::start(wanted);
    std::atomic<int> turn{0};
    std::thread worker([&] {
        s.keep_one();  // draws: the next sample is a GiB away
        turn = 1;
        while (turn != 2) { std::this_thread::yield(); }
        s.keep_one();
        turn = 3;
    });
    while (turn != 1) { std::this_thread::yield(); }
    const leak_report by_counter = leak_check([&] {
        turn = 2;
        while (turn != 3) { std::this_thread::yield(); }
    });
    worker.join();
    CHECK_FALSE(by_counter.passed);
    CHECK(by_counter.objects == 1);
    REQUIRE(by_counter.tags.size() == 1);
    CHECK(by_counter.tags[0].objects_without_stack == 1);
    CHECK(by_counter.message().find("without a stack") != std::string::npos);
}

TEST_CASE("leak_scope: nests; each sees what was allocated since it began", "[testing]") {
    store s("nested");
    leak_scope outer(only(s.owner));
    s.keep_one();
    {
        leak_scope inner(only(s.owner));
        s.keep_one();
        CHECK(inner.check().objects == 1);
    }
    s.keep_one();
    CHECK(outer.check().objects == 3);
    s.clear();
    CHECK(outer.check().passed);  // may be asked again
}

TEST_CASE("leak_check: what the function throws passes through, and the session is as before", "[testing]") {
    options wanted;
    wanted.preset = preset_option::off;
    const auto running = session::start(wanted);
    store s("thrower");
    CHECK_THROWS_AS(leak_check([&] {
                        s.keep_one();
                        throw std::out_of_range("no");
                    }),
                    std::out_of_range);
    const auto before = running.snapshot()->live.size();
    s.keep_one();
    s.keep_one();
    CHECK(running.snapshot()->live.size() == before);  // nothing is sampled any more
}

TEST_CASE("leak_scope: ended without a look, it says in the log what leaked", "[testing]") {
    static std::string heard;
    heard.clear();
    set_log_sink([](log_level, std::string_view line) { heard += line; });
    store s("unasked");
    {
        const leak_scope scope(only(s.owner));
        s.keep_one();
    }
    set_log_sink(nullptr);
    CHECK(heard.find("event=leak_scope") != std::string::npos);
    CHECK(heard.find("unasked") != std::string::npos);
}

TEST_CASE("require_no_leaks: throws what a person can act on", "[testing]") {
    store s("required");
    CHECK_NOTHROW(require_no_leaks([] {}));
    CHECK_THROWS_WITH(require_no_leaks([&] { s.keep_one(); }),
                      Catch::Contains("leaky::store::keep_one") && Catch::Contains("required"));
}

TEST_CASE("leak_check: plain new is said not to be seen, where it is not", "[testing]") {
    leak_options options;
    options.what = leak_coverage::everything;
    std::unique_ptr<int> kept;
    const leak_report report = leak_check([&] { kept = std::make_unique<int>(1); }, options);
    CHECK_FALSE(report.passed);  // what it was asked about, it could not see
    CHECK(has_line_with(report.notes, "libmemwatch-new"));
}

TEST_CASE("leak_check: more blocks than there is room to record are still counted to the byte", "[testing]") {
    store s("many");
    const leak_report report = leak_check([&] {
        for (int i = 0; i < 60'000; ++i) { s.keep_one(); }
    });
    CHECK_FALSE(report.passed);
    CHECK(report.objects == 60'000);
    CHECK(report.bytes == 60'000 * sizeof(leaky::order));
    s.clear();
    CHECK(leak_check([&] {
              s.keep_one();
              s.clear();
          }).passed);
}

// A joined session with room for few pages: some hundred small blocks alive at once are thinned.
session start_with_little_room() {
    options wanted;
    wanted.preset = preset_option::off;
    wanted.budget_bytes = 8U << 20U;
    return session::start(wanted);
}

TEST_CASE("leak_check in this thread: a leak among more blocks than can be recorded never passes", "[testing]") {
    const session running = start_with_little_room();
    store s("among-many");
    leak_options here;
    here.threads = leak_threads::this_thread;
    for (int i = 0; i < 50; ++i) {
        store scratch("among-many");
        const leak_report report = leak_check(
            [&] {
                for (int n = 0; n < 2000; ++n) { scratch.keep_one(); }
                s.keep_one();
                scratch.clear();
            },
            here);
        CHECK_FALSE(report.passed);
        CHECK_FALSE(report.notes.empty());
        INFO(report.message());
        CHECK((report.objects == 1 || report.message().find("could not be checked") == 0));
    }
}

TEST_CASE("leak_check in this thread: many blocks that all go pass, where the counters prove it", "[testing]") {
    const session running = start_with_little_room();
    store s("all-go");
    leak_options here = only(s.owner);
    here.threads = leak_threads::this_thread;
    const leak_report report = leak_check(
        [&] {
            for (int n = 0; n < 2000; ++n) { s.keep_one(); }
            s.clear();
        },
        here);
    INFO(report.message());
    CHECK(report.passed);
    CHECK_FALSE(report.notes.empty());  // it was a near thing
}

TEST_CASE("leak_check: after a flood that stays, single leaks are not missed, and what is thinned is said", "[testing]") {
    const session running = start_with_little_room();
    store s("flood");
    leak_options here;
    here.threads = leak_threads::this_thread;
    const leak_report flood = leak_check([&] {
        for (int n = 0; n < 4000; ++n) { s.keep_one(); }
    });
    CHECK(flood.objects == 4000);
    CHECK_FALSE(flood.notes.empty());
    for (int i = 0; i < 100; ++i) {
        CHECK_FALSE(leak_check([&] { s.keep_one(); }, here).passed);
        CHECK_FALSE(leak_check([&] { s.keep_one(); }).passed);
    }
    CHECK(leak_check([] {}, here).passed);  // allocates nothing: proved
}

TEST_CASE("leak_check in this thread: a threshold forgives what is known, not what is unknown", "[testing]") {
    const session running = start_with_little_room();
    store s("forgiven");
    leak_options here;
    here.threads = leak_threads::this_thread;
    here.threshold_bytes = 1000 * sizeof(leaky::order);
    CHECK(leak_check(
              [&] {
                  for (int n = 0; n < 900; ++n) { s.keep_one(); }
              },
              here)
              .passed);
    CHECK_FALSE(leak_check(
                    [&] {
                        for (int n = 0; n < 3000; ++n) { s.keep_one(); }
                    },
                    here)
                    .passed);
}

TEST_CASE("leak_check in this thread: inside an ignore scope it cannot see, and does not pass; one inside of it is noted",
          "[testing]") {
    store s("ignored");
    leak_options here;
    here.threads = leak_threads::this_thread;
    {
        const ignore_scope quiet;
        CHECK_FALSE(leak_check([&] { s.keep_one(); }, here).passed);
        CHECK_FALSE(leak_check([&] { s.keep_one(); }).passed);
        const auto running = session::start();
        CHECK(running.snapshot()->live.empty());  // the scope went on
    }
    const leak_report noted = leak_check(
        [&] {
            const ignore_scope quiet;
            s.keep_one();
        },
        here);
    CHECK(has_line_with(noted.notes, "ignore_scope"));
    const leak_report clean = leak_check([&] { s.keep_one(); }, here);
    CHECK(clean.objects == 1);
    CHECK(clean.notes.empty());
}
