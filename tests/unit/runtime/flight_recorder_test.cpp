// SPDX-License-Identifier: Apache-2.0
// The black box through a session, a fake clock and made-up kernel files; turns are the test's own.
#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <memwatch/memwatch.hpp>
#include <memwatch/snapshot/codec.hpp>
#include "../footprint/kernel_tree.hpp"
#include "blackbox/box.hpp"
#include "blackbox/event.hpp"
#include "blackbox/pulse.hpp"
#include "runtime/process_state.hpp"
#include "support/fake_clock.hpp"
#include "support/lsan_fork.hpp"

using namespace memwatch;
using test_support::fake_clock;
using test_support::kernel_tree;
using test_support::second;
namespace fs = std::filesystem;

MEMWATCH_LEFT_BY_FORK("leak:memwatch::v1::flight_recorder::open\n")

namespace {

class scratch {
public:
    scratch() {
        std::string name = (fs::temp_directory_path() / "memwatch-recorder-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    ~scratch() { fs::remove_all(path_); }
    [[nodiscard]] std::string state() const { return path_ + "/state"; }
    [[nodiscard]] std::vector<std::string> boxes() const {
        std::vector<std::string> all;
        for (const auto& each : fs::directory_iterator(state())) {
            if (each.path().extension() == flight_recorder::suffix) { all.push_back(each.path().string()); }
        }
        std::sort(all.begin(), all.end());
        return all;
    }

private:
    std::string path_;
};

struct recorded_program {
    explicit recorded_program(const std::string& folder, const kernel_tree& tree, std::uint64_t bytes = 256U << 10U)
        : session(start(folder, bytes)) {
        process().memory.read_from(tree.roots());
    }
    static memwatch::session start(const std::string& folder, std::uint64_t bytes) {
        options wanted;
        wanted.service = "shop";
        wanted.preset = preset_option::full;
        wanted.clock = &fake_clock::now;
        wanted.control = control_option::off;
        wanted.state_dir = folder;
        wanted.blackbox_bytes = bytes;
        memwatch::session out = session::start(wanted);
        process().worker.stop();
        return out;
    }
    static std::uint64_t turn() {
        static_cast<void>(process().memory.turn(process()));
        return process().recorder.turn(process());
    }
    static std::string path() { return process().recorder.path(); }

    memwatch::session session;
};

// The worker may have had a turn before it was stopped, and with it the first situation: a verdict makes another one due.
void look_again() { process().recorder.note(blackbox::event_names::verdict, "class=leak_retained"); }

blackbox::box read(const std::string& path) {
    const auto found = blackbox::read_box(path);
    REQUIRE(found);
    return *found;
}

std::vector<blackbox::record> of_kind(const blackbox::box& in, blackbox::record_kind kind) {
    std::vector<blackbox::record> out;
    std::copy_if(in.records.begin(), in.records.end(), std::back_inserter(out),
                 [&](const blackbox::record& each) { return each.kind == kind; });
    return out;
}

std::vector<std::string> events_of(const blackbox::box& in) {
    std::vector<std::string> names;
    for (const blackbox::record& each : of_kind(in, blackbox::record_kind::event)) {
        names.emplace_back(blackbox::decode_event(each.payload)->name);
    }
    return names;
}

}  // namespace

TEST_CASE("flight recorder: a turn leaves the figures, what is alive and for whom", "[runtime]") {
    const scratch here;
    const kernel_tree tree;
    tree.make_v2(1000, 600, "2000");
    const recorded_program program(here.state(), tree);
    const trace_scope request("4bf92f3577b34da6a3ce929d0e0e4736", "/api/v2/orders");
    const std::vector<char, tracked_allocator<char>> kept(5000, 0, tracked_allocator<char>{tag("order-cache")});
    fake_clock::advance(5 * second);
    look_again();
    CHECK(recorded_program::turn() < second);
    const blackbox::box box = read(recorded_program::path());
    REQUIRE(box.whose);
    CHECK(box.whose->service == "shop");
    CHECK(box.whose->pid == static_cast<std::uint64_t>(getpid()));
    CHECK(box.whose->session == program.session.snapshot()->info.session);

    const auto pulses = of_kind(box, blackbox::record_kind::pulse);
    REQUIRE(pulses.size() >= 2);  // in the seconds' lane and in the minutes'
    const auto figures = blackbox::decode_pulse(pulses.back().payload);
    REQUIRE(figures);
    CHECK(figures->reading.cgroup.unreclaimable == 400);
    CHECK(figures->reading.cgroup.limit == 2000);
    CHECK(figures->reading.live_bytes >= 5000);
    REQUIRE(figures->tag_count >= 1);
    CHECK(figures->tags[0].live_bytes >= 5000);

    const auto situations = of_kind(box, blackbox::record_kind::situation);
    REQUIRE(!situations.empty());
    const auto dump = decode(situations.back().payload);
    REQUIRE(dump);
    CHECK(dump->damage.empty());
    CHECK(dump->value.tags[figures->tags[0].tag].name == "order-cache");
    CHECK(std::any_of(dump->value.sites.begin(), dump->value.sites.end(),
                      [&](const site& s) { return dump->value.tags[s.tag].name == "order-cache"; }));
}

TEST_CASE("flight recorder: what is to be taken out of names is taken out of the head, too", "[runtime]") {
    const scratch folder;
    options wanted;
    wanted.service = "shop accesscode=4711-secret";
    wanted.redact = "accesscode";
    wanted.control = control_option::off;
    wanted.state_dir = folder.state();
    wanted.blackbox_bytes = 256U << 10U;
    const memwatch::session session = session::start(wanted);
    process().worker.stop();
    static_cast<void>(process().recorder.turn(process()));
    const auto whose = read(process().recorder.path()).whose;
    REQUIRE(whose);
    CHECK(whose->service.find("4711") == std::string::npos);
}

TEST_CASE("flight recorder: the last requests stand in the situation", "[runtime]") {
    const scratch here;
    const kernel_tree tree;
    options wanted;
    wanted.interval_bytes = 4096;  // a block that is none of its samples comes once in 9 million
    wanted.clock = &fake_clock::now;
    wanted.control = control_option::off;
    wanted.state_dir = here.state();
    const memwatch::session session = session::start(wanted);
    process().worker.stop();
    process().memory.read_from(tree.roots());
    std::vector<std::vector<char, tracked_allocator<char>>> kept;
    for (int i = 1; i <= 50; ++i) {
        fake_clock::advance(1000);
        const trace_scope request(trace_id{0, static_cast<std::uint64_t>(i)}, "/orders");
        kept.emplace_back(65536, 'x', tracked_allocator<char>{tag("requests")});
        kept.emplace_back(65536, 'x', tracked_allocator<char>{tag("requests")});
    }
    look_again();
    static_cast<void>(process().recorder.turn(process()));
    const auto situations = of_kind(read(process().recorder.path()), blackbox::record_kind::situation);
    REQUIRE(!situations.empty());
    const auto dump = decode(situations.back().payload);
    REQUIRE(dump);
    std::vector<std::uint64_t> traces;
    for (const live_record& row : dump->value.live) {
        traces.push_back(row.trace.low);
        CHECK(dump->value.routes[row.route] == "/orders");
    }
    std::sort(traces.begin(), traces.end());
    REQUIRE(traces.size() == live_state::most_requests);
    CHECK(traces.front() == 50 - live_state::most_requests + 1);
    CHECK(traces.back() == 50);
}

TEST_CASE("flight recorder: near the limit it writes ten times as often, and says so", "[runtime]") {
    const scratch here;
    const kernel_tree tree;
    tree.make_v2(1000, 600, "20000");
    const recorded_program program(here.state(), tree);
    const std::uint64_t calm = recorded_program::turn();
    tree.make_v2(19900, 0, "20000");
    process().memory.read_from(tree.roots());
    fake_clock::advance(second);
    CHECK(recorded_program::turn() * 5 < calm);
    const blackbox::box box = read(recorded_program::path());
    CHECK(events_of(box) == std::vector<std::string>{"opened", "pressure"});
    CHECK(of_kind(box, blackbox::record_kind::situation).size() >= 2);  // at once, not in its turn
}

TEST_CASE("flight recorder: a file is of one session, lives before are kept but not all", "[runtime]") {
    const scratch here;
    const kernel_tree tree;
    std::vector<std::string> paths;
    for (std::size_t life = 0; life < flight_recorder::most_kept + 4; ++life) {
        const recorded_program program(here.state(), tree);
        static_cast<void>(recorded_program::turn());
        paths.push_back(recorded_program::path());
        REQUIRE(fs::exists(paths.back()));
        CHECK(paths.back() != (life == 0 ? std::string() : paths[life - 1]));
    }
    const std::vector<std::string> left = here.boxes();
    CHECK(left.size() == flight_recorder::most_kept + 1);  // and the one that is written
    CHECK(std::equal(left.rbegin(), left.rend(), paths.rbegin()));
    CHECK(events_of(read(left.front())).back() == "end");
}

TEST_CASE("flight recorder: helpers that come and go do not push out what the service left", "[runtime]") {
    const scratch here;
    const kernel_tree tree;
    {
        const recorded_program first(here.state(), tree);  // makes the folder
        static_cast<void>(recorded_program::turn());
    }
    const auto folder = state_folder::open(here.state());
    REQUIRE(folder);
    blackbox::identity whose;
    whose.executable = "/usr/bin/orders";
    const std::string service = "20000101T000000.000000Z-7-00000000.blackbox";
    REQUIRE(blackbox::ring_writer::create(*folder, service, whose, 0));
    for (std::size_t life = 0; life < flight_recorder::most_kept + 2; ++life) {
        const recorded_program helper(here.state(), tree);
        static_cast<void>(recorded_program::turn());
    }
    CHECK(here.boxes().size() == flight_recorder::most_kept + 1);
    CHECK(fs::exists(here.state() + "/" + service));
}

TEST_CASE("flight recorder: a session that stops says so, and its worker writes nothing more", "[runtime]") {
    const scratch here;
    options wanted;
    wanted.control = control_option::off;
    wanted.state_dir = here.state();
    memwatch::session session = session::start(wanted);
    REQUIRE(process().worker.is_running());
    for (int i = 0; i < 10'000 && process().recorder.path().empty(); ++i) { platform::sleep_ns(1'000'000); }
    const std::string path = process().recorder.path();
    session.stop();
    CHECK(process().recorder.path().empty());
    CHECK(events_of(read(path)) == std::vector<std::string>{"opened", "end"});
    CHECK(here.boxes().size() == 1);
}

TEST_CASE("flight recorder: a process that ends before there is a file leaves none", "[runtime]") {
    const scratch here;
    const kernel_tree tree;
    const recorded_program program(here.state(), tree);
    static_cast<void>(recorded_program::turn());
    const std::size_t boxes = here.boxes().size();
    {
        const recorded_program next(here.state(), tree);
        const std::size_t before = here.boxes().size();  // its worker may have had a turn before it was stopped
        process().recorder.end(process(), "the process exits");
        CHECK(process().recorder.turn(process()) == worker::never);
        CHECK(here.boxes().size() == before);
        CHECK(before <= boxes + 1);
    }
}

TEST_CASE("flight recorder: a removed file is replaced, one cut short is mended", "[runtime]") {
    const scratch here;
    const kernel_tree tree;
    const recorded_program program(here.state(), tree);
    static_cast<void>(recorded_program::turn());
    const std::string first = recorded_program::path();
    fs::resize_file(first, 0);
    static_cast<void>(recorded_program::turn());
    CHECK(recorded_program::path() == first);
    CHECK(fs::file_size(first) == 256U << 10U);
    CHECK(read(first).whose);
    CHECK(of_kind(read(first), blackbox::record_kind::pulse).size() == 1);
}

TEST_CASE("flight recorder: a folder that cannot be had is no reason to stop", "[runtime]") {
    const scratch here;
    const kernel_tree tree;
    fs::create_directories(here.state());
    fs::permissions(here.state(), fs::perms::all);
    const recorded_program program(here.state(), tree);
    CHECK(recorded_program::turn() >= 30 * second);
    CHECK(recorded_program::path().empty());
    CHECK(here.boxes().empty());
    const snapshot s = *program.session.summary();
    const auto failures =
        std::find_if(s.activity.begin(), s.activity.end(), [](const named_value& v) { return v.name == "blackbox_failures"; });
    REQUIRE(failures != s.activity.end());
    CHECK(failures->value > 0);
}

TEST_CASE("flight recorder: without a folder, or without a size, there is none", "[runtime]") {
    const scratch here;
    const kernel_tree tree;
    const recorded_program program(here.state(), tree, 0);
    CHECK(recorded_program::turn() == worker::never);
    CHECK(recorded_program::path().empty());
}

TEST_CASE("flight recorder: a forked child leaves the parent's file alone and begins its own", "[runtime]") {
    const scratch here;
    const kernel_tree tree;
    const recorded_program program(here.state(), tree);
    static_cast<void>(recorded_program::turn());
    const std::string parents = recorded_program::path();
    flight_recorder& recorder = process().recorder;
    recorder.lock_for_fork();
    recorder.enter_child();
    recorder.unlock_after_fork();
    CHECK(recorded_program::path().empty());
    recorder.note("remedy", "of nobody");
    static_cast<void>(recorded_program::turn());
    CHECK(recorded_program::path() != parents);
    CHECK(events_of(read(parents)) == std::vector<std::string>{"opened"});
}
