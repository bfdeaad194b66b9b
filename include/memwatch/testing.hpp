// SPDX-License-Identifier: Apache-2.0
#pragma once
// "This scope leaks nothing", for any test framework or none:
//
//   memwatch::testing::require_no_leaks([] { serve_one(); });                        // throws leak_error with tag, type, stack
//   const auto report = memwatch::testing::leak_check([] { serve_one(); });          // the same as a value
//   memwatch::testing::leak_scope scope; serve_one(); CHECK(scope.check().passed);   // as a scope
//   REQUIRE_THAT([] { serve_one(); }, memwatch::LeaksNothing().warmup(3));           // Catch2: testing_catch2.hpp
//
// What counts is what tracked allocators, resources and pools handed out inside the scope and what is alive at its end. Each of
// these blocks is recorded with its stack, whatever preset runs, and blocks are compared one by one: one that was freed inside
// but is older does not make up for one that leaks. Blocks of threads that allocated before the scope began are recorded from
// their next draw on only; what a tag's exact counters know beyond the records is a leak as well, without a stack. A check that
// could not see everything and cannot prove the rest from counters does not pass (docs/testing.md, "Many blocks").
//
// A session is started if none runs, joined otherwise, and is as before afterwards. Scopes nest. Caches that grow on first use
// are no leaks: `warmup` calls go before. Plain new and malloc are seen with `leak_coverage::everything` where libmemwatch-new
// is linked or libmemwatch-preload loaded; else the report says that they are not. Threads: a scope is one thread's; what it
// watches are all threads, or its own (`leak_threads`). docs/testing.md

#if defined(MEMWATCH_DISABLE)
#error "memwatch/testing.hpp: with MEMWATCH_DISABLE there is nothing to ask; build these tests without it"
#endif

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <memwatch/base/export.hpp>
#include <memwatch/capture/tag.hpp>
#include <memwatch/model/trace_id.hpp>

namespace memwatch {
inline namespace v1 {
namespace testing {

// Whose allocations count. `all` is the default: what a worker allocates on behalf of the scope leaks as well.
enum class leak_threads { all, this_thread };
enum class leak_coverage { tracked, everything };

struct leak_options {
    unsigned warmup = 0;  // calls before the ones that count
    unsigned runs = 1;
    std::uint64_t threshold_bytes = 0;  // of all runs together; 0: not one object either
    leak_threads threads = leak_threads::all;
    leak_coverage what = leak_coverage::tracked;
    std::vector<memwatch::tag> tags{};  // empty: all
};

// Objects of one type that were allocated at one place.
struct leaked_site {
    std::string tag;
    std::string type;                // empty = unknown
    std::vector<std::string> stack;  // functions, the allocating one first; without memwatch's and the library's own
    std::uint64_t objects{};
    std::uint64_t bytes{};
    trace_id oldest_trace;
    std::string oldest_route;
};

struct leaked_tag {
    std::string tag;
    std::uint64_t objects{};
    std::uint64_t bytes{};
    std::uint64_t objects_without_stack{};  // part of it: what the tag's counters know and no record does
    std::uint64_t bytes_without_stack{};
};

struct leak_report {
    bool passed{true};
    std::uint64_t objects{};
    std::uint64_t bytes{};
    std::vector<leaked_tag> tags;    // most bytes first
    std::vector<leaked_site> sites;  // likewise
    std::vector<std::string> notes;  // what limits the answer; empty = it is exact

    // Several lines, for people.
    [[nodiscard]] MEMWATCH_API std::string message() const;
};

class leak_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

namespace detail {
struct leak_scope_state;
}

// The scope itself. Ended without check(), it writes what leaked to the log.
class leak_scope {
public:
    MEMWATCH_API explicit leak_scope(leak_options options = {});
    MEMWATCH_API ~leak_scope();
    leak_scope(const leak_scope&) = delete;
    leak_scope& operator=(const leak_scope&) = delete;

    // What was allocated since the scope began and is alive now. May be called again.
    [[nodiscard]] MEMWATCH_API leak_report check();

private:
    std::unique_ptr<detail::leak_scope_state> state_;
};

// Calls `function` options.warmup times, then options.runs times inside a scope. What it throws passes through.
template <class Function>
[[nodiscard]] leak_report leak_check(Function&& function, const leak_options& options = {}) {
    for (unsigned i = 0; i < options.warmup; ++i) { function(); }
    leak_scope scope(options);
    for (unsigned i = 0; i < options.runs; ++i) { function(); }
    return scope.check();
}

// Throws leak_error with the report's message.
template <class Function>
void require_no_leaks(Function&& function, const leak_options& options = {}) {
    const leak_report report = leak_check(std::forward<Function>(function), options);
    if (!report.passed) { throw leak_error(report.message()); }
}

}  // namespace testing
}  // namespace v1
}  // namespace memwatch

// Catch2 was included before: its matcher comes along.
#if defined(CATCH_VERSION_MAJOR) || defined(CATCH_MATCHERS_HPP_INCLUDED)
#include <memwatch/testing_catch2.hpp>
#endif
