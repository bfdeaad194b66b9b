// SPDX-License-Identifier: Apache-2.0
// The history of a process: on the turns of a fake clock, in memory and in a folder, over the end of a session.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <memwatch/base/log.hpp>
#include <memwatch/memwatch.hpp>
#include <memwatch/snapshot/codec.hpp>

#include "runtime/control_commands.hpp"
#include "runtime/process_state.hpp"
#include "support/fake_clock.hpp"
#include "support/temporary_folder.hpp"

using namespace memwatch;
using test_support::fake_clock;
using test_support::second;
using test_support::temporary_folder;

namespace {

constexpr std::uint64_t hour = 3600 * second;

std::vector<std::string> lines;
void keep_line(log_level, std::string_view line) { lines.emplace_back(line); }

// Without the worker: its turns are the test's.
session start(const std::string& folder, std::uint64_t bytes = 1U << 20U) {
    options wanted;
    wanted.service = "history-test";
    wanted.preset = preset_option::full;
    wanted.clock = &fake_clock::now;
    wanted.control = control_option::off;
    wanted.state_dir = folder;
    wanted.history_bytes = bytes;
    wanted.history_every_ns = hour;
    session started = session::start(wanted);
    process().worker.stop();
    return started;
}

void live_for(std::uint64_t ns) {
    fake_clock::advance(ns);
    static_cast<void>(process().history.turn(process()));
}

history_keeper::listing listed() { return process().history.list(process()); }

result<std::string> ask(const std::string& line) {
    return control::parse_request(line).and_then([](const control::request& asked) { return answer_control(asked); });
}

}  // namespace

TEST_CASE("history task: one when the service is warm, then one each time, with names, and by age") {
    const temporary_folder folder;
    const session running = start(folder.path);
    live_for(0);
    CHECK(listed().where == folder.path);
    CHECK(listed().all.empty());
    CHECK(ask("past since=1h").error().code == error_code::not_found);
    live_for(hour / 5);
    CHECK(listed().all.size() == 1);
    live_for(hour / 2);
    CHECK(listed().all.size() == 1);
    live_for(hour / 2);
    live_for(hour);
    REQUIRE(listed().all.size() == 3);
    CHECK(listed().problem.empty());
    CHECK(listed().bytes > 0);
    const result<std::string> dump = ask("past since=1h");
    REQUIRE(dump);
    const snapshot past = decode(*dump).value().value;
    CHECK(past.info.service == "history-test");
    CHECK(past.info.label.size() == std::string("2026-11-22 15:30:00 UTC").size());
    CHECK(past.info.started_unix_ns + past.info.taken_ns == listed().all[1].taken_unix_ns);
    CHECK(ask("past name=" + listed().all[1].name).value() == *dump);
    const std::string text = ask("history").value();
    CHECK(text.find("where=" + folder.path) != std::string::npos);
    CHECK(text.find(listed().all[2].name + "=") != std::string::npos);
    for (const char* const wrong : {"past", "past since=2", "past since=1h name=x", "past age=3", "history all=1"}) {
        CHECK(ask(wrong).error().code == error_code::invalid_argument);
    }
}

TEST_CASE("history task: the session that comes after finds what the one before has kept") {
    const temporary_folder folder;
    std::string kept_before;
    {
        const session first = start(folder.path);
        live_for(hour);
        REQUIRE(listed().all.size() == 1);
        kept_before = listed().all[0].name;
    }
    const session second_life = start(folder.path);
    live_for(hour);
    REQUIRE(listed().all.size() == 2);
    CHECK(listed().all[0].name == kept_before);
    const auto dump = ask("past since=30m");
    REQUIRE(dump);
    CHECK(decode(*dump).value().value.info.session != second_life.snapshot()->info.session);
}

TEST_CASE("history task: without a folder in memory, a sixteenth, and counted as memwatch's own") {
    const session running = start({}, 16U << 20U);
    live_for(hour);
    CHECK(listed().where == "memory");
    CHECK(listed().max_bytes == 1U << 20U);
    REQUIRE(listed().all.size() == 1);
    const auto frozen = running.summary();
    const auto own = std::find_if(frozen->self_bytes.begin(), frozen->self_bytes.end(),
                                  [](const named_value& each) { return each.name == "history"; });
    REQUIRE(own != frozen->self_bytes.end());
    CHECK(own->value >= listed().bytes);
}

#if !defined(__SANITIZE_THREAD__)  // whose lock order detector holds 64 locks at a time: fork takes more
TEST_CASE("history task: a forked child goes on with files of its own, and its parent's stay") {
    const temporary_folder folder;
    const session running = start(folder.path);
    live_for(hour);
    REQUIRE(listed().all.size() == 1);
    const std::string of_parent = listed().all[0].name;
    const pid_t child = ::fork();
    if (child == 0) {
        live_for(0);  // opens its own
        const bool is_empty = listed().where == folder.path && listed().all.empty();
        live_for(hour);
        const bool has_its_own =
            listed().all.size() == 1 && listed().all[0].name != of_parent && ask("past since=0s").has_value();
        ::_exit(is_empty && has_its_own ? 0 : 1);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    CHECK(listed().all.size() == 1);
    CHECK(ask("past name=" + of_parent).has_value());
    const auto files = std::filesystem::directory_iterator(folder.path);
    CHECK(std::count_if(begin(files), end(files), [](const auto& each) { return each.path().extension() == ".memtrace"; }) ==
          2);
}
#endif

TEST_CASE("history task: a folder that cannot be used is said once, and memory takes its place") {
    set_log_sink(&keep_line);
    lines.clear();
    {
        const session running = start("/proc/nowhere");
        live_for(hour);
        live_for(hour);
        CHECK(listed().where == "memory");
        CHECK(listed().problem.find("in memory only: ") == 0);
        CHECK(listed().all.size() == 2);
        CHECK(std::count_if(lines.begin(), lines.end(),
                            [](const std::string& line) { return line.find("event=history") != std::string::npos; }) == 1);
    }
    set_log_sink(nullptr);
}

TEST_CASE("history task: one that is too large for the bound is not kept, which is said; 0 keeps none") {
    {
        const session running = start({}, 16);
        live_for(hour);
        CHECK(listed().all.empty());
        CHECK(listed().problem.find("MEMWATCH_HISTORY") != std::string::npos);
    }
    const session running = start({}, 0);
    live_for(hour);
    CHECK(listed().where.empty());
    CHECK(ask("past since=0s").error().code == error_code::not_found);
}
