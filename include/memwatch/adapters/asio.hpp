// SPDX-License-Identifier: Apache-2.0
#pragma once
// For Boost.Asio: executors and handlers that carry the trace context of what they run, over any number of threads.
//
//   asio::co_spawn(memwatch::with_context(executor), handle(request), asio::detached);
//
//   awaitable<void> handle(request r) {
//       memwatch::trace_scope scope{r.id, "/api/v2/orders"};    // stays right across each co_await, on whichever thread
//       co_await timer.async_wait(use_awaitable);               // initiated: the operation notes the context of this moment
//       ...                                                     // completed: attached again; suspended: the thread's own is
//       back
//   }
//
// A context belongs to an operation, not to the executor: it is noted when something is handed over (execute, or outstanding
// work that an operation takes while it is under way) and attached around what then runs. So copies, forks, strands beneath and
// coroutines spawned by coroutines need no slot of their own and share nothing. What is handed over outside of carried work
// where no context is current gets the one that was current in with_context().
//
// In: any executor of Asio's (io_context, thread_pool, strand, any_io_executor). Out: one that satisfies the same requirements.
// Threads: as the executor beneath. Cost: an executor is 40 bytes larger, so any_io_executor keeps it in the heap.
// Where it stops: with_context(make_strand(ex)), not make_strand(with_context(ex)): a strand runs functions of several owners
// within one of its own, which is therefore given no context. An operation of the user's own that keeps neither executor
// nor work of its handler, and completes elsewhere, completes without context.

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/execution/prefer_only.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/require.hpp>
#include <type_traits>
#include <utility>

#ifdef MEMWATCH_DISABLE  // the same on top of nothing
#include <memwatch/none.hpp>
#pragma push_macro("v1")
#undef v1
#define v1 none
#include <memwatch/capture/type_name.hpp>
#else
#include <memwatch/capture/trace_context.hpp>
#include <memwatch/capture/type_name.hpp>
#endif

namespace memwatch {
inline namespace v1 {
namespace detail {

// What a strand gives to the executor beneath it: many functions in one.
template <class Function>
inline constexpr bool runs_for_many = type_name<Function>().find("strand_executor_service::invoker<") != std::string_view::npos;

// A function on its way through an executor.
template <class Function>
class carried_function {
public:
    template <class Source>
    carried_function(Source&& function, const trace_context& context)
        : function_(std::forward<Source>(function)), context_(context) {}

    void operator()() {
        const carried_run run(context_);
        std::move(function_)();
    }

private:
    Function function_;
    trace_context context_;
};

// What an operation asks of its handler's executor for as long as it is under way. (any_io_executor asks by prefer_only.)
using work_to_do = boost::asio::execution::outstanding_work_t::tracked_t;
template <class Property>
inline constexpr bool begins_operation =
    std::is_same_v<Property, work_to_do> || std::is_same_v<Property, boost::asio::execution::prefer_only<work_to_do>>;

}  // namespace detail

// An executor that attaches a context around what it runs; made by with_context().
template <class Inner>
class context_executor {
public:
    using inner_executor_type = Inner;

    // Two arguments, so that Asio's own questions about copies never come by here (Inner may be an any_io_executor).
    context_executor(const Inner& inner, const trace_context& context) noexcept : inner_(inner), context_(context) {}

    [[nodiscard]] inner_executor_type get_inner_executor() const noexcept { return inner_; }

    // --- Asio's executor requirements
    template <class Property, class = std::enable_if_t<boost::asio::can_query<const Inner&, Property>::value>>
    [[nodiscard]] decltype(auto) query(const Property& property) const
        noexcept(boost::asio::is_nothrow_query<const Inner&, Property>::value) {
        return boost::asio::query(inner_, property);
    }

    template <class Property, class = std::enable_if_t<boost::asio::can_require<const Inner&, Property>::value>>
    [[nodiscard]] auto require(const Property& property) const
        noexcept(boost::asio::is_nothrow_require<const Inner&, Property>::value) {
        return with_inner<Property>(boost::asio::require(inner_, property));
    }

    template <class Property, class = std::enable_if_t<boost::asio::can_prefer<const Inner&, Property>::value>>
    [[nodiscard]] auto prefer(const Property& property) const
        noexcept(boost::asio::is_nothrow_prefer<const Inner&, Property>::value) {
        return with_inner<Property>(boost::asio::prefer(inner_, property));
    }

    template <class Function>
    void execute(Function&& function) const {
        using on_its_way = detail::carried_function<std::decay_t<Function>>;
        if constexpr (detail::runs_for_many<std::decay_t<Function>>) {
            inner_.execute(on_its_way(std::forward<Function>(function), trace_context{}));
        } else {
            inner_.execute(on_its_way(std::forward<Function>(function), is_noted_ ? context_ : context_now()));
        }
    }

    [[nodiscard]] decltype(auto) context() const noexcept {
        return boost::asio::query(inner_, boost::asio::execution::context);
    }

    friend bool operator==(const context_executor& a, const context_executor& b) noexcept {
        return a.inner_ == b.inner_ && a.context_ == b.context_ && a.is_noted_ == b.is_noted_;
    }
    friend bool operator!=(const context_executor& a, const context_executor& b) noexcept { return !(a == b); }

private:
    template <class>
    friend class context_executor;

    [[nodiscard]] trace_context context_now() const noexcept {
        const trace_context now = trace_context::current();
        return detail::is_carried() || now != trace_context{} ? now : context_;
    }

    // An operation that begins in carried work continues it; one that begins elsewhere, what its executor says.
    template <class Property, class Other>
    [[nodiscard]] context_executor<Other> with_inner(const Other& inner) const noexcept {
        context_executor<Other> result(inner, context_);
        result.is_noted_ = is_noted_;
        if (detail::begins_operation<Property> && (!is_noted_ || detail::is_carried())) {
            result.context_ = context_now();
            result.is_noted_ = true;
        }
        return result;
    }

    Inner inner_;
    trace_context context_;  // noted: of the operation; else what was current when the executor was made
    bool is_noted_{false};
};

// `executor`, carrying contexts.
template <class Executor>
[[nodiscard]] context_executor<Executor> with_context(const Executor& executor) noexcept {
    return {executor, trace_context::current()};
}

// A completion handler in the context that was current when it was bound. Its associated executor and allocator are those of
// the handler inside. (Completion tokens such as use_awaitable are no handlers: use with_context for them.)
template <class Handler>
class context_binder {
public:
    explicit context_binder(Handler handler) : handler_(std::move(handler)) {}

    template <class... Arguments>
    decltype(auto) operator()(Arguments&&... arguments) {
        const detail::carried_run run(context_);
        return handler_(std::forward<Arguments>(arguments)...);
    }

    [[nodiscard]] const Handler& get() const noexcept { return handler_; }

private:
    trace_context context_{trace_context::current()};
    Handler handler_;
};

// `handler`, in the context of this moment; its associated executor and allocator stay its own.
template <class Handler>
[[nodiscard]] context_binder<std::decay_t<Handler>> bind_context(Handler&& handler) {
    return context_binder<std::decay_t<Handler>>(std::forward<Handler>(handler));
}

}  // namespace v1
}  // namespace memwatch

namespace boost {
namespace asio {

template <class Handler, class Executor>
struct associated_executor<memwatch::context_binder<Handler>, Executor> {
    using type = typename associated_executor<Handler, Executor>::type;
    static type get(const memwatch::context_binder<Handler>& binder, const Executor& otherwise = Executor()) noexcept {
        return associated_executor<Handler, Executor>::get(binder.get(), otherwise);
    }
};

template <class Handler, class Allocator>
struct associated_allocator<memwatch::context_binder<Handler>, Allocator> {
    using type = typename associated_allocator<Handler, Allocator>::type;
    static type get(const memwatch::context_binder<Handler>& binder, const Allocator& otherwise = Allocator()) noexcept {
        return associated_allocator<Handler, Allocator>::get(binder.get(), otherwise);
    }
};

}  // namespace asio
}  // namespace boost

#ifdef MEMWATCH_DISABLE
#pragma pop_macro("v1")
#endif
