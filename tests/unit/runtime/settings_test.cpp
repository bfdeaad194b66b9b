// SPDX-License-Identifier: Apache-2.0
// What can be set while a session runs, through the public face and as the control socket's words: samplers at every door,
// presets for a while, scopes, the baseline, and a session that is to do nothing.
#include <catch2/catch.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <memory_resource>
#include <optional>
#include <thread>
#include <vector>

#include <memwatch/memwatch.hpp>
#include "control/protocol.hpp"
#include "platform/platform.hpp"
#include "runtime/process_state.hpp"
#include "runtime/process_status.hpp"
#include "runtime/steering.hpp"
#include "support/full_session.hpp"

using namespace memwatch;

namespace {

std::string answer(const char* line) {
    const auto said = detail::control_process(line);
    return said ? *said : "refused: " + said.error().message();
}

std::string told(const char* line, const char* field) { return std::string(control::field(answer(line), field)); }

option_origin origin_of(option_id id) { return detail::process_options().origin(id); }

// The estimate of what is live under `owner`, and its error.
sampled_totals live_of(const session& s, tag owner) {
    sampled_totals sum;
    const auto frozen = s.snapshot();
    REQUIRE(frozen);
    for (const site& each : frozen->sites) {
        if (each.tag == owner.id()) { sum.add(each.live); }
    }
    return sum;
}

// As if the term's time were over.
void let_term_end(process_state& state) {
    const std::lock_guard guard(state.session_mutex);
    const chosen_options before = state.session.effective;
    state.session.term.begin(before, platform::monotonic_ns() - 2, 1);
}

struct item {
    char bytes[160];
};

}  // namespace

TEST_CASE("settings: set takes several options, all of them or none, and says who set what", "[runtime]") {
    const test_support::session_with s(preset_option::on, 64U << 10U);
    CHECK(origin_of(option_id::interval_bytes) == option_origin::code);
    CHECK(answer("set interval=32KiB stack_depth=100").find("stack_depth: 100: out of range 1 .. 64") != std::string::npos);
    CHECK(answer("set interval=32KiB epoch=1s").find("epoch: is fixed when the session starts") != std::string::npos);
    CHECK(answer("set interval=32KiB colour=red").find("colour: is not an option") != std::string::npos);
    CHECK(answer("set").find("refused") == 0);
    CHECK(s.get().effective_options().interval_bytes == 64U << 10U);
    CHECK(origin_of(option_id::interval_bytes) == option_origin::code);
    CHECK(told("set interval=32KiB stack_depth=8 min_size=100 unwinder=fp", "interval_bytes") == "32768");
    const options now = s.get().effective_options();
    CHECK(now.stack_depth == 8);
    CHECK(now.min_size_bytes == 100);
    CHECK(now.unwinder == unwinder_option::frame_pointer);
    CHECK(origin_of(option_id::stack_depth) == option_origin::runtime);
    CHECK(origin_of(option_id::epoch_ns) == option_origin::standard);
}

TEST_CASE("settings: stack_depth and unwinder hold for the samples after the change", "[runtime]") {
    test_support::session_with s(preset_option::full);
    REQUIRE(s.get().set({{"stack_depth", "2"}}));
    const tag owner{"shallow"};
    const std::vector<char, tracked_allocator<char>> kept(100, 'x', tracked_allocator<char>{owner});
    const auto frozen = s.get().snapshot();
    REQUIRE(s.live_records(owner) == 1);
    for (const live_record& r : frozen->live) {
        if (frozen->sites[r.site].tag == owner.id()) { CHECK(frozen->stacks[frozen->sites[r.site].stack].frames.size() == 2); }
    }
}

// 4 sigma of the sampler's own p: one check in 15,800 fails by chance; there are 9.
TEST_CASE("settings: one in N is unbiased at every door of the SDK, and the snapshot says which sampler it was", "[runtime]") {
    const auto chosen = GENERATE(table<const char*, double>({{"one_in_n", 20.0}, {"own", 25.0}, {"poisson", 0.0}}));
    const char* const sampler = std::get<0>(chosen);
    const double n = std::get<1>(chosen);
    test_support::session_with s(preset_option::on, 4096);
    // The odds below are those of one R: it is not raised for what samples cost, nor for the pages they take (some 500
    // samples).
    REQUIRE(s.get().set({{"target_samples", "0"}, {"target_overhead", "0"}}));
    static double one_in = 0;  // as long as the process
    one_in = n;
    if (std::string(sampler) == "own") {
        REQUIRE(s.get().set_sampler([](std::size_t, std::uint16_t, void* p) noexcept { return 1 / *static_cast<double*>(p); },
                                    &one_in));
    } else {
        REQUIRE(s.get().set({{"sampler", sampler}, {"one_in", "20"}}));
    }
    CAPTURE(sampler);
    const auto frozen = s.get().snapshot();
    CHECK(frozen->info.sampler == sampler);
    CHECK(frozen->info.one_in == (frozen->info.sampler == "one_in_n" ? 20 : 0));
    const auto check = [&](tag owner, double size, int count) {
        const double truth = size * count;
        CHECK(static_cast<double>(owner.totals().live_bytes()) == truth);
        const double p = n > 0 ? 1 / n : sampling_probability(static_cast<std::uint64_t>(size), 4096);
        const sampled_totals live = live_of(s.get(), owner);
        CAPTURE(live.bytes, truth, live.samples);
        CHECK(live.samples > 100);
        CHECK(std::abs(live.bytes - truth) <= 4 * size * std::sqrt(count * (1 - p) / p));
    };
    constexpr int count = 10'000;
    {
        const tag owner{std::string("door/allocator-") + sampler};
        tracked_allocator<item> from{owner};
        std::vector<item*> kept;
        for (int i = 0; i < count; ++i) { kept.push_back(from.allocate(1)); }
        check(owner, sizeof(item), count);
        for (item* const each : kept) { from.deallocate(each, 1); }
        CHECK(live_of(s.get(), owner).samples == 0);
    }
    {
        const tag owner{std::string("door/resource-") + sampler};
        tracking_resource from{owner, std::pmr::new_delete_resource()};
        std::vector<void*> kept;
        for (int i = 0; i < count; ++i) { kept.push_back(from.allocate(200)); }
        check(owner, 200, count);
        for (void* const each : kept) { from.deallocate(each, 200); }
        CHECK(live_of(s.get(), owner).samples == 0);
    }
    {
        const tag owner{std::string("door/pool-") + sampler};
        object_pool<item> from{"door", {count, false, owner}};
        std::vector<item*> kept;
        for (int i = 0; i < count; ++i) { kept.push_back(from.acquire_raw()); }
        check(owner, sizeof(item), count);
        for (item* const each : kept) { from.release(each); }
        CHECK(live_of(s.get(), owner).samples == 0);
    }
}

TEST_CASE("settings: a sampler of the program's own has to be there, is told tags, and null takes it away", "[runtime]") {
    session s = session::start({});
    REQUIRE(s.set_sampler(nullptr));  // an earlier session's stays with the process
    CHECK(s.set({{"sampler", "own"}}).error().message() == "sampler: this program has set none of its own");
    CHECK(s.effective_options().sampler == sampler_option::poisson);
    static const tag chosen{"own/chosen"};
    static const tag other{"own/other"};
    const auto only_chosen = [](std::size_t, std::uint16_t owner, void*) noexcept { return owner == chosen.id() ? 1.0 : 0.0; };
    REQUIRE(s.set_sampler(only_chosen));
    CHECK(s.effective_options().sampler == sampler_option::own);
    CHECK(origin_of(option_id::sampler) == option_origin::runtime);
    detail::this_thread.countdown = 0;  // the draw this thread is in may be long
    detail::this_thread.interval_bytes = (1ULL << 48U) - 1;
    using bytes = std::vector<char, tracked_allocator<char>>;
    std::vector<bytes> kept;
    for (int i = 0; i < 50; ++i) {
        kept.emplace_back(10, 'x', tracked_allocator<char>{chosen});
        kept.emplace_back(10, 'x', tracked_allocator<char>{other});
    }
    CHECK(live_of(s, chosen).samples == 50);
    CHECK(live_of(s, chosen).bytes == 500);
    CHECK(live_of(s, other).samples == 0);
    REQUIRE(s.set({{"sampler", "poisson"}}));
    REQUIRE(s.set({{"sampler", "own"}}));  // it is still there
    REQUIRE(s.set_sampler(nullptr));
    CHECK(s.effective_options().sampler == sampler_option::poisson);
    CHECK_FALSE(s.set({{"sampler", "own"}}));
}

TEST_CASE("settings: a preset for a while ends by itself on the worker", "[runtime]") {
    session s = session::start({});
    REQUIRE(s.set_preset(preset_option::full, 1'000'000));  // 1 ms
    for (int i = 0; i < 10'000 && process().capture.preset != preset_option::on; ++i) { platform::sleep_ns(1'000'000); }
    CHECK(process().capture.preset == preset_option::on);
    const std::lock_guard guard(process().session_mutex);
    CHECK(process().session.effective.preset == preset_option::on);
    CHECK(process().session.effective.origin(option_id::preset) == option_origin::standard);
}

TEST_CASE("settings: investigate draws with 64 KiB at most and goes back; status says when", "[runtime]") {
    test_support::session_with s(preset_option::on);
    CHECK(told("status", "preset_ends_in_ns").empty());
    const std::string status = answer("set preset=investigate");
    CHECK(control::field(status, "preset") == "investigate");
    CHECK(control::field(status, "interval_in_force_bytes") == "65536");
    CHECK(std::stoull(std::string(control::field(status, "preset_ends_in_ns"))) > 590'000'000'000);
    CHECK(std::stoull(std::string(control::field(status, "preset_ends_in_ns"))) <= 600'000'000'000);
    CHECK(control::field(status, "preset_after") == "on");
    let_term_end(process());
    CHECK(told("status", "preset") == "on");
    CHECK(told("status", "interval_in_force_bytes") == "1048576");
    CHECK(told("status", "preset_ends_in_ns").empty());
    CHECK(told("set preset=investigate interval=16KiB for=2m", "interval_in_force_bytes") == "16384");
    CHECK(std::stoull(told("status", "preset_ends_in_ns")) <= 120'000'000'000);
    let_term_end(process());
    CHECK(told("status", "interval_bytes") == "1048576");
}

TEST_CASE("settings: an end by hand cancels the term; an interval by hand outlives it; bad terms change nothing", "[runtime]") {
    test_support::session_with s(preset_option::on);
    REQUIRE(s.get().set_sampler(nullptr));  // an earlier session's stays with the process
    REQUIRE(s.get().set({{"preset", "full"}, {"for", "5m"}}));
    REQUIRE(s.get().set_preset(preset_option::full));
    CHECK(told("status", "preset_ends_in_ns").empty());
    REQUIRE(s.get().set({{"preset", "on"}}));
    REQUIRE(s.get().set({{"preset", "investigate"}, {"for", "5m"}}));
    REQUIRE(s.get().set_interval(32768));
    let_term_end(process());
    CHECK(told("status", "preset") == "on");
    CHECK(told("status", "interval_bytes") == "32768");
    CHECK(answer("set for=5m").find("for: belongs to a preset") != std::string::npos);
    CHECK(answer("set preset=full for=0s").find("out of range 1ms .. 168h") != std::string::npos);
    CHECK(answer("set preset=full for=5").find("for: ") != std::string::npos);
    CHECK(answer("set preset=full for=5m sampler=own").find("none of its own") != std::string::npos);
    CHECK(told("status", "preset") == "on");
    CHECK(told("status", "preset_ends_in_ns").empty());
    CHECK(s.get().set_preset(preset_option::full, ~0ULL).error().code == error_code::invalid_argument);
}

TEST_CASE("settings: a term goes on while paused and leaves the process paused; stop ends it", "[runtime]") {
    {
        test_support::session_with s(preset_option::on);
        REQUIRE(s.get().set_preset(preset_option::full, 60'000'000'000));
        REQUIRE(s.get().pause());
        let_term_end(process());
        const std::string status = answer("status");
        CHECK(control::field(status, "state") == "paused");
        CHECK(control::field(status, "preset") == "on");
        REQUIRE(s.get().resume());
        CHECK(process().capture.preset == preset_option::on);
        REQUIRE(s.get().set_preset(preset_option::full, 60'000'000'000));
    }
    test_support::session_with again(preset_option::on);
    CHECK(told("status", "preset") == "on");
    CHECK(told("status", "preset_ends_in_ns").empty());
}

TEST_CASE("settings: a session may begin with investigate, which ends in on; draws have the R of afterwards without a worker",
          "[runtime]") {
    options wanted;
    wanted.preset = preset_option::investigate;
    wanted.interval_bytes = 512U << 10U;
    const session s = session::start(wanted);
    const sampling_interval& interval = process().capture.interval;
    const std::uint64_t now = platform::monotonic_ns();
    CHECK(interval.in_force_at(now) == 65536);
    CHECK(interval.in_force_at(now + 601'000'000'000) == 512U << 10U);
    let_term_end(process());
    CHECK(s.effective_options().preset == preset_option::on);
    CHECK(interval.in_force_at(now + 601'000'000'000) == 512U << 10U);
    CHECK(interval.in_force_at(now) == 512U << 10U);
}

TEST_CASE("settings: a forked child goes back at once, its parent does not", "[runtime]") {
    test_support::session_with s(preset_option::on);
    REQUIRE(s.get().set_preset(preset_option::full, 60'000'000'000));
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        alarm(20);
        const bool is_back = process().capture.preset == preset_option::on && !process().session.term.is_running();
        _exit(is_back ? 0 : 1);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    CHECK(process().capture.preset == preset_option::full);
    REQUIRE(s.get().set_preset(preset_option::on));
}

TEST_CASE("scopes: a tag scope labels samples without a tag of their own, nests, and travels with bind()", "[runtime]") {
    const test_support::session_with s(preset_option::full);
    const tag outer{"scope/outer"};
    const tag inner{"scope/inner"};
    const tag own{"scope/explicit"};
    const auto untagged = [] { return std::vector<char, tracked_allocator<char>>(100, 'x'); };
    std::vector<std::vector<char, tracked_allocator<char>>> kept;
    std::vector<char, tracked_allocator<char>> tagged{tracked_allocator<char>{own}};
    {
        const tag_scope a(outer);
        kept.push_back(untagged());
        {
            const tag_scope b(inner);
            const trace_scope request("4bf92f3577b34da6a3ce929d0e0e4736", "/scoped");
            kept.push_back(untagged());
            kept.push_back(untagged());
            tagged.resize(50);
            std::thread(bind([&] { kept.push_back(untagged()); })).join();
        }
        std::thread([&] { kept.push_back(untagged()); }).join();  // not bound: another thread has its own scopes
    }
    kept.push_back(untagged());
    CHECK(live_of(s.get(), outer).bytes == 100);
    CHECK(live_of(s.get(), inner).bytes == 300);
    CHECK(live_of(s.get(), own).bytes == 50);
    CHECK(outer.totals().allocated_bytes == 0);  // exact counters are those of explicit tags
    CHECK(inner.totals().allocated_bytes == 0);
    kept.clear();
    CHECK(live_of(s.get(), inner).samples == 0);
    CHECK(live_of(s.get(), outer).samples == 0);
}

TEST_CASE("scopes: what an ignore scope covers is counted and no sample, whatever the sampler; frees are followed",
          "[runtime]") {
    const char* const sampler = GENERATE("poisson", "one_in_n");
    test_support::session_with s(preset_option::on, 1);
    REQUIRE(s.get().set({{"sampler", sampler}, {"one_in", "1"}}));
    const tag owner{std::string("scope/ignored-") + sampler};
    const auto allocate = [&] { return std::vector<char, tracked_allocator<char>>(4000, 'x', tracked_allocator<char>{owner}); };
    std::optional before(allocate());
    CHECK(live_of(s.get(), owner).samples == 1);
    {
        const ignore_scope quiet;
        const ignore_scope nested;
        std::vector<std::vector<char, tracked_allocator<char>>> kept;
        for (int i = 0; i < 100; ++i) { kept.push_back(allocate()); }
        CHECK(owner.totals().live_bytes() == 101 * 4000);
        CHECK(live_of(s.get(), owner).samples == 1);
        before.reset();
        CHECK(live_of(s.get(), owner).samples == 0);
    }
    const auto after = allocate();
    CHECK(live_of(s.get(), owner).samples == 1);
}

TEST_CASE("scopes: an ignore scope stays in force over sessions that begin inside, and over a fork", "[runtime]") {
    options wanted;
    wanted.interval_bytes = 1;
    session s = session::start(wanted);
    const tag owner{"scope/over-sessions"};
    const auto allocate = [&] { return std::vector<char, tracked_allocator<char>>(4000, 'x', tracked_allocator<char>{owner}); };
    {
        const ignore_scope quiet;
        s.stop();
        s = session::start(wanted);
        const auto kept = allocate();
        CHECK(live_of(s, owner).samples == 0);
        const pid_t child = fork();
        if (child == 0) {
            const auto in_child = allocate();
            _exit(live_of(s, owner).samples == 0 ? 0 : 1);
        }
        int status = -1;
        REQUIRE(waitpid(child, &status, 0) == child);
        CHECK(status == 0);
    }
    const auto after = allocate();
    CHECK(live_of(s, owner).samples == 1);
}

TEST_CASE("scopes: ignore scopes may end in any order; the last one's end is the end", "[runtime]") {
    test_support::session_with s(preset_option::on, 1);
    const tag owner{"scope/out-of-order"};
    const auto allocate = [&] { return std::vector<char, tracked_allocator<char>>(4000, 'x', tracked_allocator<char>{owner}); };
    auto first = std::make_unique<ignore_scope>();
    auto second = std::make_unique<ignore_scope>();
    first.reset();
    const auto inside = allocate();
    CHECK(live_of(s.get(), owner).samples == 0);
    second.reset();
    const auto after = allocate();
    CHECK(live_of(s.get(), owner).samples == 1);
}

TEST_CASE("tag weights: the program's are in each snapshot, and the option overrides them", "[runtime]") {
    const tag stated{"weight-stated", 0.9};
    const tag overridden{"weight-overridden", 0.9};
    const auto weights_of = [](const session& s, tag of) { return s.snapshot()->tags[of.id()].weight; };
    {
        const session s = session::start({});
        CHECK(weights_of(s, stated) == 0.9);
        CHECK(weights_of(s, tag{}) == default_tag_weight);
    }
    options how;
    how.tag_weights = "weight-overridden=0.2,nobody=1";
    const session s = session::start(how);
    CHECK(s.status().state == session_state::running);
    CHECK(weights_of(s, stated) == 0.9);
    CHECK(weights_of(s, overridden) == 0.2);
    CHECK(s.summary()->tags[overridden.id()].weight == 0.2);
}

TEST_CASE("baseline: the mark is in each snapshot until the session ends, and the last one counts", "[runtime]") {
    session none;
    CHECK(none.mark_baseline().error().code == error_code::unavailable);
    {
        session s = session::start({});
        CHECK(s.snapshot()->info.baseline_ns == 0);
        const auto first = s.mark_baseline();
        REQUIRE(first);
        CHECK(s.snapshot()->info.baseline_ns == *first);
        const std::string said = told("baseline", "baseline_ns");
        CHECK(std::stoull(said) >= *first);
        CHECK(s.summary()->info.baseline_ns == std::stoull(said));
    }
    const session again = session::start({});
    CHECK(again.snapshot()->info.baseline_ns == 0);
}

TEST_CASE("disabled: a session that is to do nothing is usable, says why, and starts no thread", "[runtime]") {
    REQUIRE(setenv("MEMWATCH_DISABLED", "1", 1) == 0);
    {
        session s = session::start({});
        CHECK(s.status().state == session_state::stopped);
        CHECK(s.status().detail.find("MEMWATCH_DISABLED") != std::string::npos);
        CHECK_FALSE(process().worker.is_running());
        CHECK_FALSE(process().capture.is_sampling);
        CHECK(s.snapshot().error().code == error_code::unavailable);
        CHECK(s.snapshot().error().message().find("MEMWATCH_DISABLED") != std::string::npos);
        CHECK(s.set_preset(preset_option::full).error().message().find("MEMWATCH_DISABLED") != std::string::npos);
        CHECK(detail::process_options().disabled);
        const tag owner{"disabled"};
        const std::vector<char, tracked_allocator<char>> v(100, 'x', tracked_allocator<char>{owner});
        CHECK(owner.totals().live_bytes() == 100);
        s.stop();
    }
    REQUIRE(unsetenv("MEMWATCH_DISABLED") == 0);
    const session s = session::start({});
    CHECK(s.status().state == session_state::running);
    CHECK(process().worker.is_running());
    CHECK_FALSE(detail::process_options().disabled);
}
