// SPDX-License-Identifier: Apache-2.0
// Threads that end while they hold memory, that are many, small, interrupted - and coroutines, which are on none of them for
// long.
#include <pthread.h>
#include <sys/time.h>

#include <atomic>
#include <barrier>
#include <cerrno>
#include <climits>
#include <csignal>
#include <thread>
#include <vector>
#if defined(__cpp_impl_coroutine)
#include <coroutine>
#endif

#include "victim.hpp"

namespace lifecycle {

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

// Rows, thread table and own bytes are bounded: the last nine thousand threads cost what the first thousand did.
int thread_churn() {
    const tag owner{"churn"};
    const memwatch::session session = start_full();
    std::uint64_t early = 0;
    constexpr int together = 100;
    for (int round = 0; round < 100; ++round) {
        std::barrier all_there(together);  // each has a row, a malloc arena and a stack of its own
        std::vector<std::thread> threads;
        for (int t = 0; t < together; ++t) {
            threads.emplace_back([&] {
                const buffer brief = make(owner);
                all_there.arrive_and_wait();
            });
        }
        for (std::thread& t : threads) { t.join(); }
        if (round == 9) { early = self_bytes_of(session); }
    }
    int failures = check(owner.totals().allocations == 10'000, "10,000 threads, each counted");
    failures += check(owner.totals().live_bytes() == 0 && records_of(session, owner) == 0, "nothing left");
    const std::uint64_t late = self_bytes_of(session);
    failures += check(late <= 16U << 20U, "self bytes stay within the budget");
    return failures + check(late <= early + early / 10, "and are flat");
}

namespace {

void* allocate_on_small_stack(void* owner) {
    const buffer block = make(*static_cast<const tag*>(owner));
    const memwatch::trace_scope scope("small", "/stack");
    return new buffer(make(*static_cast<const tag*>(owner)));
}

}  // namespace

int small_stacks() {
    const tag owner{"small"};
    const memwatch::session session = start_full();
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    int failures = check(pthread_attr_setstacksize(&attributes, static_cast<std::size_t>(PTHREAD_STACK_MIN)) == 0,
                         "the least stack there is");
    for (int i = 0; i < 200; ++i) {
        pthread_t thread{};
        void* held = nullptr;
        failures += check(pthread_create(&thread, &attributes, &allocate_on_small_stack, const_cast<tag*>(&owner)) == 0,
                          "is enough for a thread");
        pthread_join(thread, &held);
        failures += check(records_of(session, owner) == 1, "whose blocks are recorded");
        delete static_cast<buffer*>(held);
    }
    pthread_attr_destroy(&attributes);
    return failures + check(owner.totals().live_bytes() == 0, "and counted");
}

namespace {

std::atomic<std::uint64_t> interruptions{0};

// What a handler may do: look at its context, set one, break errno and mend it.
void interrupt(int) {
    const int saved = errno;
    const memwatch::trace_context now = memwatch::trace_context::current();
    {
        const auto other = memwatch::attach({{1, 2}, 3, 0});
        errno = memwatch::trace_context::current().trace.low == 2 ? EINTR : EINVAL;
    }
    if (!(memwatch::trace_context::current().trace == now.trace)) { std::_Exit(3); }
    interruptions.fetch_add(1, std::memory_order_relaxed);  // relaxed: a statistic
    errno = saved;
}

}  // namespace

int signals_during_sampling() {
    const tag owner{"interrupted"};
    const memwatch::session session = start_full();
    struct sigaction action {};
    action.sa_handler = &interrupt;
    sigaction(SIGPROF, &action, nullptr);  // without SA_RESTART
    const itimerval often{{0, 1000}, {0, 1000}};
    setitimer(ITIMER_PROF, &often, nullptr);
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
        threads.emplace_back([&] {
            const memwatch::trace_scope scope("of the thread", "/interrupted");
            while (interruptions.load(std::memory_order_relaxed) < 200) {  // relaxed: as above
                for (int i = 0; i < 100; ++i) { const buffer block = make(owner, 200); }
            }
        });
    }
    while (interruptions.load(std::memory_order_relaxed) < 200) { static_cast<void>(session.snapshot()); }  // relaxed: as above
    for (std::thread& t : threads) { t.join(); }
    const itimerval never{};
    setitimer(ITIMER_PROF, &never, nullptr);
    int failures = check(owner.totals().live_bytes() == 0, "what is allocated between signals is counted");
    failures += check(owner.totals().allocations == owner.totals().frees, "each of it");
    return failures + check(records_of(session, owner) == 0, "and forgotten when freed");
}

#if defined(__cpp_impl_coroutine)
namespace {

// A coroutine whose frame is a tracked object.
struct task {
    struct promise_type {
        static memwatch::tracked_allocator<std::max_align_t> allocator() {
            return memwatch::tracked_allocator<std::max_align_t>{tag{"frames"}};
        }
        static constexpr std::size_t units(std::size_t bytes) {
            return (bytes + sizeof(std::max_align_t) - 1) / sizeof(std::max_align_t);
        }
        static void* operator new(std::size_t bytes) { return allocator().allocate(units(bytes)); }
        static void operator delete(void* frame, std::size_t bytes) {
            allocator().deallocate(static_cast<std::max_align_t*>(frame), units(bytes));
        }
        task get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
        static std::suspend_always initial_suspend() noexcept { return {}; }
        static std::suspend_always final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { std::abort(); }
    };
    std::coroutine_handle<promise_type> handle;
};

task work(tag owner, int steps) {
    for (int i = 0; i < steps; ++i) {
        const buffer across = make(owner, 100);  // alive while suspended
        co_await std::suspend_always{};
    }
}

}  // namespace

int coroutine_frames() {
    const tag owner{"coroutine"};
    const tag frames{"frames"};
    const memwatch::session session = start_full();
    std::vector<task> tasks;
    for (int i = 0; i < 100; ++i) { tasks.push_back(work(owner, 3)); }
    int failures = check(records_of(session, frames) == 100, "each frame is an object of its tag");
    for (int step = 0; step < 3; ++step) {
        std::thread([&] {
            for (const task& t : tasks) { t.handle.resume(); }
        }).join();
        failures += check(records_of(session, owner) == 100, "what lives in a frame stays alive between threads");
    }
    std::thread([&] {
        for (std::size_t i = 0; i < tasks.size(); ++i) {
            if (i % 2 == 0) { tasks[i].handle.resume(); }  // the others are destroyed where they wait
            tasks[i].handle.destroy();
        }
    }).join();
    failures += check(frames.totals().live_bytes() == 0 && owner.totals().live_bytes() == 0, "frames go with all they hold");
    return failures + check(records_of(session, frames) == 0 && records_of(session, owner) == 0, "and so do the records");
}
#else
int coroutine_frames() { return 77; }
#endif

}  // namespace lifecycle
