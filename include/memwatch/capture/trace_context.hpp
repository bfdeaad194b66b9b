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

// Index of an interned route; 0 = none, 1 = "other" (the table of 1,024 routes is full).
using route_id = std::uint16_t;

struct trace_context {
    trace_id trace;
    std::uint64_t span{};
    route_id route{};

    // The calling thread's context.
    [[nodiscard]] MEMWATCH_API static trace_context current() noexcept;
};
static_assert(std::is_trivially_copyable_v<trace_context> && sizeof(trace_context) == 32);

// A W3C traceparent header, version 00 or newer: "00-<32 hex>-<16 hex>-<2 hex>". Route stays 0. Errors: invalid_argument (wrong
// shape, upper-case digits, version ff, all-zero ids), as https://www.w3.org/TR/trace-context/#traceparent-header demands.
[[nodiscard]] MEMWATCH_API result<trace_context> parse_traceparent(std::string_view header);

// The id of a route label ("/api/v2/orders", not the URL: labels must be few). Interned for the life of the process.
[[nodiscard]] MEMWATCH_API route_id intern_route(std::string_view route) noexcept;

// Puts a context in place and the previous one back. Nestable; must end on the thread it began on.
class [[nodiscard]] context_scope {
public:
    MEMWATCH_API explicit context_scope(const trace_context& context) noexcept;
    MEMWATCH_API ~context_scope();
    context_scope(const context_scope&) = delete;
    context_scope& operator=(const context_scope&) = delete;

private:
    trace_context previous_;
};

// `auto attached = memwatch::attach(ctx);` - the handoff's receiving end.
[[nodiscard]] inline context_scope attach(const trace_context& context) noexcept { return context_scope(context); }

// The scope of one request. Accepts a traceparent header, 32 hex digits of a trace id, or any other request id, which is hashed
// to 128 bits (equal texts give equal ids). An empty text keeps the current trace and only sets the route.
class [[nodiscard]] trace_scope {
public:
    MEMWATCH_API explicit trace_scope(std::string_view traceparent_or_id, std::string_view route = {}) noexcept;
    MEMWATCH_API explicit trace_scope(trace_id trace, std::string_view route = {}) noexcept;

private:
    context_scope scope_;
};

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
