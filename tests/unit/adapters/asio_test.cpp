// SPDX-License-Identifier: Apache-2.0
// The executor against Asio's own requirements, and what it carries where. Coroutines: tests/e2e/stories/s5_requests.cpp.
#include <memwatch/adapters/asio.hpp>

#include <array>
#include <atomic>
#include <boost/asio.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace memwatch;
namespace asio = boost::asio;

namespace {

trace_id current() { return trace_context::current().trace; }
trace_id id_of(std::size_t request) { return {0xA510, request + 1}; }

using io_executor = context_executor<asio::io_context::executor_type>;
using pool_executor = context_executor<asio::thread_pool::executor_type>;
static_assert(asio::execution::is_executor<io_executor>::value);
static_assert(asio::execution::is_executor<pool_executor>::value);
static_assert(asio::execution::is_executor<context_executor<asio::any_io_executor>>::value);
static_assert(asio::execution::is_executor<context_executor<asio::strand<asio::any_io_executor>>>::value);
static_assert(asio::execution::is_executor<asio::strand<io_executor>>::value);
static_assert(std::is_nothrow_copy_constructible_v<io_executor> && std::is_nothrow_move_constructible_v<io_executor>);
static_assert(std::is_constructible_v<asio::any_io_executor, io_executor>);
static_assert(asio::can_require<io_executor, asio::execution::blocking_t::never_t>::value);
static_assert(asio::can_query<io_executor, asio::execution::context_as_t<asio::execution_context&>>::value);

// A request that hops through `steps` timers and posts, without coroutines; a scope it keeps open across all of them.
template <class Executor>
struct session_object : std::enable_shared_from_this<session_object<Executor>> {
    session_object(const Executor& executor, std::size_t number, std::atomic<int>& wrong_count)
        : ex(executor), timer(ex), request(number), wrong(wrong_count) {}
    void start() {
        scope = std::make_unique<trace_scope>(id_of(request), "/session");
        step(0);
    }
    void step(int i) {
        if (current() != id_of(request)) { ++wrong; }
        if (i == 20) { return scope.reset(); }
        auto self = this->shared_from_this();
        if (i % 3 == 0) {
            return asio::post(ex, [self, i] { self->step(i + 1); });
        }
        if (i % 3 == 1) {
            return asio::defer(asio::bind_executor(ex, [self, i] { self->step(i + 1); }));
        }
        timer.expires_after(std::chrono::microseconds(50));
        timer.async_wait([self, i](boost::system::error_code) { self->step(i + 1); });
    }
    Executor ex;
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor> timer;
    std::size_t request;
    std::atomic<int>& wrong;
    std::unique_ptr<trace_scope> scope;
};

template <class Executor>
int wrong_contexts_of_sessions(asio::thread_pool& threads, const Executor& ex) {
    std::atomic<int> wrong{0};
    for (std::size_t r = 0; r < 50; ++r) {
        auto one = std::make_shared<session_object<Executor>>(ex, r, wrong);
        asio::post(ex, [one] { one->start(); });
    }
    threads.join();
    return wrong;
}

}  // namespace

TEST_CASE("with_context: sessions of handlers keep their scopes apart on one executor and four threads", "[adapters]") {
    asio::thread_pool threads(4);
    SECTION("of a pool") { CHECK(wrong_contexts_of_sessions(threads, with_context(threads.get_executor())) == 0); }
    SECTION("of any_io_executor") {
        CHECK(wrong_contexts_of_sessions(threads, with_context(asio::any_io_executor(threads.get_executor()))) == 0);
    }
    SECTION("inside any_io_executor") {
        CHECK(wrong_contexts_of_sessions(threads, asio::any_io_executor(with_context(threads.get_executor()))) == 0);
    }
    SECTION("of a strand") {
        CHECK(wrong_contexts_of_sessions(threads, with_context(asio::make_strand(threads.get_executor()))) == 0);
    }
    SECTION("of itself") {
        CHECK(wrong_contexts_of_sessions(threads, with_context(with_context(threads.get_executor()))) == 0);
    }
}

TEST_CASE("with_context: a strand on top of it shares a run between owners, so it gets no context rather than a wrong one",
          "[adapters]") {
    asio::thread_pool threads(2);
    const auto ex = asio::make_strand(with_context(threads.get_executor()));
    std::atomic<int> wrong{0};
    for (std::size_t r = 0; r < 200; ++r) {
        const trace_scope scope(id_of(r));
        asio::post(ex, [&wrong, r] { wrong += current().is_valid() && current() != id_of(r) ? 1 : 0; });
    }
    threads.join();
    CHECK(wrong == 0);
}

TEST_CASE("with_context: a function runs in the context it was handed over in, and the thread's own is back afterwards",
          "[adapters]") {
    asio::io_context io;
    std::vector<trace_id> seen;
    const auto ex = [&] {
        const trace_scope made(id_of(0));
        return with_context(io.get_executor());
    }();
    asio::post(ex, [&] { seen.push_back(current()); });  // nothing is current: the executor's
    {
        const trace_scope posting(id_of(1));
        asio::post(ex, [&] {
            seen.push_back(current());
            asio::dispatch(ex, [&] { seen.push_back(current()); });
            asio::post(ex, [&] { seen.push_back(current()); });
        });
    }
    const trace_scope of_thread(id_of(9));
    io.run();
    CHECK(current() == id_of(9));
    CHECK(seen == std::vector<trace_id>{id_of(0), id_of(1), id_of(1), id_of(1)});
}

TEST_CASE("with_context: an operation completes in the context it was initiated in", "[adapters]") {
    asio::io_context io;
    const auto ex = with_context(io.get_executor());
    asio::local::stream_protocol::socket a(io), b(io);
    asio::local::connect_pair(a, b);
    std::array<char, 4> buffer{};
    std::vector<trace_id> seen;
    {
        const trace_scope reading(id_of(3));  // composed of several reads
        asio::async_read(a, asio::buffer(buffer),
                         asio::bind_executor(ex, [&](boost::system::error_code, std::size_t) { seen.push_back(current()); }));
    }
    {
        const trace_scope writing(id_of(4));
        asio::async_write(b, asio::buffer("ab", 2), asio::bind_executor(ex, [&](boost::system::error_code, std::size_t) {
                              seen.push_back(current());
                              static_cast<void>(b.send(asio::buffer("cd", 2)));
                          }));
    }
    io.run();
    CHECK(seen == std::vector<trace_id>{id_of(4), id_of(3)});
}

TEST_CASE("with_context: equality follows the executor and its context", "[adapters]") {
    asio::io_context io, other;
    const auto ex = with_context(io.get_executor());
    CHECK(ex == with_context(io.get_executor()));
    CHECK(ex != with_context(other.get_executor()));
    const trace_scope scope(id_of(5));
    CHECK(ex != with_context(io.get_executor()));
    CHECK(&ex.context() == &io);
    CHECK(ex.get_inner_executor() == io.get_executor());
}

TEST_CASE("with_context: outstanding work keeps the context running", "[adapters]") {
    asio::io_context io;
    bool was_run = false;
    {
        auto work = asio::make_work_guard(with_context(io.get_executor()));
        CHECK(io.poll() == 0);
        CHECK_FALSE(io.stopped());
        std::thread([work = std::move(work), &was_run] {
            asio::post(work.get_executor(), [&was_run] { was_run = true; });
        }).join();
    }
    io.run();
    CHECK(was_run);
}

TEST_CASE("bind_context: carries into a handler, and forwards its executor and allocator", "[adapters]") {
    asio::io_context io;
    asio::thread_pool pool(1);
    trace_id seen;
    std::unique_ptr<int> moved_in = std::make_unique<int>(7);
    auto bound = [&] {
        const trace_scope scope(id_of(6));
        return bind_context(asio::bind_executor(pool.get_executor(), [&seen] { seen = current(); }));
    }();
    CHECK(asio::get_associated_executor(bound, io.get_executor()) == pool.get_executor());
    static_assert(std::is_same_v<asio::associated_allocator_t<std::decay_t<decltype(bound)>>, std::allocator<void>>);
    asio::post(io, std::move(bound));
    io.run();
    pool.join();
    CHECK(seen == id_of(6));

    int result = 0;
    auto only_moves = bind_context([moved_in = std::move(moved_in), &result](int more) { return result = *moved_in + more; });
    CHECK(only_moves(3) == 10);
    CHECK(result == 10);
}
