// SPDX-License-Identifier: Apache-2.0
// What docs/handoffs.md shows: the ways work goes from one thread to another without losing which request it is for. Each part
// allocates under the request's trace, and at its end the program looks whether every block names it.

#include <utility>  // Boost 1.74's awaitable.hpp forgets it

#include <boost/asio.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <coroutine>
#include <cstdio>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string_view>
#include <vector>

#include <memwatch/adapters/asio.hpp>
#include <memwatch/adapters/coroutine.hpp>
#include <memwatch/adapters/thread.hpp>
#include <memwatch/memwatch.hpp>

namespace {

namespace asio = boost::asio;

const memwatch::tag orders{"orders"};
using order = std::vector<char, memwatch::tracked_allocator<char>>;

std::mutex mutex;
std::vector<order> kept;

void load_order() {
    order one(1000, 'x', memwatch::tracked_allocator<char>{orders});
    const std::lock_guard guard(mutex);
    kept.push_back(std::move(one));
}

struct request {
    std::string_view traceparent;
};

constexpr request incoming{"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"};

void threads() {
    // [threads]
    memwatch::trace_scope scope{incoming.traceparent, "/api/v2/orders"};
    memwatch::thread worker(load_order);                               // for std::thread
    std::future<void> later = memwatch::async(load_order);             // for std::async
    memwatch::packaged_task<void()> task(load_order);                  // for std::packaged_task, whoever calls it
    std::function<void()> job = memwatch::bind(load_order);            // for a queue or pool of your own
    memwatch::trace_context ctx = memwatch::trace_context::current();  // or as a value: attach(ctx) at the other end
    // [/threads]
    std::thread other([&] {
        task();
        job();
        // [attach]
        auto attached = memwatch::attach(ctx);
        load_order();
        // [/attach]
    });
    other.join();
    worker.join();
    later.get();
}

// [asio]
asio::awaitable<void> handle(request req) {
    memwatch::trace_scope scope{req.traceparent, "/api/v2/orders"};  // right across every co_await, on any thread
    asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::milliseconds(1));
    co_await timer.async_wait(asio::use_awaitable);
    load_order();
}

void serve(asio::any_io_executor ex, request req) { asio::co_spawn(memwatch::with_context(ex), handle(req), asio::detached); }
// [/asio]

void handlers(asio::io_context& io) {
    memwatch::trace_scope scope{incoming.traceparent, "/api/v2/orders"};
    // [handlers]
    asio::post(io, memwatch::bind_context(load_order));                 // one handler
    asio::post(memwatch::with_context(io.get_executor()), load_order);  // or whatever goes through an executor
    // [/handlers]
}

std::vector<std::coroutine_handle<>> waiting;

struct answer {  // of somebody's network library
    static bool await_ready() noexcept { return false; }
    static void await_suspend(std::coroutine_handle<> suspended) { waiting.push_back(suspended); }
    static void await_resume() noexcept {}
};

struct foreign_task {
    struct promise_type {
        static foreign_task get_return_object() noexcept { return {}; }
        static std::suspend_never initial_suspend() noexcept { return {}; }
        static std::suspend_never final_suspend() noexcept { return {}; }
        static void return_void() noexcept {}
        static void unhandled_exception() noexcept {}
    };
};

// [carry]
foreign_task fetch(request req) {  // a coroutine type that cannot be changed
    memwatch::trace_scope scope{memwatch::carried, req.traceparent};
    co_await memwatch::carry(answer());
    load_order();
}
// [/carry]

// [promise]
struct task {  // one that can: contexts are carried, frames are counted under a tag
    struct promise_type : memwatch::carried_promise, memwatch::tracked_frame<promise_type> {
        static memwatch::tag frame_tag() { return memwatch::tag{"coroutines"}; }
        auto initial_suspend() noexcept { return first(std::suspend_never{}); }
        auto final_suspend() noexcept { return last(std::suspend_never{}); }
        task get_return_object() noexcept { return {}; }
        void return_void() noexcept {}
        void unhandled_exception() noexcept {}
    };
};
// [/promise]

task fetch_with_promise(request req) {
    memwatch::trace_scope scope{req.traceparent};
    co_await answer();
    load_order();
}

// [generator]
struct generator {  // one that yields, and throws through resume()
    struct promise_type : memwatch::carried_promise {
        int value{};
        auto initial_suspend() noexcept { return first(std::suspend_always{}); }
        auto final_suspend() noexcept { return last(std::suspend_always{}); }
        auto yield_value(int next) {
            value = next;
            return yielded(std::suspend_always{});
        }
        generator get_return_object() noexcept { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
        void return_void() noexcept {}
        void unhandled_exception() { rethrow(); }
    };
    std::coroutine_handle<promise_type> coroutine;
};
// [/generator]

generator load_orders(request req) {
    memwatch::trace_scope scope{req.traceparent};
    load_order();
    co_yield 1;
    load_order();
    throw std::out_of_range("no more orders");
}

// False: the thread that asked was left with the request's context.
bool use_generator() {
    const generator orders_of = load_orders(incoming);
    orders_of.coroutine.resume();
    bool is_clean = !memwatch::trace_context::current().trace.is_valid();
    try {
        orders_of.coroutine.resume();
    } catch (const std::out_of_range&) { is_clean = is_clean && !memwatch::trace_context::current().trace.is_valid(); }
    orders_of.coroutine.destroy();
    return is_clean;
}

// [otel]
template <class Span>  // opentelemetry::trace::Span
memwatch::trace_scope follow(const Span& span, std::string_view route) {
    char digits[32];
    span.GetContext().trace_id().ToLowerBase16(digits);
    return memwatch::trace_scope{std::string_view(digits, sizeof digits), route};
}
// [/otel]

// Stands in for opentelemetry-cpp, which is not installed here.
struct span_stand_in {
    struct trace_id_stand_in {
        static void ToLowerBase16(char (&into)[32]) { incoming.traceparent.copy(into, sizeof into, 3); }
    };
    struct context_stand_in {
        static trace_id_stand_in trace_id() { return {}; }
    };
    static context_stand_in GetContext() { return {}; }
};

bool all_name_the_request(const memwatch::session& session) {
    const auto frozen = session.snapshot();
    if (!frozen) { return false; }
    const auto wanted = memwatch::parse_traceparent(incoming.traceparent);
    std::size_t named = 0;
    for (const memwatch::live_record& r : frozen->live) {
        if (frozen->sites[r.site].tag == orders.id()) { named += r.trace == wanted->trace ? 1 : 0; }
    }
    std::printf("%zu of %zu orders name their request\n", named, kept.size());
    return named == kept.size();
}

}  // namespace

int main() {
    memwatch::options options;
    options.preset = memwatch::preset_option::full;
    const memwatch::session session = memwatch::session::start(options);
    threads();
    asio::io_context io;
    serve(io.get_executor(), incoming);
    handlers(io);
    io.run();
    fetch(incoming);
    fetch_with_promise(incoming);
    for (const std::coroutine_handle<> each : waiting) {
        std::thread([each] { each.resume(); }).join();
    }
    {
        const auto scope = follow(span_stand_in{}, "/api/v2/orders");
        load_order();
    }
    const bool is_clean = use_generator();
    const bool is_right = is_clean && kept.size() == 13 && all_name_the_request(session) &&
                          memwatch::trace_context::current() == memwatch::trace_context{};
    return is_right ? 0 : 1;
}
