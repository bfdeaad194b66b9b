// SPDX-License-Identifier: Apache-2.0
// Story S5: 100 concurrent requests as coroutines on 4 threads; each block allocated after any co_await names its request.
//
//   s5_requests with-context      co_spawn(with_context(ex), ...): every block of every request carries its id
//   s5_requests without-adapter   co_spawn(ex, ...): a block has no id, or its own; what is missing is counted and said
//
// Blocks are told apart by size: request r allocates blocks of 1000 + r bytes. Built by gcc and by clang (compilers.py).
#include <unistd.h>

#include <utility>  // Boost 1.74's awaitable.hpp forgets it

#include <atomic>
#include <boost/asio.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <memwatch/adapters/asio.hpp>
#include <memwatch/memwatch.hpp>

namespace {

namespace asio = boost::asio;
using asio::awaitable;
using asio::use_awaitable;

constexpr std::size_t request_count = 100;
constexpr std::size_t steps = 12;
constexpr std::size_t first_size = 1000;
constexpr int thread_count = 4;

const memwatch::tag owner{"requests"};
using block = std::vector<char, memwatch::tracked_allocator<char>>;

memwatch::trace_id id_of(std::size_t request) { return {0x5105'0000'0000'0000, request + 1}; }

std::mutex kept_mutex;
std::vector<block> kept;
std::atomic<std::size_t> wrong{0};    // moments at which another request's context was current
std::atomic<std::size_t> missing{0};  // or none
std::atomic<std::size_t> moves{0};    // resumed on another thread than suspended

void keep_block(std::size_t request) {
    const memwatch::trace_id now = memwatch::trace_context::current().trace;
    if (!now.is_valid()) {
        ++missing;
    } else if (now != id_of(request)) {
        ++wrong;
    }
    block b(first_size + request, 'x', memwatch::tracked_allocator<char>{owner});
    const std::lock_guard guard(kept_mutex);
    kept.push_back(std::move(b));
}

awaitable<void> part_of(std::size_t request) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    timer.expires_after(std::chrono::microseconds(100 * (request % 7)));
    co_await timer.async_wait(use_awaitable);
    keep_block(request);
}

awaitable<void> handle(std::size_t request) {
    const memwatch::trace_scope scope(id_of(request), "/orders");
    const auto executor = co_await asio::this_coro::executor;
    for (std::size_t step = 0; step < steps; ++step) {
        keep_block(request);
        const pid_t before = gettid();  // not std::this_thread::get_id(): declared const, and clang keeps it across a co_await
        switch (step % 4) {
            case 0:
                co_await asio::post(executor, use_awaitable);
                break;
            case 1:
                co_await part_of(request);
                break;
            case 2:
                co_await asio::co_spawn(executor, part_of(request), use_awaitable);
                break;
            default: {
                const memwatch::trace_scope inner("", "/orders/step");
                co_await asio::defer(executor, use_awaitable);
                keep_block(request);
            }
        }
        if (gettid() != before) { ++moves; }
        keep_block(request);
    }
}

// 3 parts + 3 forks + 3 inner + 24 around them, in 12 steps.
constexpr std::size_t blocks_of_a_request = steps / 4 * 3 + 2 * steps;

template <class Executor>
void run_requests(asio::io_context& io, const Executor& executor_of) {
    for (std::size_t r = 0; r < request_count; ++r) { asio::co_spawn(executor_of(), handle(r), asio::detached); }
    std::vector<std::thread> threads;
    for (int t = 0; t < thread_count; ++t) {
        threads.emplace_back([&io] {
            io.run();
            if (memwatch::trace_context::current() != memwatch::trace_context{}) { ++wrong; }  // a context stayed behind
        });
    }
    for (std::thread& t : threads) { t.join(); }
}

int failures = 0;
void check(bool holds, const char* what) {
    if (holds) { return; }
    std::fprintf(stderr, "FAILED: %s\n", what);
    ++failures;
}

struct seen {
    std::size_t right{};
    std::size_t wrong{};
    std::size_t none{};
};

seen look_at(const memwatch::snapshot& s) {
    seen result;
    for (const memwatch::live_record& r : s.live) {
        if (s.sites[r.site].tag != owner.id()) { continue; }
        if (!r.trace.is_valid()) {
            ++result.none;
        } else if (r.size_bytes >= first_size && r.trace == id_of(r.size_bytes - first_size)) {
            ++result.right;
        } else {
            ++result.wrong;
        }
    }
    return result;
}

std::uint64_t degradation_of(const memwatch::snapshot& s, const char* name) {
    for (const memwatch::named_value& step : s.degradations) {
        if (step.name == name) { return step.value; }
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    alarm(60);
    const bool is_carried = argc < 2 || std::strcmp(argv[1], "with-context") == 0;
    memwatch::options wanted;
    wanted.preset = memwatch::preset_option::full;
    wanted.budget_bytes = 64U << 20U;  // room for a page a block
    const memwatch::session session = memwatch::session::start(wanted);

    asio::io_context io(thread_count);
    if (is_carried) {
        run_requests(io, [&] { return memwatch::with_context(io.get_executor()); });
    } else {
        run_requests(io, [&] { return io.get_executor(); });
    }
    const auto s = session.snapshot();
    check(s.has_value(), "a snapshot");
    if (!s) { return 1; }
    const seen blocks = look_at(*s);
    std::printf("%zu blocks: %zu name their request, %zu name none, %zu name another; resumed on another thread %zu times\n",
                kept.size(), blocks.right, blocks.none, blocks.wrong, moves.load());
    std::printf("context_unattached %llu, context_moved %llu\n",
                static_cast<unsigned long long>(degradation_of(*s, "context_unattached")),
                static_cast<unsigned long long>(degradation_of(*s, "context_moved")));
    check(kept.size() == request_count * blocks_of_a_request, "every request ran to its end");
    check(moves.load() > 0, "requests moved between threads");
    check(blocks.wrong == 0 && wrong.load() == 0, "no block names another request");
    check(blocks.right + blocks.none == kept.size(), "every block was recorded");
    check(degradation_of(*s, "context_moved") == 0, "no scope ended where its context was not");
    if (is_carried) {
        check(blocks.none == 0 && missing.load() == 0, "every block names its request");
        check(degradation_of(*s, "context_unattached") == 0, "every scope was attached");
    } else {
        check(blocks.none > 0, "what is not known is missing");
        check(degradation_of(*s, "context_unattached") >= request_count, "scopes that could not be attached are counted");
    }
    return failures == 0 ? 0 : 1;
}
