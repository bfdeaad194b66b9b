// SPDX-License-Identifier: Apache-2.0
// What a process does with the blocks, locks and threads of the one it was forked from, or before it becomes another program.
#include <pthread.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "victim.hpp"

namespace lifecycle {
namespace {

// Threads that allocate in every way there is, until the end of the scope.
class busy_threads {
public:
    explicit busy_threads(tag owner) {
        for (int t = 0; t < 4; ++t) {
            threads_.emplace_back([this, owner] {
                memwatch::object_pool<std::string> pool("forked pool", {.capacity = 2, .can_grow = true});
                while (!is_over_) {
                    const buffer busy = make(owner, 100);
                    auto object = pool.acquire("text");
                    static_cast<void>(tag{"interned while forking"});
                }
            });
        }
    }
    ~busy_threads() {
        is_over_ = true;
        for (std::thread& t : threads_) { t.join(); }
    }

private:
    std::atomic<bool> is_over_{false};
    std::vector<std::thread> threads_;
};

// A function of its own: the child writes into the frame that its parent returns from.
[[gnu::noinline]] pid_t vforked(const char* program, char* const* arguments) {
    const pid_t child = vfork();
    if (child == 0) {
        if (program == nullptr) { _exit(0); }
        execv(program, arguments);
        _exit(127);
    }
    return child;
}

int ended_well(pid_t child) {
    int status = -1;
    return waitpid(child, &status, 0) == child && status == 0 ? 0 : 1;
}

}  // namespace

int fork_while_allocating() {
    const tag owner{"forked"};
    const memwatch::session session = start_full();
    buffer inherited = make(owner);
    std::optional<busy_threads> threads(std::in_place, owner);
    const std::string parent_id = session.snapshot()->info.session;
    int failures = 0;
    for (int i = 0; i < 60; ++i) {
        const pid_t child = fork();
        if (child == 0) {
            int wrong = 0;
            const std::size_t before = records_of(session, owner);
            {
                const buffer mine = make(owner);
                wrong += check(records_of(session, owner) == before + 1, "the child's own blocks are recorded");
                std::thread([&] { const buffer on_thread = make(owner); }).join();
            }
            inherited = buffer(memwatch::tracked_allocator<char>{owner});
            wrong +=
                check(records_of(session, owner) == before - 1, "inherited blocks are forgotten when the child frees them");
            const auto frozen = session.snapshot();
            wrong += check(frozen->info.session != parent_id, "the child is a session of its own");
            wrong +=
                check(frozen->info.first_epoch == frozen->info.taken_ns / frozen->info.epoch_ns, "that began in this epoch");
            wrong += check(frozen->info.pid == static_cast<std::uint64_t>(getpid()), "with its own pid");
            _exit(wrong);
        }
        failures += ended_well(child);
    }
    threads.reset();
    failures += check(session.snapshot()->info.session == parent_id, "the parent stays what it was");
    failures += check(owner.totals().live_bytes() == 1000, "the parent's counts are its own");
    return failures;
}

// A child that allocates and then becomes another program, or ends as programs do: through exit() and all destructors.
int fork_and_exec() {
    const tag owner{"forked"};
    const memwatch::session session = start_full();
    int failures = 0;
    {
        const busy_threads threads(owner);
        for (int i = 0; i < 20; ++i) {
            const pid_t child = fork();
            if (child == 0) {
                const buffer mine = make(owner);
                execl("/proc/self/exe", "victim", "a-program-of-its-own", nullptr);
                _exit(127);
            }
            failures += ended_well(child);
        }
    }
    return failures + check(owner.totals().live_bytes() == 0, "the parent's counts are its own");
}

int a_program_of_its_own() {
    const tag owner{"forked"};
    int failures = check(owner.totals().allocations == 0, "a new program begins with nothing");
    const memwatch::session session = start_full();
    const buffer mine = make(owner);
    return failures + check(records_of(session, owner) == 1, "and tracks what it allocates");
}

int fork_and_exit() {
    const tag owner{"forked"};
    static const memwatch::session session = start_full();
    int failures = 0;
    const busy_threads threads(owner);
    for (int i = 0; i < 20; ++i) {
        const pid_t child = fork();
        if (child == 0) {
            const buffer mine = make(owner);
            std::exit(0);
        }
        failures += ended_well(child);
    }
    return failures;
}

// posix_spawn and vfork: the child runs in its parent's memory until it execs, and no fork handler is called.
int spawned() {
    const tag owner{"spawned"};
    const memwatch::session session = start_full();
    const std::string id = session.snapshot()->info.session;
    const buffer kept = make(owner);
    int failures = 0;
    char program[] = "/proc/self/exe";
    char mode[] = "a-program-of-its-own";
    char* const arguments[] = {program, mode, nullptr};
    {
        const busy_threads threads(tag{"busy"});
        for (int i = 0; i < 10; ++i) {
            pid_t child = -1;
            failures += check(posix_spawn(&child, program, nullptr, nullptr, arguments, environ) == 0, "a program is spawned");
            failures += ended_well(child);
            failures += ended_well(vforked(program, arguments));
            failures += ended_well(vforked(nullptr, nullptr));
        }
    }
    failures += check(session.snapshot()->info.session == id, "the parent's session never noticed");
    failures += check(owner.totals().live_bytes() == 1000 && records_of(session, owner) == 1, "nor its blocks");
    return failures;
}

namespace {

// A host's own fork handlers allocate, in all three places, and were registered before any other line of this program ran: with
// memwatch's registered later, they would run while it holds its locks.
bool has_fork_handlers = false;
const tag& handlers_tag() {
    static const tag owner{"handlers"};
    return owner;
}
buffer* cache = nullptr;

[[gnu::constructor(200)]] void register_host_handlers() {
    const auto fill = [] {
        if (has_fork_handlers) { cache = new buffer(make(handlers_tag())); }
    };
    const auto clear = [] {
        if (has_fork_handlers) { delete cache; }
    };
    pthread_atfork(fill, clear, clear);
}

}  // namespace

int fork_handlers_of_the_host() {
    const memwatch::session session = start_full();
    has_fork_handlers = true;
    int failures = 0;
    for (int i = 0; i < 20; ++i) {
        const pid_t child = fork();
        if (child == 0) {
            _exit(check(records_of(session, handlers_tag()) == 0, "the child's handler is tracked like everybody"));
        }
        failures += ended_well(child);
    }
    return failures + check(handlers_tag().totals().live_bytes() == 0, "and the parent's");
}

}  // namespace lifecycle
