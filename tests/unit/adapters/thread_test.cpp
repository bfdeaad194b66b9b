// SPDX-License-Identifier: Apache-2.0
#include <memwatch/adapters/thread.hpp>

#include <catch2/catch.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

using namespace memwatch;

namespace {

constexpr trace_id id{0x77, 0x88};
trace_id current() { return trace_context::current().trace; }

struct counter {
    int value{};
    int add(int more) {
        CHECK(current() == id);
        return value += more;
    }
};

int twice(int value) { return 2 * value; }

}  // namespace

TEST_CASE("thread: works in the context of who started it; callables, arguments and members as std::thread takes them",
          "[adapters]") {
    counter subject{3};
    trace_id seen;
    int moved_in = 0;
    std::vector<memwatch::thread> threads;
    {
        const trace_scope scope(id, "/threads");
        threads.emplace_back([&] { seen = current(); });
        threads.emplace_back(&counter::add, &subject, 4);
        threads.emplace_back([&](std::unique_ptr<int> value) { moved_in = *value; }, std::make_unique<int>(5));
        threads.emplace_back([only_moves = std::make_unique<int>(1)](int&) {}, std::ref(moved_in));
    }
    for (memwatch::thread& t : threads) { t.join(); }
    CHECK(seen == id);
    CHECK(subject.value == 7);
    CHECK(moved_in == 5);
}

TEST_CASE("thread: is a std::thread, empty by default, moved and not copied", "[adapters]") {
    static_assert(!std::is_copy_constructible_v<memwatch::thread>);
    static_assert(std::is_nothrow_move_constructible_v<memwatch::thread>);
    static_assert(!std::is_convertible_v<void (*)(), memwatch::thread>);
    memwatch::thread none;
    CHECK_FALSE(none.joinable());
    memwatch::thread some([] {});
    none = std::move(some);
    std::thread plain = std::move(none);
    plain.join();
}

TEST_CASE("thread: the new thread's context ends with the function", "[adapters]") {
    std::thread outer([] {
        const trace_scope scope(id);
        auto task = detail::hand_over([] {});
        const trace_scope other(trace_id{1, 1});
        std::move(task)();
        CHECK(current() == trace_id{1, 1});
    });
    outer.join();
}

TEST_CASE("async: carries the context by either policy, and returns and throws as std::async", "[adapters]") {
    const auto policy = GENERATE(std::launch::async, std::launch::deferred, std::launch::async | std::launch::deferred);
    std::future<int> sum;
    std::future<void> failing;
    std::future<trace_id> where;
    {
        const trace_scope scope(id);
        sum = memwatch::async(policy, twice, 21);
        failing = memwatch::async(policy, [] { throw std::runtime_error("as it was"); });
        where = memwatch::async(policy, current);
    }
    static_assert(std::is_same_v<decltype(memwatch::async(twice, 1)), std::future<int>>);
    static_assert(std::is_same_v<decltype(memwatch::async(
                                     policy, [](std::unique_ptr<int>) {}, nullptr)),
                                 std::future<void>>);
    CHECK(sum.get() == 42);
    CHECK_THROWS_WITH(failing.get(), "as it was");
    CHECK(where.get() == id);
    CHECK_FALSE(current().is_valid());  // a deferred one ran here
    const trace_scope scope(id);
    CHECK(memwatch::async(current).get() == id);
}

TEST_CASE("packaged_task: runs in the context it was made in, keeps it over reset, and deduces its signature", "[adapters]") {
    memwatch::packaged_task<trace_id()> task;
    CHECK_FALSE(task.valid());
    {
        const trace_scope scope(id);
        task = memwatch::packaged_task<trace_id()>(current);
    }
    auto result = task.get_future();
    std::thread(std::move(task)).join();
    CHECK(result.get() == id);

    memwatch::packaged_task deduced([only_moves = std::make_unique<int>(3)](int more) mutable { return *only_moves += more; });
    static_assert(std::is_same_v<decltype(deduced), memwatch::packaged_task<int(int)>>);
    memwatch::packaged_task function(twice);
    static_assert(std::is_same_v<decltype(function), memwatch::packaged_task<int(int)>>);
    auto first = deduced.get_future();
    deduced(4);
    CHECK(first.get() == 7);
    deduced.reset();
    auto second = deduced.get_future();
    deduced(4);
    CHECK(second.get() == 11);
    std::packaged_task<int(int)> plain = std::move(deduced);
    CHECK(plain.valid());
}
