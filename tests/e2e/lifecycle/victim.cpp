// SPDX-License-Identifier: Apache-2.0
// Small lives that end badly. Each mode is one lifecycle question from src/capture/README.md; the program answers by its exit
// status and one line. meson gives each a timeout, which is the watchdog.
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <memwatch/memwatch.hpp>

namespace {

using memwatch::tag;
using buffer = std::vector<char, memwatch::tracked_allocator<char>>;

int check(bool holds, const char* what) {
    if (!holds) { std::fprintf(stderr, "FAILED: %s\n", what); }
    return holds ? 0 : 1;
}

memwatch::session start_full() {
    memwatch::options wanted;
    wanted.preset = memwatch::preset_option::full;
    return memwatch::session::start(wanted);
}

std::size_t records_of(const memwatch::session& session, tag owner) {
    const auto frozen = session.snapshot();
    std::size_t count = 0;
    for (const memwatch::live_record& r : frozen->live) { count += frozen->sites[r.site].tag == owner.id() ? 1 : 0; }
    return count;
}

buffer make(tag owner, std::size_t bytes = 1000) { return buffer(bytes, 'x', memwatch::tracked_allocator<char>{owner}); }

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

int fork_while_allocating() {
    const tag owner{"forked"};
    const memwatch::session session = start_full();
    buffer inherited = make(owner);
    std::atomic<bool> is_over{false};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            memwatch::object_pool<std::string> pool("forked pool", {.capacity = 2, .can_grow = true});
            while (!is_over) {
                const buffer busy = make(owner, 100);
                auto object = pool.acquire("text");
                static_cast<void>(tag{"interned while forking"});
            }
        });
    }
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
        int status = -1;
        if (waitpid(child, &status, 0) != child || status != 0) { ++failures; }
    }
    is_over = true;
    for (std::thread& t : threads) { t.join(); }
    failures += check(session.snapshot()->info.session == parent_id, "the parent stays what it was");
    failures += check(owner.totals().live_bytes() == 1000, "the parent's counts are its own");
    return failures;
}

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

int fork_handlers_of_the_host() {
    const memwatch::session session = start_full();
    has_fork_handlers = true;
    int failures = 0;
    for (int i = 0; i < 20; ++i) {
        const pid_t child = fork();
        if (child == 0) {
            _exit(check(records_of(session, handlers_tag()) == 0, "the child's handler is tracked like everybody"));
        }
        int status = -1;
        if (waitpid(child, &status, 0) != child || status != 0) { ++failures; }
    }
    return failures + check(handlers_tag().totals().live_bytes() == 0, "and the parent's");
}

int thread_exit_with_tls_destructors() {
    const tag owner{"tls"};
    const memwatch::session session = start_full();
    static pthread_key_t key;
    pthread_key_create(&key, [](void* held) { delete static_cast<buffer*>(held); });
    for (int i = 0; i < 300; ++i) {
        std::thread([&] {
            thread_local buffer local = make(owner);
            local[0] = 'y';
            pthread_setspecific(key, new buffer(make(owner)));  // destroyed after, before or between our own
        }).join();
    }
    int failures = check(owner.totals().live_bytes() == 0, "what TLS destructors free is counted");
    failures += check(records_of(session, owner) == 0, "and forgotten");
    failures += check(owner.totals().allocations == 600, "each allocation once");
    return failures;
}

int exit_from_a_thread() {
    static memwatch::session session = start_full();
    static buffer kept = make(tag{"exit"});
    std::thread([] { std::exit(0); }).join();
    return 1;
}

int thread_churn() {
    const tag owner{"churn"};
    const memwatch::session session = start_full();
    for (int round = 0; round < 100; ++round) {
        std::vector<std::thread> threads;
        for (int t = 0; t < 100; ++t) {
            threads.emplace_back([&] { const buffer brief = make(owner); });
        }
        for (std::thread& t : threads) { t.join(); }
    }
    int failures = check(owner.totals().allocations == 10'000, "10,000 threads, each counted");
    failures += check(owner.totals().live_bytes() == 0, "nothing left");
    std::uint64_t self = 0;
    const auto frozen = session.snapshot();
    for (const auto& part : frozen->self_bytes) { self += part.value; }
    failures += check(self <= 16U << 20U, "self bytes stay within the budget");
    return failures;
}

int closed_descriptors() {
    const memwatch::session session = start_full();
    for (int fd = 3; fd < 256; ++fd) { close(fd); }
    const buffer some = make(tag{"closed"});
    std::thread([] { const buffer on_thread = make(tag{"closed"}); }).join();
    return check(session.snapshot().has_value(), "a host may close what it did not open");
}

struct mode {
    const char* name;
    int (*run)();
};
constexpr mode modes[] = {{"before-start-after-stop", &before_start_and_after_stop},
                          {"fork-while-allocating", &fork_while_allocating},
                          {"fork-handlers-of-the-host", &fork_handlers_of_the_host},
                          {"tls-destructors", &thread_exit_with_tls_destructors},
                          {"exit-from-a-thread", &exit_from_a_thread},
                          {"thread-churn", &thread_churn},
                          {"closed-descriptors", &closed_descriptors}};

}  // namespace

int main(int argc, char** argv) {
    for (const mode& m : modes) {
        if (argc == 2 && std::strcmp(argv[1], m.name) == 0) { return m.run(); }
    }
    std::fprintf(stderr, "usage: victim MODE\n");
    return 2;
}
