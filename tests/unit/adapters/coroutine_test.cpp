// SPDX-License-Identifier: Apache-2.0
// The ways out of a coroutine that no co_await is: co_yield, and an exception that leaves through resume().
#include <memwatch/adapters/coroutine.hpp>

#include <catch2/catch.hpp>
#include <coroutine>
#include <stdexcept>
#include <utility>

#include <memwatch/capture/trace_context.hpp>

using namespace memwatch;

namespace {

constexpr trace_id inner{0x11, 0x22};
constexpr trace_id outer{0x33, 0x44};
trace_id current() { return trace_context::current().trace; }

struct generator {
    struct promise_type : carried_promise {
        int value{};
        generator get_return_object() { return generator(std::coroutine_handle<promise_type>::from_promise(*this)); }
        auto initial_suspend() noexcept { return first(std::suspend_always{}); }
        auto final_suspend() noexcept { return last(std::suspend_always{}); }
        auto yield_value(int next) {
            value = next;
            return yielded(std::suspend_always{});
        }
        void return_void() {}
        void unhandled_exception() { rethrow(); }
    };

    explicit generator(std::coroutine_handle<promise_type> coroutine) : handle(coroutine) {}
    generator(generator&& other) noexcept : handle(std::exchange(other.handle, nullptr)) {}  // clang 14 asks for it
    generator& operator=(generator&&) = delete;
    ~generator() {
        if (handle) { handle.destroy(); }
    }

    int next() {
        handle.resume();
        return handle.promise().value;
    }
    std::coroutine_handle<promise_type> handle;
};

generator numbers(trace_id id) {
    const trace_scope scope(id, "/numbers");
    for (int i = 1; i <= 3; ++i) {
        CHECK(current() == id);
        co_yield i;
    }
}

generator throws_after_one(trace_id id) {
    const trace_scope scope(id, "/throws");
    co_yield 1;
    CHECK(current() == id);
    throw std::out_of_range("no more");
}

void expect_nothing_left(trace_id of_thread) {
    CHECK(current() == of_thread);
    CHECK_FALSE(detail::is_carried());
}

}  // namespace

TEST_CASE("carried_promise: a co_yield leaves no context on the thread, and finds its own again", "[adapters]") {
    for (const trace_id of_thread : {trace_id{}, outer}) {
        const trace_scope scope(of_thread, "/thread");
        generator one = numbers(inner);
        generator other = numbers({0x55, 0x66});
        for (int i = 1; i <= 3; ++i) {
            CHECK(one.next() == i);
            expect_nothing_left(of_thread);
            CHECK(other.next() == i);
            expect_nothing_left(of_thread);
        }
        one.next();
        CHECK(one.handle.done());
        expect_nothing_left(of_thread);
    }
}

TEST_CASE("carried_promise: an exception that leaves through resume() leaves no context behind", "[adapters]") {
    const trace_scope scope(outer, "/thread");
    generator thrower = throws_after_one(inner);
    CHECK(thrower.next() == 1);
    CHECK_THROWS_AS(thrower.next(), std::out_of_range);
    CHECK(thrower.handle.done());
    expect_nothing_left(outer);
}
