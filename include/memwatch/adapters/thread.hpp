// SPDX-License-Identifier: Apache-2.0
#pragma once
// std::thread, std::async and std::packaged_task that take the caller's trace context along:
//
//   memwatch::trace_scope scope{request["traceparent"], "/api/v2/orders"};
//   memwatch::thread worker(load, &order);                        // works for the same request
//   std::future<int> sum = memwatch::async(add_up, order.items);  // so does this, on whichever thread it runs
//   memwatch::packaged_task<int(int)> task(&price);               // and this, when somebody calls it
//
// The context is taken when the object is made. Contracts, deduced types, exceptions and move-only callables are std's; a
// memwatch::thread is a std::thread (`std::thread t = std::move(worker);` with `=`: std's own constructor would take it for a
// callable), and so is a packaged_task. Cost: 32 bytes and two calls a task. Threads: as std.

#include <functional>
#include <future>
#include <thread>
#include <type_traits>
#include <utility>

#ifdef MEMWATCH_DISABLE  // the same on top of nothing
#include <memwatch/none.hpp>
#pragma push_macro("v1")
#undef v1
#define v1 none
#else
#include <memwatch/capture/trace_context.hpp>
#endif

namespace memwatch {
inline namespace v1 {
namespace detail {

// A decayed callable and the context it was handed over in.
template <class Function>
class handed_over {
public:
    template <class Source, class = std::enable_if_t<!std::is_same_v<std::decay_t<Source>, handed_over>>>
    explicit handed_over(Source&& function) : function_(std::forward<Source>(function)) {}

    template <class... Arguments>
    std::invoke_result_t<Function, Arguments...> operator()(Arguments&&... arguments) && {
        const context_scope scope(context_);
        return std::invoke(std::move(function_), std::forward<Arguments>(arguments)...);
    }
    template <class... Arguments>
    std::invoke_result_t<Function&, Arguments...> operator()(Arguments&&... arguments) & {
        const context_scope scope(context_);
        return std::invoke(function_, std::forward<Arguments>(arguments)...);
    }

private:
    trace_context context_{trace_context::current()};
    Function function_;
};

template <class Function>
[[nodiscard]] handed_over<std::decay_t<Function>> hand_over(Function&& function) {
    return handed_over<std::decay_t<Function>>(std::forward<Function>(function));
}

template <class Task>
struct signature_of;
template <class Signature>
struct signature_of<std::packaged_task<Signature>> {
    using type = Signature;
};

}  // namespace detail

class thread : public std::thread {
public:
    thread() noexcept = default;
    template <class Function, class... Arguments,
              class = std::enable_if_t<!std::is_base_of_v<std::thread, std::remove_cv_t<std::remove_reference_t<Function>>>>>
    explicit thread(Function&& function, Arguments&&... arguments)
        : std::thread(detail::hand_over(std::forward<Function>(function)), std::forward<Arguments>(arguments)...) {}
};

// std::async, in the caller's context wherever it runs.
template <class Function, class... Arguments>
[[nodiscard]] std::future<std::invoke_result_t<std::decay_t<Function>, std::decay_t<Arguments>...>> async(
    std::launch policy, Function&& function, Arguments&&... arguments) {
    return std::async(policy, detail::hand_over(std::forward<Function>(function)), std::forward<Arguments>(arguments)...);
}

// The same, where std::async chooses the policy.
template <class Function, class... Arguments, class = std::enable_if_t<!std::is_same_v<std::decay_t<Function>, std::launch>>>
[[nodiscard]] std::future<std::invoke_result_t<std::decay_t<Function>, std::decay_t<Arguments>...>> async(
    Function&& function, Arguments&&... arguments) {
    return std::async(detail::hand_over(std::forward<Function>(function)), std::forward<Arguments>(arguments)...);
}

template <class Signature>
class packaged_task;

template <class Result, class... Arguments>
class packaged_task<Result(Arguments...)> : public std::packaged_task<Result(Arguments...)> {
public:
    packaged_task() noexcept = default;
    template <class Function, class = std::enable_if_t<!std::is_base_of_v<std::packaged_task<Result(Arguments...)>,
                                                                          std::remove_cv_t<std::remove_reference_t<Function>>>>>
    explicit packaged_task(Function&& function)
        : std::packaged_task<Result(Arguments...)>(detail::hand_over(std::forward<Function>(function))) {}
};

// What std::packaged_task deduces.
template <class Function>
packaged_task(Function)
    -> packaged_task<typename detail::signature_of<decltype(std::packaged_task(std::declval<Function>()))>::type>;

}  // namespace v1
}  // namespace memwatch

#ifdef MEMWATCH_DISABLE
#pragma pop_macro("v1")
#endif
