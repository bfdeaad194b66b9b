// SPDX-License-Identifier: Apache-2.0
// Sessions that begin twice, end early, live in statics, and come and go from several threads.
#include <unistd.h>

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "victim.hpp"

namespace lifecycle {
namespace {

// A global that allocates before main and frees after it.
const tag static_tag{"static"};
struct long_lived {
    buffer data = make(static_tag);
    ~long_lived() {
        data = buffer(memwatch::tracked_allocator<char>{static_tag});
        const buffer after_main = make(static_tag, 5);
        if (static_tag.totals().live_bytes() != 5) { _exit(9); }
    }
} global;

std::size_t threads_of_this_process() {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& task : std::filesystem::directory_iterator("/proc/self/task")) { ++count; }
    return count;
}

}  // namespace

int before_start_and_after_stop() {
    const tag owner{"early"};
    int failures = check(static_tag.totals().live_bytes() == 1000, "a global's allocation before main is counted");
    buffer early = make(owner);
    buffer sampled{memwatch::tracked_allocator<char>{owner}};
    {
        const memwatch::session session = start_full();
        failures += check(records_of(session, owner) == 0, "what was allocated before start is no sample");
        sampled = make(owner, 70);
        failures += check(records_of(session, owner) == 1, "what is allocated after start is");
    }
    const buffer late = make(owner, 7);
    sampled = buffer(memwatch::tracked_allocator<char>{owner});
    early = buffer(memwatch::tracked_allocator<char>{owner});
    failures += check(owner.totals().live_bytes() == 7, "exact counters go on after stop");
    const memwatch::session again = start_full();
    failures += check(records_of(again, owner) == 0, "a sample freed after stop was forgotten");
    return failures;
}

int second_start() {
    const tag owner{"second"};
    memwatch::session first = start_full();
    memwatch::options others;
    others.preset = memwatch::preset_option::off;
    memwatch::session second = memwatch::session::start(others);
    int failures = check(second.status().state == memwatch::session_state::running, "a second start is no failure");
    failures += check(second.status().detail.find("joined") != std::string::npos, "and says that it joined");
    const buffer one = make(owner);
    failures += check(records_of(second, owner) == 1, "the first one's options are in force");
    first.stop();
    first.stop();
    const buffer two = make(owner);
    failures += check(records_of(second, owner) == 2, "the session lives while anybody holds it");
    memwatch::session moved = std::move(second);
    moved = memwatch::session{};
    const buffer three = make(owner);
    failures += check(records_of(moved, owner) == 2, "and ends with the last, once");
    failures += check(moved.status().state == memwatch::session_state::stopped, "which then says so");
    return failures + check(owner.totals().live_bytes() == 3000, "exact counters count throughout");
}

int stop_and_restart() {
    const tag owner{"restarted"};
    int failures = 0;
    std::uint64_t self = 0;
    for (int round = 0; round < 100; ++round) {
        memwatch::session session = start_full(memwatch::control_option::on);
        const buffer block = make(owner);
        failures += check(records_of(session, owner) == 1, "each session tracks what is allocated in it");
        if (round == 1) { self = self_bytes_of(session); }
        if (round == 99) {
            // The map of edges has a page for each 128 MiB that blocks come to lie in; less than a KiB a round is no growth.
            failures += check(self_bytes_of(session) <= self + 65536, "and the hundredth costs what the second did");
        }
        session.stop();
    }
    failures += check(owner.totals().live_bytes() == 0 && owner.totals().allocations == 100, "nothing is counted twice");
    return failures + check(threads_of_this_process() == 1, "no thread of memwatch's is left");
}

int start_and_stop_from_threads() {
    const tag owner{"contended"};
    std::vector<std::thread> threads;
    for (int t = 0; t < 6; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 40; ++i) {
                memwatch::session session =
                    start_full(t % 2 == 0 ? memwatch::control_option::on : memwatch::control_option::off);
                const buffer block = make(owner, 64);
                if (i % 8 == t) { static_cast<void>(session.snapshot()); }
                session.stop();
            }
        });
    }
    for (std::thread& t : threads) { t.join(); }
    int failures = check(threads_of_this_process() == 1, "who stops last ends memwatch's thread");
    failures += check(memwatch::session{}.status().state == memwatch::session_state::stopped, "and the session");
    const memwatch::session again = start_full();
    failures += check(records_of(again, owner) == 0 && owner.totals().live_bytes() == 0, "nothing is left behind");
    const buffer block = make(owner);
    return failures + check(records_of(again, owner) == 1, "and the next session works");
}

int closed_descriptors() {
    const memwatch::session session = start_full();
    for (int fd = 3; fd < 256; ++fd) { close(fd); }
    const buffer some = make(tag{"closed"});
    std::thread([] { const buffer on_thread = make(tag{"closed"}); }).join();
    return check(session.snapshot().has_value(), "a host may close what it did not open");
}

}  // namespace lifecycle
