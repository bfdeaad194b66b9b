// SPDX-License-Identifier: Apache-2.0
// Coroutines that change threads at each co_await, and allocate before and behind it through code that is inlined into them: no
// count may be lost to a thread-local address that a compiler kept (llvm-project#47179), and no context to another coroutine.
// A plain program: built by this build's compiler, and at -O2 by each that is installed (tests/e2e/stories/compilers.py).
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <memory_resource>
#include <mutex>
#include <thread>
#include <vector>

#include <memwatch/adapters/coroutine.hpp>
#include <memwatch/memwatch.hpp>

namespace {

constexpr int thread_count = 4;
constexpr int coroutine_count = 64;
constexpr int hop_count = 300;

const memwatch::tag blocks{"blocks"};
const memwatch::tag frames{"frames"};
const memwatch::tag frames_elsewhere{"frames from an allocator"};

std::atomic<int> failures{0};
void check(bool holds, const char* what) {
    if (holds) { return; }
    if (++failures <= 10) { std::fprintf(stderr, "FAILED: %s\n", what); }
}

// Each of the threads takes coroutines from its own queue; hop() sends one to the next thread.
class inbox {
public:
    void push(std::coroutine_handle<> work) {
        const std::lock_guard guard(mutex_);
        work_.push_back(work);
        ready_.notify_one();
    }
    void run() {
        std::unique_lock lock(mutex_);
        for (;;) {
            ready_.wait(lock, [&] { return !work_.empty(); });
            const std::coroutine_handle<> next = work_.front();
            work_.pop_front();
            if (!next) { return; }
            lock.unlock();
            next.resume();
            check(memwatch::trace_context::current() == memwatch::trace_context{}, "no context stays on a thread");
            lock.lock();
        }
    }

private:
    std::mutex mutex_;
    std::condition_variable ready_;
    std::deque<std::coroutine_handle<>> work_;
};
inbox inboxes[thread_count];
std::atomic<int> running{coroutine_count * 3};

struct hop {
    unsigned to;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> suspended) const { inboxes[to % thread_count].push(suspended); }
    void await_resume() const noexcept {}
};

void finish_one() {
    if (--running > 0) { return; }
    for (inbox& each : inboxes) { each.push({}); }
}

// A library of its own: contexts and frames are seen to by the promise.
struct task {
    struct promise_type : memwatch::carried_promise, memwatch::tracked_frame<promise_type> {
        static memwatch::tag frame_tag() { return frames; }
        task get_return_object() noexcept { return {}; }
        auto initial_suspend() noexcept { return first(std::suspend_never{}); }
        auto final_suspend() noexcept { return last(std::suspend_never{}); }
        void return_void() noexcept { finish_one(); }
        void unhandled_exception() noexcept { check(false, "no exception"); }
    };
};

struct task_from_allocator {
    struct promise_type : memwatch::carried_promise, memwatch::tracked_frame<promise_type> {
        static memwatch::tag frame_tag() { return frames_elsewhere; }
        task_from_allocator get_return_object() noexcept { return {}; }
        auto initial_suspend() noexcept { return first(std::suspend_never{}); }
        auto final_suspend() noexcept { return last(std::suspend_never{}); }
        void return_void() noexcept { finish_one(); }
        void unhandled_exception() noexcept { check(false, "no exception"); }
    };
};

// Somebody else's coroutine type.
struct foreign_task {
    struct promise_type {
        foreign_task get_return_object() noexcept { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() noexcept { finish_one(); }
        void unhandled_exception() noexcept { check(false, "no exception"); }
    };
};

void expect_trace(memwatch::trace_id wanted) {
    check(memwatch::trace_context::current().trace == wanted, "the context is the coroutine's own");
}

task carried_by_promise(unsigned number) {
    const memwatch::trace_id id{1, number + 1};
    const memwatch::trace_scope scope(id, "/promise");
    memwatch::tracked_allocator<char> allocator{blocks};
    for (unsigned i = 0; i < hop_count; ++i) {
        char* const block = allocator.allocate(number + 1);
        co_await hop{number + i};
        allocator.deallocate(block, number + 1);
        char* const second = allocator.allocate(8);
        expect_trace(id);
        co_await hop{number * i};
        allocator.deallocate(second, 8);
    }
}

task_from_allocator with_allocator(std::allocator_arg_t, std::pmr::polymorphic_allocator<> allocator, unsigned number) {
    static_cast<void>(allocator);
    const memwatch::trace_id id{2, number + 1};
    const memwatch::trace_scope scope(id, "/allocator");
    for (unsigned i = 0; i < hop_count; ++i) {
        memwatch::detail::count_allocation(blocks.id(), 16);
        co_await hop{number + i};
        memwatch::detail::count_free(blocks.id(), 16);
        expect_trace(id);
    }
}

foreign_task carried_by_hand(unsigned number) {
    const memwatch::trace_id id{3, number + 1};
    const memwatch::trace_scope scope(memwatch::carried, to_string(id), "/hand");
    memwatch::tracked_allocator<char> allocator{blocks};
    for (unsigned i = 0; i < hop_count; ++i) {
        char* const block = allocator.allocate(3);
        co_await memwatch::carry(hop{number + i});
        allocator.deallocate(block, 3);
        expect_trace(id);
    }
}

void expect_balance(memwatch::tag owner, std::uint64_t allocations) {
    const memwatch::tag_totals totals = owner.totals();
    std::printf("%s: %llu allocated, %llu freed, %llu B live\n", totals.name.c_str(),
                static_cast<unsigned long long>(totals.allocations), static_cast<unsigned long long>(totals.frees),
                static_cast<unsigned long long>(totals.live_bytes()));
    check(totals.allocations == allocations, "each allocation was counted");
    check(totals.frees == allocations && totals.live_bytes() == 0, "each free was counted");
}

// While they are suspended, frames are live blocks of their tag, with the stack that called the coroutine.
void expect_frames(const memwatch::session& session) {
    const auto s = session.snapshot();
    std::size_t count = 0;
    for (const memwatch::live_record& r : s->live) {
        if (s->sites[r.site].tag != frames.id()) { continue; }
        ++count;
        check(!s->stacks[s->sites[r.site].stack].frames.empty(), "a frame has a stack");
        check(s->sites[r.site].type.find("coroutine_frame<") != std::string::npos, "and a type");
    }
    check(count == coroutine_count, "each suspended frame is a live block");
    check(frames.totals().live_objects() == coroutine_count, "and counted exactly");
    check(frames_elsewhere.totals().live_objects() == coroutine_count, "also those from an allocator");
}

}  // namespace

int main() {
    alarm(120);
    memwatch::options wanted;
    wanted.preset = memwatch::preset_option::full;
    wanted.budget_bytes = 64U << 20U;
    const memwatch::session session = memwatch::session::start(wanted);
    std::pmr::synchronized_pool_resource pool;
    for (unsigned i = 0; i < coroutine_count; ++i) {  // each runs to its first hop here
        carried_by_promise(i);
        with_allocator(std::allocator_arg, &pool, i);
        carried_by_hand(i);
        check(memwatch::trace_context::current() == memwatch::trace_context{}, "no context stays with the caller");
    }
    expect_frames(session);
    std::vector<std::thread> threads;
    for (inbox& each : inboxes) {
        threads.emplace_back([&each] { each.run(); });
    }
    for (std::thread& t : threads) { t.join(); }
    expect_balance(blocks, std::uint64_t{coroutine_count} * hop_count * 4);
    expect_balance(frames, coroutine_count);
    expect_balance(frames_elsewhere, coroutine_count);
    return failures == 0 ? 0 : 1;
}
