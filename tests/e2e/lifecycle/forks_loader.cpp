// SPDX-License-Identifier: Apache-2.0
// fork() and the dynamic loader's lock, which glibc leaves to the child as it was. A host that never holds it while it forks
// has children that may use the loader, whatever memwatch does meanwhile; a host that does has children that get as far as
// without.
#include <dlfcn.h>
#include <link.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <thread>

#include "victim.hpp"

namespace lifecycle {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int most_rounds = 20;
#else
constexpr int most_rounds = 300;
#endif
constexpr unsigned patience_s = 5;

// Ends with the scope.
class thread_that_repeats {
public:
    template <class Action>
    explicit thread_that_repeats(Action action)
        : thread_([this, action] {
              while (!is_over_) { action(); }
          }) {}
    ~thread_that_repeats() {
        is_over_ = true;
        thread_.join();
    }

private:
    std::atomic<bool> is_over_{false};
    std::thread thread_;
};

void load_and_unload() {
    if (void* const handle = dlopen("libresolv.so.2", RTLD_NOW); handle != nullptr) { dlclose(handle); }
}

// A child may be stuck in a fork handler, before it could set an alarm of its own.
bool ended_well_in_time(pid_t child) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(patience_s);
    int status = -1;
    while (waitpid(child, &status, WNOHANG) == 0) {
        if (std::chrono::steady_clock::now() > until) {
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
            return false;
        }
        usleep(200);
    }
    return status == 0;
}

// How many children did not end by themselves, and with 0. Stops at the first.
template <class Child>
int count_stuck(int rounds, Child child) {
    for (int i = 0; i < std::min(rounds, most_rounds); ++i) {
        const pid_t forked = fork();
        if (forked == 0) {
            std::signal(SIGALRM, SIG_DFL);
            alarm(patience_s);  // outlives exec
            child();
            _exit(1);
        }
        if (!ended_well_in_time(forked)) { return 1; }
    }
    return 0;
}

}  // namespace

// memwatch walks modules in the parent. The child knows nothing of memwatch, and loads a library.
int loader_in_a_forked_child() {
    const memwatch::session session = start_full();
    const thread_that_repeats asking([&] { static_cast<void>(session.summary()); });
    return check(count_stuck(300,
                             [] {
                                 dl_iterate_phdr([](dl_phdr_info*, std::size_t, void*) { return 0; }, nullptr);
                                 load_and_unload();
                                 _exit(0);
                             }) == 0,
                 "a forked child can use the loader");
}

// The same in the child of a child, and from memwatch itself.
int snapshot_in_a_forked_child() {
    const memwatch::session session = start_full();
    const thread_that_repeats asking([&] { static_cast<void>(session.summary()); });
    return check(count_stuck(100,
                             [&] {
                                 const pid_t grandchild = fork();
                                 if (grandchild == 0) {
                                     alarm(patience_s);
                                     load_and_unload();
                                     _exit(session.snapshot()->modules.empty() ? 1 : 0);
                                 }
                                 int status = -1;
                                 waitpid(grandchild, &status, 0);
                                 _exit(status == 0 && session.snapshot().has_value() ? 0 : 1);
                             }) == 0,
                 "a child can take a snapshot, and its child");
}

// The host itself leaves the loader's lock to its children, who use no loader: they become another program. Preloaded, memwatch
// starts a thread in each.
int exec_while_loading() {
    const thread_that_repeats loading(&load_and_unload);
    return check(count_stuck(100, [] { execl("/bin/true", "true", nullptr); }) == 0, "a child becomes another program");
}

// And fork again, and end as programs do.
int exit_while_loading() {
    const thread_that_repeats loading(&load_and_unload);
    return check(count_stuck(100,
                             [] {
                                 const pid_t grandchild = fork();
                                 if (grandchild == 0) { _exit(0); }
                                 int status = -1;
                                 waitpid(grandchild, &status, 0);
                                 _exit(status == 0 ? 0 : 1);
                             }) == 0,
                 "a child forks again and ends");
}

}  // namespace lifecycle
