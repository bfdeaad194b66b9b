// SPDX-License-Identifier: Apache-2.0
#include <memwatch/capture/trace_context.hpp>

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <thread>

#include <memwatch/capture/scopes.hpp>
#include "capture/capture_state.hpp"

using namespace memwatch;

namespace {
constexpr char valid[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
}

TEST_CASE("traceparent: the recommendation's example is read", "[capture]") {
    const auto parsed = parse_traceparent(valid);
    REQUIRE(parsed.has_value());
    CHECK(to_string(parsed->trace) == "4bf92f3577b34da6a3ce929d0e0e4736");
    CHECK(parsed->span == 0x00f067aa0ba902b7ULL);
    CHECK(parsed->route == 0);
}

TEST_CASE("traceparent: a newer version may carry more behind a dash", "[capture]") {
    CHECK(parse_traceparent("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-holds").has_value());
}

TEST_CASE("traceparent: everything else is refused", "[capture]") {
    const std::string bad = GENERATE(
        as<std::string>{}, "", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
        "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01what",
        "0g-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    CAPTURE(bad);
    const auto parsed = parse_traceparent(bad);
    REQUIRE_FALSE(parsed.has_value());
    CHECK(parsed.error().code == error_code::invalid_argument);
}

TEST_CASE("trace_scope: nests, and puts back what was there", "[capture]") {
    const trace_context before = trace_context::current();
    {
        const trace_scope outer(valid, "/a");
        CHECK(trace_context::current().span == 0x00f067aa0ba902b7ULL);
        const route_id route_a = trace_context::current().route;
        CHECK(route_a == intern_route("/a"));
        {
            const trace_scope inner("request-4711");
            CHECK(trace_context::current().trace.is_valid());
            CHECK(trace_context::current().trace != parse_traceparent(valid)->trace);
            CHECK(trace_context::current().route == route_a);
            CHECK(trace_context::current().span == 0);
        }
        CHECK(trace_context::current().trace == parse_traceparent(valid)->trace);
        {
            const trace_scope only_route("", "/b");
            CHECK(trace_context::current().trace == parse_traceparent(valid)->trace);
            CHECK(trace_context::current().route == intern_route("/b"));
        }
    }
    CHECK(trace_context::current().trace == before.trace);
}

TEST_CASE("trace_scope: 32 hex digits are taken as they are, equal texts give equal ids", "[capture]") {
    const trace_scope id("4bf92f3577b34da6a3ce929d0e0e4736");
    CHECK(to_string(trace_context::current().trace) == "4bf92f3577b34da6a3ce929d0e0e4736");
    trace_id first;
    {
        const trace_scope text("req-1");
        first = trace_context::current().trace;
    }
    const trace_scope again("req-1");
    CHECK(trace_context::current().trace == first);
    const trace_scope other("req-2");
    CHECK(trace_context::current().trace != first);
}

TEST_CASE("bind and attach: work for the request they were bound in, on any thread", "[capture]") {
    trace_id seen_in_bound;
    trace_id seen_in_attached;
    trace_id left_behind{1, 1};
    trace_id wanted;
    std::thread worker;
    {
        const trace_scope scope(valid, "/orders");
        wanted = trace_context::current().trace;
        auto moved_in = std::make_unique<int>(7);
        auto bound = bind([&, moved_in = std::move(moved_in)](int add) {
            seen_in_bound = trace_context::current().trace;
            return *moved_in + add;
        });
        const trace_context context = trace_context::current();
        worker = std::thread([&, context, bound = std::move(bound)]() mutable {
            CHECK(bound(3) == 10);
            {
                const auto attached = attach(context);
                seen_in_attached = trace_context::current().trace;
            }
            left_behind = trace_context::current().trace;
        });
    }
    worker.join();
    CHECK(seen_in_bound == wanted);
    CHECK(seen_in_attached == wanted);
    CHECK_FALSE(left_behind.is_valid());
}

TEST_CASE("routes: interned once; the 1,025th is counted and becomes other", "[capture]") {
    CHECK(intern_route("") == 0);
    CHECK(intern_route("/same") == intern_route("/same"));
    const auto lost_before = process_capture().losses.of(drop_reason::route_table_full);
    for (int i = 0; i < 1100; ++i) { static_cast<void>(intern_route("/r" + std::to_string(i))); }
    CHECK(intern_route("/one more") == route_table::other);
    CHECK(process_capture().losses.of(drop_reason::route_table_full) > lost_before);
    CHECK(process_capture().routes.name(intern_route("/same")) == "/same");
}

namespace {
std::uint64_t times(degradation step) { return process_capture().losses.of(step); }
}  // namespace

TEST_CASE("scopes: one outside of the thread's stack is not attached, but counted", "[capture]") {
    const auto before = times(degradation::context_unattached);
    const trace_scope outer(trace_id{1, 1});
    {
        const auto elsewhere = std::make_unique<trace_scope>(trace_id{2, 2});  // as in a coroutine's frame
        CHECK(trace_context::current().trace == trace_id{1, 1});
    }
    CHECK(trace_context::current().trace == trace_id{1, 1});
    CHECK(times(degradation::context_unattached) == before + 1);
}

TEST_CASE("carried work: scopes may be left open, the thread gets its own context back, and they end where they were carried",
          "[capture]") {
    const auto moved_before = times(degradation::context_moved);
    const auto unattached_before = times(degradation::context_unattached);
    std::unique_ptr<trace_scope> open;
    trace_context taken_along;
    std::thread([&] {
        const trace_scope thread_own(trace_id{9, 1});
        {
            const detail::carried_run run({trace_id{1, 1}, 0, 0});
            open = std::make_unique<trace_scope>(trace_id{2, 2});
            taken_along = trace_context::current();
            CHECK(taken_along.trace == trace_id{2, 2});
        }
        CHECK(trace_context::current().trace == trace_id{9, 1});
    }).join();
    std::thread([&] {
        const trace_scope thread_own(trace_id{9, 2});
        {
            const detail::carried_run run(taken_along);
            CHECK(trace_context::current().trace == trace_id{2, 2});
            open.reset();
            CHECK(trace_context::current().trace == trace_id{1, 1});
        }
        CHECK(trace_context::current().trace == trace_id{9, 2});
    }).join();
    CHECK(times(degradation::context_moved) == moved_before);
    CHECK(times(degradation::context_unattached) == unattached_before);
}

TEST_CASE("scopes: one that ends where its context is not puts no wrong one back, and is counted", "[capture]") {
    const auto before = times(degradation::context_moved);
    std::unique_ptr<trace_scope> open;
    {
        const detail::carried_run run({trace_id{1, 1}, 0, 0});
        open = std::make_unique<trace_scope>(trace_id{2, 2});
    }
    {
        const trace_scope someone(trace_id{3, 3});
        open.reset();
        CHECK(trace_context::current().trace == trace_id{3, 3});
    }
    CHECK_FALSE(trace_context::current().trace.is_valid());
    CHECK(times(degradation::context_moved) == before + 1);
}

TEST_CASE("scopes: one that says carried is attached anywhere and leaves nothing behind", "[capture]") {
    {
        const auto elsewhere = std::make_unique<trace_scope>(carried, "request-7");
        CHECK(trace_context::current().trace.is_valid());
    }
    CHECK(trace_context::current() == trace_context{});
}

TEST_CASE("trace_scope: the end of each outermost one completes one trace, on any thread, and nothing else does", "[capture]") {
    const tag_table& rows = process_capture().tags;
    const std::uint64_t before = rows.completed_traces();
    const auto work = [] {
        for (int i = 0; i < 10; ++i) {
            const trace_scope outer(valid);
            const trace_scope inner("request-4711");
            bind([] {})();
        }
        const trace_scope only_route("", "/b");
        const tag_scope labelled(tag("completed"));
    };
    work();
    CHECK(rows.completed_traces() == before + 10);
    {
        const trace_scope open(valid);
        CHECK(rows.completed_traces() == before + 10);
        std::thread(work).join();
        std::thread([] {
            const context_scope handed = attach(trace_context{parse_traceparent(valid)->trace, 0, 0, 0});
        }).join();
    }
    CHECK(rows.completed_traces() == before + 21);
}
