// SPDX-License-Identifier: Apache-2.0
// Signals of memory pressure: from a socket, from PSI where this kernel has it, from a group's events where groups can be made.
#include "platform/pressure_signal.hpp"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "support/temporary_folder.hpp"
#include "told_pressure.hpp"

using memwatch::platform::awaited_descriptor;
using memwatch::platform::pressure_signal;
using memwatch::platform::wait_for;
using test_support::temporary_folder;
using manager = test_support::service_manager;

namespace {

bool is_ready(const pressure_signal& signal, std::uint64_t timeout_ns) {
    awaited_descriptor waited = signal.awaited();
    wait_for(&waited, 1, timeout_ns);
    return waited.is_ready;
}

// The cgroup2 tree of this machine, wherever it is mounted; empty: none that may be written to.
std::string make_group() {
    for (const char* const root : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
        if (!std::filesystem::exists(std::string(root) + "/cgroup.controllers")) { continue; }
        const std::string group = std::string(root) + "/memwatch-test-" + std::to_string(::getpid());
        if (::mkdir(group.c_str(), 0755) == 0) { return group; }
    }
    return {};
}

}  // namespace

TEST_CASE("pressure_signal: a manager's socket is ready when it says so, and closed when the manager goes", "[platform]") {
    const temporary_folder folder;
    const std::string path = folder.path + "/pressure.sock";
    pressure_signal signal;
    {
        manager systemd(path);
        REQUIRE(signal.watch_manager(path.c_str(), "c29tZSAyMDAwMDAgMjAwMDAwMAA="));  // "some 200000 2000000\0"
        systemd.accept();
        char heard[64] = {};
        CHECK(::read(systemd.client, heard, sizeof heard) == 20);
        CHECK(std::string(heard) == "some 200000 2000000");
        CHECK_FALSE(signal.take());
        systemd.say();
        systemd.say();
        CHECK(is_ready(signal, 1'000'000'000));
        CHECK(signal.take());
        CHECK_FALSE(signal.take());
        CHECK(signal.is_open());
    }
    static_cast<void>(signal.take());
    CHECK_FALSE(signal.is_open());
    CHECK(signal.awaited().number < 0);
}

TEST_CASE("pressure_signal: what is no such file is not watched", "[platform]") {
    const temporary_folder folder;
    pressure_signal signal;
    CHECK_FALSE(signal.watch_manager("/dev/null", nullptr));  // the manager's way to say no
    CHECK_FALSE(signal.watch_manager((folder.path + "/nothing").c_str(), nullptr));
    CHECK_FALSE(signal.watch_events((folder.path + "/nothing").c_str()));
    CHECK_FALSE(signal.watch_events(""));
    REQUIRE(::mkfifo((folder.path + "/fifo").c_str(), 0600) == 0);
    CHECK_FALSE(signal.watch_manager((folder.path + "/fifo").c_str(), nullptr));
    std::ofstream(folder.path + "/file") << "\n";
    CHECK_FALSE(signal.watch_manager((folder.path + "/file").c_str(), "no base64!"));
    CHECK_FALSE(signal.watch_manager((folder.path + "/file").c_str(), std::string(2000, 'A').c_str()));
    CHECK_FALSE(signal.is_open());
    CHECK_FALSE(signal.take());
}

TEST_CASE("pressure_signal: a descriptor that the host took is forgotten", "[platform]") {
    const temporary_folder folder;
    std::ofstream(folder.path + "/file") << "high 0\n";
    pressure_signal signal;
    REQUIRE(signal.watch_events((folder.path + "/file").c_str()));
    const int number = signal.awaited().number;
    REQUIRE(number >= 0);
    ::close(number);
    CHECK(signal.awaited().number < 0);
    CHECK_FALSE(signal.take());
    CHECK_FALSE(signal.is_open());
}

TEST_CASE("pressure_signal: the group's events are heard through a descriptor that may only read", "[platform]") {
    const std::string group = make_group();
    if (group.empty()) {
        std::puts("not run: no cgroup2 tree in which a group can be made");
        return;
    }
    pressure_signal signal;
    // Told in the same way as memory.events, and can be made to happen: the group is populated, then empty.
    REQUIRE(signal.watch_events((group + "/cgroup.events").c_str()));
    CHECK_FALSE(is_ready(signal, 0));
    const pid_t child = ::fork();
    if (child == 0) {
        ::pause();
        ::_exit(0);
    }
    std::ofstream(group + "/cgroup.procs") << child << std::endl;
    CHECK(is_ready(signal, 5'000'000'000));
    CHECK(signal.take());
    CHECK_FALSE(signal.take());
    CHECK(signal.is_open());
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    CHECK(is_ready(signal, 5'000'000'000));
    CHECK(signal.take());
    for (int i = 0; i < 100 && ::rmdir(group.c_str()) != 0; ++i) { ::usleep(10'000); }
}

TEST_CASE("pressure_signal: the kernel takes systemd's message as a trigger", "[platform]") {
    pressure_signal signal;
    if (::access("/proc/pressure/memory", W_OK) != 0) {
        std::puts("not run: no /proc/pressure/memory that may be written to");
        return;
    }
    const bool is_watched = signal.watch_manager("/proc/pressure/memory", "c29tZSAyMDAwMDAgMjAwMDAwMAA=");
    if (!is_watched) {
        std::puts("not run: this kernel takes no trigger here");
        return;
    }
    CHECK(signal.awaited().wants_priority);
    static_cast<void>(signal.take());  // whether there is pressure now is the machine's business
    CHECK(signal.is_open());
}
