// SPDX-License-Identifier: Apache-2.0
#pragma once
// For which request does a thread work right now? A trace context is a plain value: the W3C trace id and span id, and an
// interned route. It lives in the thread's block, so that a sampled allocation can be labelled without a call into a tracing
// library.
//
//   memwatch::trace_scope scope{request["traceparent"], "/api/v2/orders"};     // this thread, until the end of the block
//   queue.push(memwatch::bind([=] { work(); }));                               // the worker works for the same request
//
// In: traceparent headers, ids, routes. Out: labels on records. Threads: the context is the calling thread's; values may
// travel. Nothing here allocates, locks on the fast path or throws. Every access to the thread's block is out of line on
// purpose: a compiler may cache a TLS address across a coroutine's suspension point, where the coroutine changes threads.

#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

#include <memwatch/base/export.hpp>
#include <memwatch/base/result.hpp>
#include <memwatch/model/trace_id.hpp>

namespace memwatch {
inline namespace v1 {

// Index of an interned tag; 0 = untagged, 1 = "other" (the table is full).
using tag_id = std::uint16_t;

// Index of an interned route; 0 = none, 1 = "other" (the table of 1,024 routes is full).
using route_id = std::uint16_t;

struct trace_context {
    trace_id trace;
    std::uint64_t span{};
    route_id route{};
    tag_id tag{};  // of what is sampled without a tag of its own (capture/scopes.hpp); 0 = none

    // The calling thread's context.
    [[nodiscard]] MEMWATCH_API static trace_context current() noexcept;

    friend constexpr bool operator==(const trace_context& a, const trace_context& b) noexcept {
        return a.trace == b.trace && a.span == b.span && a.route == b.route && a.tag == b.tag;
    }
    friend constexpr bool operator!=(const trace_context& a, const trace_context& b) noexcept { return !(a == b); }
};
static_assert(std::is_trivially_copyable_v<trace_context> && sizeof(trace_context) == 32);

// A W3C traceparent header, version 00 or newer: "00-<32 hex>-<16 hex>-<2 hex>". Route stays 0. Errors: invalid_argument (wrong
// shape, upper-case digits, version ff, all-zero ids), as https://www.w3.org/TR/trace-context/#traceparent-header demands.
[[nodiscard]] MEMWATCH_API result<trace_context> parse_traceparent(std::string_view header);

// The id of a route label ("/api/v2/orders", not the URL: labels must be few). Interned for the life of the process.
[[nodiscard]] MEMWATCH_API route_id intern_route(std::string_view route) noexcept;

// Says of a scope in a coroutine that each of its suspensions is carried (memwatch/adapters/coroutine.hpp).
struct carried_t {};
// `trace_scope scope{memwatch::carried, id};`
inline constexpr carried_t carried{};

// Puts a context in place and the previous one back. Nestable. A scope is a local variable of a function that runs on one
// thread; what is suspended in the middle needs an adapter, which takes the context along and leaves none behind:
//
//   where it lives                      without adapter                              carried (asio, mix-in, carried_t)
//   a thread's stack                    until its end                                until its end
//   a coroutine's frame, the heap       not attached: `context_unattached` counts    attached; ends wherever it was carried to
//   ends where its context is not       `context_moved` counts; a fiber's new thread has none then, rather than a wrong one
//
// So a request's context never stays on a thread that works for another one by then: it is missing, and said to be.
class [[nodiscard]] context_scope {
public:
    MEMWATCH_API explicit context_scope(const trace_context& context) noexcept;
    MEMWATCH_API context_scope(carried_t, const trace_context& context) noexcept;
    MEMWATCH_API ~context_scope();
    context_scope(const context_scope&) = delete;
    context_scope& operator=(const context_scope&) = delete;

private:
    friend class trace_scope;
    void attach(const trace_context& previous) noexcept;
    // Its end is the end of the thread's work for a trace: nothing around it works for one.
    [[nodiscard]] bool is_outermost() const noexcept {
        return is_attached_ && mine_.trace.is_valid() && !previous_.trace.is_valid();
    }

    trace_context mine_;
    trace_context previous_;
    const void* thread_{nullptr};  // where it is sure to end, being on that thread's stack; null = anywhere
    bool is_attached_{false};
};

// `auto attached = memwatch::attach(ctx);` - the handoff's receiving end.
[[nodiscard]] inline context_scope attach(const trace_context& context) noexcept { return context_scope(context); }

// The scope of one request. Accepts a traceparent header, 32 hex digits of a trace id, or any other request id, which is hashed
// to 128 bits (equal texts give equal ids). An empty text keeps the current trace and only sets the route. The end of an
// outermost one completes a trace: verdicts tell growth that follows the load from growth that does not by how many there were.
class [[nodiscard]] trace_scope {
public:
    MEMWATCH_API explicit trace_scope(std::string_view traceparent_or_id, std::string_view route = {}) noexcept;
    MEMWATCH_API explicit trace_scope(trace_id trace, std::string_view route = {}) noexcept;
    MEMWATCH_API trace_scope(carried_t, std::string_view traceparent_or_id, std::string_view route = {}) noexcept;
    MEMWATCH_API ~trace_scope();
    trace_scope(const trace_scope&) = delete;
    trace_scope& operator=(const trace_scope&) = delete;

private:
    context_scope scope_;
};

namespace detail {

// What an adapter exchanges at the borders of a piece of work: the thread's context, and whether what runs now is carried, so
// that scopes outside of the thread's stack may be attached. Returns what was there. Out of line, as all of this.
struct thread_context {
    trace_context context;
    bool is_carried{};
};
MEMWATCH_API thread_context exchange_context(const thread_context& next) noexcept;
// The same for the context alone.
MEMWATCH_API trace_context exchange_context(const trace_context& next) noexcept;
[[nodiscard]] MEMWATCH_API bool is_carried() noexcept;

// A piece of carried work: in the given context from here to the end of the block, whatever scopes it leaves open.
class [[nodiscard]] carried_run {
public:
    explicit carried_run(const trace_context& context) noexcept : before_(exchange_context(thread_context{context, true})) {}
    ~carried_run() { exchange_context(before_); }
    carried_run(const carried_run&) = delete;
    carried_run& operator=(const carried_run&) = delete;

private:
    thread_context before_;
};

}  // namespace detail

// Wraps a callable so that it runs in the context that was current when bind() was called, wherever it runs.
template <class Function>
[[nodiscard]] auto bind(Function&& function) {
    return [context = trace_context::current(),
            function = std::forward<Function>(function)](auto&&... arguments) mutable -> decltype(auto) {
        const context_scope scope(context);
        return function(std::forward<decltype(arguments)>(arguments)...);
    };
}

}  // namespace v1
}  // namespace memwatch
