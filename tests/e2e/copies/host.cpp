// SPDX-License-Identifier: Apache-2.0
// A process with two copies of memwatch, or more: the executable's own, if it has one, and those of plugins loaded with
// RTLD_LOCAL. Each mode is one promise of src/runtime/copies.hpp; 0 = kept.  host MODE PLUGIN...
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "party.hpp"

#ifdef HOST_HAS_MEMWATCH
const party* const own_party = memwatch_test_party();
#else
const party* const own_party = nullptr;
#endif

namespace {

int failures = 0;

void check(bool holds, const char* what) {
    if (holds) { return; }
    std::fprintf(stderr, "FAILED: %s\n", what);
    ++failures;
}

struct copy {
    const party* it;
    void* handle;  // null: the executable's own
};

std::vector<copy> parties(int argc, char** argv) {
    std::vector<copy> all;
    if (own_party != nullptr) { all.push_back({own_party, nullptr}); }
    for (int i = 2; i < argc; ++i) {
        void* const handle = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);
        if (handle == nullptr) {
            std::fprintf(stderr, "%s\n", dlerror());
            std::exit(2);
        }
        using get = const party* (*)();
        all.push_back({reinterpret_cast<get>(dlsym(handle, "memwatch_test_party"))(), handle});
    }
    return all;
}

std::string path_of(void* handle) {
    link_map* module = nullptr;
    dlinfo(handle, RTLD_DI_LINKMAP, &module);
    return module->l_name;
}

void one_state(const std::vector<copy>& all) {
    const party& first = *all[0].it;
    const party& second = *all[1].it;
    check(std::string(first.start()).empty(), "the first session starts");
    check(std::strstr(second.start(), "joined the running session") != nullptr, "the second copy's session joins it");
    check(std::string(first.session_id()) == second.session_id(), "they are one session");
    void* const a = first.hold("shared", 12'345);
    void* const b = second.hold("shared", 23'456);
    for (const copy& each : all) {
        check(each.it->live_bytes("shared") == 12'345 + 23'456, "each copy sees the sum, to the byte");
        check(each.it->allocations("shared") == 2, "and each allocation once");
        check(each.it->records(12'345, 0) == 1 && each.it->records(23'456, 0) == 1, "each block is one record");
        check(each.it->times_listed() == 1, "a thread is one thread");
    }
    second.let_go(a);  // by the other copy: the tag travels with the allocator
    first.let_go(b);
    for (const copy& each : all) {
        check(each.it->live_bytes("shared") == 0, "whoever frees");
        check(each.it->records(12'345, 0) == 0 && each.it->records(23'456, 0) == 0, "forgets the record");
    }
    first.stop();
    void* const later = second.hold("shared", 34'567);
    check(first.records(34'567, 0) == 1, "the session lives as long as either copy holds it");
    second.let_go(later);
    second.stop();
    second.let_go(second.hold("shared", 10));
    check(second.records(10, 0) == 0 && first.live_bytes("shared") == 0, "and ends with the last");
}

// Calls `function()` in a scope of `trace` that `setter` made.
template <class Function>
void within(const copy& setter, std::uint64_t trace, Function function) {
    setter.it->within(
        trace, [](void* argument) { (*static_cast<Function*>(argument))(); }, &function);
}

void one_context(const std::vector<copy>& all) {
    all[0].it->start();
    for (const copy& setter : all) {
        within(setter, 77, [&] {
            for (const copy& each : all) {
                check(each.it->trace() == 77, "a trace set through one copy is seen by each");
                void* const held = each.it->hold("traced", 4'321);
                check(all[0].it->records(4'321, 77) == 1, "and labels what any copy allocates");
                each.it->let_go(held);
            }
            within(all.back(), 88, [&] { check(all[0].it->trace() == 88, "scopes of several copies nest"); });
            check(all[0].it->trace() == 77, "and give back what was before");
        });
        check(all.back().it->trace() == 0, "to the end");
    }
}

void one_log(const std::vector<copy>& all) {
    for (const copy& each : all) { each.it->start(); }  // each sets a sink: the last one stays
    const int before = all.back().it->lines_heard();
    for (const copy& each : all) { each.it->say("memwatch level=info event=test"); }
    check(all.back().it->lines_heard() == before + static_cast<int>(all.size()), "each copy's lines reach the host's sink");
}

void many_threads(const std::vector<copy>& all) {
    all[0].it->start();
    std::vector<std::thread> threads;
    constexpr int rounds = 200;
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < rounds; ++i) {
                std::vector<void*> held;
                for (const copy& each : all) { held.push_back(each.it->hold("threads", 100)); }
                for (std::size_t k = 0; k < all.size(); ++k) { all[all.size() - 1 - k].it->let_go(held[k]); }
            }
            check(all[0].it->times_listed() == 1, "a thread that met all copies is listed once");
        });
    }
    for (std::thread& t : threads) { t.join(); }
    for (int churned = 0; churned < 300; ++churned) {  // more threads than rows, one after the other
        std::thread([&] {
            for (const copy& each : all) { each.it->let_go(each.it->hold("threads", 1)); }
        }).join();
    }
    for (const copy& each : all) {
        check(each.it->allocations("threads") == (8 * rounds + 300) * all.size(), "counts of all threads and copies add up");
        check(each.it->live_bytes("threads") == 0, "to nothing");
    }
}

// A thread gave its row of counters back, and its destructors still allocate, through each copy, while another thread has
// leased that row. Were a copy to go on in it, both threads would lose counts.
struct late_allocation {
    const std::vector<copy>& all;
    std::atomic<bool> is_row_given_back{false};
    std::atomic<bool> is_row_leased{false};
    static constexpr std::uint64_t rounds = 30'000;

    void allocate() const {
        for (std::uint64_t i = 0; i < rounds; ++i) {
            for (auto each = all.rbegin(); each != all.rend(); ++each) { each->it->let_go(each->it->hold("late", 1)); }
        }
    }
};

void tls_destructors(const std::vector<copy>& all) {
    for (const copy& each : all) { each.it->let_go(each.it->hold("late", 1)); }  // memwatch's own keys come first, and go first
    pthread_key_t key{};
    pthread_key_create(&key, [](void* argument) {
        auto& late = *static_cast<late_allocation*>(argument);
        late.is_row_given_back = true;
        while (!late.is_row_leased) { std::this_thread::yield(); }
        late.allocate();
    });
    constexpr std::uint64_t meetings = 5;
    for (std::uint64_t i = 0; i < meetings; ++i) {
        late_allocation late{all};
        std::thread ending([&] {
            for (const copy& each : all) { each.it->let_go(each.it->hold("late", 1)); }
            pthread_setspecific(key, &late);
        });
        std::thread other([&] {
            while (!late.is_row_given_back) { std::this_thread::yield(); }
            for (const copy& each : all) { each.it->let_go(each.it->hold("late", 1)); }
            late.is_row_leased = true;
            late.allocate();
        });
        ending.join();
        other.join();
    }
    check(all[0].it->allocations("late") == (1 + meetings * 2 * (1 + late_allocation::rounds)) * all.size(),
          "what TLS destructors allocate is counted, all of it");
    check(all[0].it->live_bytes("late") == 0, "and freed");
}

void after_fork(const std::vector<copy>& all) {
    all[0].it->start();
    const std::string parent = all[0].it->session_id();
    std::vector<void*> inherited;
    for (const copy& each : all) { inherited.push_back(each.it->hold("forked", 555)); }
    for (int i = 0; i < 10; ++i) {
        const pid_t child = fork();
        if (child == 0) {
            for (std::size_t k = 0; k < all.size(); ++k) {
                all[k].it->let_go(inherited[k]);
                inherited[k] = all[k].it->hold("forked", 666);
            }
            for (const copy& each : all) {
                check(each.it->session_id() != parent, "a child is a session of its own, for each copy");
                check(each.it->records(555, 0) == 0 && each.it->records(666, 0) == static_cast<int>(all.size()),
                      "and owns what it inherited");
                check(each.it->live_bytes("forked") == 666 * all.size(), "to the byte");
            }
            _exit(failures);
        }
        int status = -1;
        check(waitpid(child, &status, 0) == child && status == 0, "the child is well");
    }
    for (std::size_t k = 0; k < all.size(); ++k) { all[k].it->let_go(inherited[k]); }
}

// A plugin with a copy of its own stays loaded, one that shares the executable's libmemwatch does not. Both may be closed.
void closed(std::vector<copy> all, bool last_first) {
    for (const copy& each : all) { each.it->start(); }
    std::vector<void*> held;
    for (const copy& each : all) { held.push_back(each.it->hold("closed", 1'000)); }
    if (last_first) { std::reverse(all.begin(), all.end()); }
    const std::vector<copy> order = all;
    for (const copy& gone : order) {
        if (gone.handle == nullptr) { continue; }
        const std::string path = path_of(gone.handle);
        check(dlclose(gone.handle) == 0, "a plugin is closed");
        if (dlopen(path.c_str(), RTLD_NOW | RTLD_NOLOAD) == nullptr) {
            all.erase(std::find_if(all.begin(), all.end(), [&](const copy& c) { return c.it == gone.it; }));
        }
        for (const copy& each : all) {
            check(each.it->live_bytes("closed") == 1'000 * held.size(), "blocks outlive their plugin");
            check(each.it->records(1'000, 0) == static_cast<int>(held.size()), "and their records");
        }
    }
    check(!all.empty(), "what brought a copy is still there");
    std::thread([&] {
        for (void* const block : held) { all.front().it->let_go(block); }
    }).join();
    check(all.front().it->live_bytes("closed") == 0, "and are freed by whoever has them");
}

// The last party was built otherwise.
void stranger(const std::vector<copy>& all) {
    const party& first = *all[0].it;
    const party& other = *all.back().it;
    first.start();
    const std::string told = other.start();
    check(told.find("built otherwise: this copy") != std::string::npos,
          "a copy that was built otherwise says so in its status");
    void* const held = other.hold("stranger", 7'654);
    check(other.live_bytes("stranger") == 7'654, "its tags count for itself");
    check(first.live_bytes("stranger") == 0 && first.records(7'654, 0) == 0, "and touch nothing of the first");
    check(other.records(7'654, 0) == -1, "it has no snapshots");
    within(all[0], 99, [&] { check(other.trace() == 0 && first.trace() == 99, "nor the first's context"); });
    other.let_go(held);
    other.stop();
    void* const own = first.hold("mine", 8'765);
    check(first.records(8'765, 0) == 1, "the first goes on as ever");
    first.let_go(own);
}

}  // namespace

int main(int argc, char** argv) {
    alarm(60);
    const std::string mode = argc > 1 ? argv[1] : "";
    const std::vector<copy> all = parties(argc, argv);
    if (all.size() < 2) { return 2; }
    if (mode == "one-state") {
        one_state(all);
    } else if (mode == "one-context") {
        one_context(all);
    } else if (mode == "one-log") {
        one_log(all);
    } else if (mode == "threads") {
        many_threads(all);
    } else if (mode == "tls-destructors") {
        tls_destructors(all);
    } else if (mode == "fork") {
        after_fork(all);
    } else if (mode == "closed-in-order") {
        closed(all, false);
    } else if (mode == "closed-last-first") {
        closed(all, true);
    } else if (mode == "stranger") {
        stranger(all);
    } else {
        return 2;
    }
    return failures == 0 ? 0 : 1;
}
