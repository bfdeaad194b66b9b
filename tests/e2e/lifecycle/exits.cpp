// SPDX-License-Identifier: Apache-2.0
// The ends of a process: exit() from a thread, with others still at work, quick_exit, handlers and destructors after main.
#include <atomic>
#include <cstdlib>
#include <thread>

#include "keeper.hpp"
#include "victim.hpp"

namespace lifecycle {

int exit_from_a_thread() {
    static memwatch::session session = start_full();
    static buffer kept = make(tag{"exit"});
    std::thread([] { std::exit(0); }).join();
    return 1;
}

int exit_while_allocating() {
    static const memwatch::session session = start_full(memwatch::control_option::on);
    static std::atomic<int> rounds{0};
    const tag owner{"busy"};
    for (int t = 0; t < 4; ++t) {
        std::thread([owner] {
            memwatch::object_pool<int> pool("exit pool", {.capacity = 4});
            for (;;) {
                const buffer block = make(owner);
                const auto object = pool.acquire(1);
                ++rounds;
            }
        }).detach();
    }
    while (rounds < 1000) { std::this_thread::yield(); }
    std::thread([] { std::exit(0); }).join();
    return 1;
}

int quick_exit() {
    static const memwatch::session session = start_full(memwatch::control_option::on);
    static const buffer kept = make(tag{"quick"});
    std::at_quick_exit([] {
        const buffer late = make(tag{"quick"});
        if (tag{"quick"}.totals().live_bytes() != 2000) { std::_Exit(9); }
    });
    std::thread([] {
        for (;;) { const buffer block = make(tag{"busy"}); }
    }).detach();
    std::quick_exit(0);
}

namespace {

// Made before main, and before any static of its own file: the session outlives them.
struct before_all {
    memwatch::session session;
    ~before_all() {
        const buffer last = make(tag{"late"});
        if (!session.snapshot()) { std::_Exit(8); }
    }
};

}  // namespace

int static_session() {
    static before_all first{start_full(memwatch::control_option::on)};
    static const buffer later = make(tag{"late"});
    std::atexit([] { const buffer handler = make(tag{"late"}); });
    return check(records_of(first.session, tag{"late"}) == 1, "a session in a static object works");
}

// Held by a library that knows nothing of memwatch and is destroyed before or after it, as it was linked.
int destroyed_late() {
    static const memwatch::session session = start_full();
    const tag owner{"kept"};
    for (int i = 0; i < 100; ++i) {
        keep_until_the_end(new buffer(make(owner)), [](void* held) { delete static_cast<buffer*>(held); });
    }
    keep_until_the_end(new tag{owner}, [](void* held) {  // destroyed first
        if (static_cast<tag*>(held)->totals().live_bytes() != 100'000) { std::_Exit(9); }
        delete static_cast<tag*>(held);
    });
    return check(records_of(session, owner) == 100, "all are alive when main returns");
}

}  // namespace lifecycle
