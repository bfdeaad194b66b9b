// SPDX-License-Identifier: Apache-2.0
// The worker on its own: turns, wakes, calls, stop and start, and a host that takes its descriptors away.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "capture/own_work.hpp"
#include "platform/platform.hpp"
#include "runtime/worker.hpp"

using memwatch::worker;
using memwatch::worker_task;

namespace {

// Counts its turns, and lets a test wait for the next one.
struct counted_task {
    std::atomic<unsigned> turns{0};
    std::atomic<std::uint64_t> pause_ns{worker::never};

    static std::uint64_t run(void* self, std::uint64_t) {
        auto& task = *static_cast<counted_task*>(self);
        const std::uint64_t pause = task.pause_ns.load();
        task.turns.fetch_add(1);
        task.turns.notify_all();
        return pause;
    }
    void wait_for(unsigned count) const {
        for (unsigned seen = turns.load(); seen < count; seen = turns.load()) { turns.wait(seen); }
    }
};

std::vector<int> open_descriptors() {
    std::vector<int> out;
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir("/proc/self/fd"), &::closedir);
    while (const dirent* const entry = ::readdir(directory.get())) {
        const int number = std::atoi(entry->d_name);
        if (number != dirfd(directory.get()) && entry->d_name[0] != '.') { out.push_back(number); }
    }
    return out;
}

}  // namespace

TEST_CASE("worker: a task gets a first turn, a turn for each wake, and otherwise none") {
    worker w;
    counted_task task;
    w.bind(worker_task::telemetry, &counted_task::run, &task);
    CHECK(task.turns == 0);
    REQUIRE(w.ensure_running());
    task.wait_for(1);
    for (unsigned i = 2; i < 100; ++i) {
        w.wake(worker_task::telemetry);
        task.wait_for(i);
    }
    const unsigned before = task.turns;
    std::this_thread::sleep_for(std::chrono::milliseconds(30));  // nothing is due: nothing may happen
    CHECK(task.turns == before);
    w.stop();
}

TEST_CASE("worker: a task that names a pause gets its turns by itself") {
    worker w;
    counted_task task;
    task.pause_ns = 1'000'000;
    w.bind(worker_task::interval_control, &counted_task::run, &task);
    REQUIRE(w.ensure_running());
    task.wait_for(20);
    w.stop();
    const unsigned stopped_at = task.turns;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    CHECK(task.turns == stopped_at);
}

TEST_CASE("worker: calls run on its thread, one after the other, and their writes are seen") {
    worker w;
    struct seen {
        const worker* w;
        bool was_on_worker;
        bool was_parked;
        int count;
    } s{&w, false, false, 0};
    const auto note = [](void* at) {
        auto& into = *static_cast<seen*>(at);
        into.was_on_worker = into.w->is_this_thread();
        into.was_parked = memwatch::detail::own_work::is_running();
        ++into.count;
    };
    CHECK_FALSE(w.call(note, &s, 1'000'000));
    REQUIRE(w.ensure_running());
    for (int i = 0; i < 50; ++i) { REQUIRE(w.call(note, &s, 10'000'000'000)); }
    CHECK(s.was_on_worker);
    CHECK(s.was_parked);
    CHECK(s.count == 50);
    CHECK_FALSE(w.is_this_thread());
    w.stop();
    CHECK_FALSE(w.call(note, &s, 1'000'000));
    CHECK_FALSE(memwatch::detail::own_work::is_running());
}

TEST_CASE("worker: it starts and stops any number of times, from several threads, and leaves no descriptor") {
    const std::vector<int> before = open_descriptors();
    worker w;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&w] {
            for (int i = 0; i < 50; ++i) {
                CHECK(w.ensure_running());
                w.wake(worker_task::epoch_end);
                w.stop();
            }
        });
    }
    for (std::thread& t : threads) { t.join(); }
    CHECK_FALSE(w.is_running());
    CHECK(open_descriptors() == before);
}

TEST_CASE("worker: its descriptors have high numbers and do not survive exec") {
    const std::vector<int> before = open_descriptors();
    worker w;
    REQUIRE(w.ensure_running());
    for (const int number : open_descriptors()) {
        if (std::find(before.begin(), before.end(), number) != before.end()) { continue; }
        CHECK(number > 100);
        CHECK((fcntl(number, F_GETFD) & FD_CLOEXEC) != 0);
    }
    w.stop();
}

TEST_CASE("worker: a host that takes the numbers for files of its own finds them untouched") {
    const std::vector<int> before = open_descriptors();
    worker w;
    counted_task task;
    task.pause_ns = 1'000'000;
    w.bind(worker_task::telemetry, &counted_task::run, &task);
    REQUIRE(w.ensure_running());
    task.wait_for(1);

    char path[] = "/tmp/memwatch-worker-test-XXXXXX";
    const int file = mkstemp(path);
    REQUIRE(file >= 0);
    unlink(path);
    std::vector<int> taken;
    for (const int number : open_descriptors()) {
        if (number == file || std::find(before.begin(), before.end(), number) != before.end()) { continue; }
        REQUIRE(dup2(file, number) == number);
        taken.push_back(number);
    }
    REQUIRE(taken.size() == 2);
    task.wait_for(task.turns + 5);
    w.wake(worker_task::telemetry);
    w.stop();
    struct stat info {};
    for (const int number : taken) {
        CHECK(fstat(number, &info) == 0);  // still open
        CHECK(info.st_size == 0);          // nothing written
        CHECK(lseek(number, 0, SEEK_CUR) == 0);
        close(number);
    }
    close(file);
    CHECK(open_descriptors() == before);
}

TEST_CASE("worker: a child of fork has none and closes what it inherited") {
    const std::vector<int> before = open_descriptors();
    worker w;
    REQUIRE(w.ensure_running());
    w.lock_for_fork();
    const pid_t child = fork();
    if (child == 0) {
        w.enter_child();
        w.unlock_after_fork();
        _exit(w.is_running() || open_descriptors() != before ? 1 : 0);
    }
    w.unlock_after_fork();
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    CHECK(w.is_running());
    w.stop();
}

namespace {

// Waits for a descriptor, in each of its first two turns.
struct waiting_task {
    worker* on;
    int descriptor;
    std::atomic<unsigned> turns{0};

    static std::uint64_t run(void* self, std::uint64_t) {
        auto& task = *static_cast<waiting_task*>(self);
        memwatch::platform::awaited_descriptor wanted;
        wanted.number = task.descriptor;
        task.on->wait_also_for(worker_task::memory_watch, &wanted, task.turns.load() < 2 ? 1 : 0);
        task.turns.fetch_add(1);
        task.turns.notify_all();
        return worker::never;
    }
};

}  // namespace

TEST_CASE("worker: a task that waits for a descriptor gets a turn for it, once for each time it asks") {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    worker w;
    waiting_task task{&w, ends[0]};
    counted_task other;
    w.bind(worker_task::memory_watch, &waiting_task::run, &task);
    w.bind(worker_task::telemetry, &counted_task::run, &other);
    REQUIRE(w.ensure_running().has_value());
    task.turns.wait(0);
    REQUIRE(::write(ends[1], "x", 1) == 1);  // and nobody reads it: it stays ready
    for (unsigned seen = task.turns.load(); seen < 3; seen = task.turns.load()) { task.turns.wait(seen); }
    const unsigned before = other.turns.load();
    for (unsigned i = 1; i <= 20; ++i) {
        w.wake(worker_task::telemetry);
        other.wait_for(before + i);
    }
    CHECK(task.turns.load() == 3);  // the first, and for the two wishes one each
    w.stop();
    ::close(ends[0]);
    ::close(ends[1]);
}
