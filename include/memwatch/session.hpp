// SPDX-License-Identifier: Apache-2.0
#pragma once
// The one object an application owns: while a session lives, memwatch samples. The state behind it is process-wide and is never
// torn down: starting twice joins the first session, allocations before start and after stop are legal and exactly counted.
//
// In: options (code < environment). Out: snapshots. Threads: every member may be called from any thread.
// A session is always usable: when something could not be set up, `status()` says what, and the rest works.

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <memwatch/base/export.hpp>
#include <memwatch/base/result.hpp>
#include <memwatch/model/snapshot.hpp>
#include <memwatch/options.hpp>

namespace memwatch {
inline namespace v1 {

// degraded: something could not be set up, and the rest works.
enum class session_state { running, degraded, stopped };

// How a session is.
struct session_status {
    session_state state{session_state::stopped};
    std::string detail;  // one sentence for a log line; empty when running
};

// What session::on_verdict() calls. `changed` is a verdict of a row of `seen`, whose frames have the names it needs.
using verdict_function = void (*)(const verdict& changed, const snapshot& seen, void* context) noexcept;

class session {
public:
    // Starts sampling, or joins the session that is already running (its options stay in force and status() says so).
    // Errors: none; a bad option or environment value is reported by status() and its default used.
    [[nodiscard]] MEMWATCH_API static session start(options wanted = {}) noexcept;

    session() noexcept = default;  // a stopped session
    MEMWATCH_API session(session&& other) noexcept;
    MEMWATCH_API session& operator=(session&& other) noexcept;
    session(const session&) = delete;
    session& operator=(const session&) = delete;

    // stop().
    MEMWATCH_API ~session();

    // Ends this handle; the last one stops sampling. Blocks sampled so far stay tracked until they are freed. Idempotent.
    MEMWATCH_API void stop() noexcept;

    [[nodiscard]] MEMWATCH_API session_status status() const;

    // Changes what runs, for the whole process and all handles; estimates stay unbiased throughout. A thread that samples
    // finishes the draw it is in (one interval in the mean), one that was off notices within 1 MiB of its own allocations.
    // pause() keeps what is tracked and adds nothing; resume() and set_preset() end it. Errors: unavailable (no session is
    // open), invalid_argument (an interval beyond 1 byte .. 1 TiB).
    //
    // A preset `for_ns` (1 ms .. 168 h) ends by itself: preset and interval are then what they were before; 0: it stays, but
    // for investigate, which lasts options::investigate_for_ns. The next set_preset() cancels that, an interval set meanwhile
    // stays, pauses do not stop the time. A forked child goes back at once; a new session begins with its own options.
    MEMWATCH_API result<void> set_preset(preset_option wanted, std::uint64_t for_ns = 0);
    MEMWATCH_API result<void> set_interval(std::uint64_t interval_bytes);
    // Any options that may change while it runs (docs/options.md), by their external names and as text, all of them or none:
    // set({{"preset", "full"}, {"for", "5m"}, {"stack_depth", "32"}}). Errors: as above; invalid_argument also for what is
    // fixed at start.
    MEMWATCH_API result<void> set(const std::vector<std::pair<std::string, std::string>>& wanted);
    // Which blocks become samples, asked at every allocation (docs/options.md: what that costs). `function` and `context` must
    // stay valid for the life of the process. Null: Poisson sampling again. Errors: unavailable, limit (256 different ones).
    MEMWATCH_API result<void> set_sampler(sampler_function function, void* context = nullptr);
    MEMWATCH_API result<void> pause();
    MEMWATCH_API result<void> resume();

    // "From here on": reports can leave out what was born before (memwatch show --since-baseline, ?since=baseline). The mark is
    // in snapshots' info; the last one counts. Returns it, in ns of the snapshots' timeline. Errors: unavailable.
    MEMWATCH_API result<std::uint64_t> mark_baseline();

    // Freezes the live state without stopping the threads that allocate. Works on a stopped session as long as anything was
    // ever started. Errors: unavailable. Cost: about 0.1 us a live sample (tests/bench/sample_bench.cpp).
    [[nodiscard]] MEMWATCH_API result<memwatch::snapshot> snapshot(std::string_view label = {}) const;

    // As snapshot(), without the live records and so in time proportional to the sites: what a scrape or a top list needs.
    [[nodiscard]] MEMWATCH_API result<memwatch::snapshot> summary() const;

    // Who is told when a site or a pool begins to leak or to be suspected of it, when its severity rises, and when that is
    // over: level_of(changed.kind) says which. One function a process, null for none; it and `context` must stay valid for the
    // life of the process. Called on memwatch's thread at the end of an epoch, under no lock, one call at a time; it may take
    // snapshots, and what it allocates is not sampled. A change at the last look of a session is told to nobody: snapshots have
    // it.
    MEMWATCH_API void on_verdict(verdict_function function, void* context = nullptr) noexcept;

    // Fills in function names (symbol table only: no lines, no inlined frames) for the frames of the `max_sites` sites with the
    // most live bytes, of as many that are called a leak or a suspect, and of the places that pools' oldest checkouts were
    // acquired at. Bounded work and memory, cached; everything else is symbolized offline by the CLI. Never fails: a frame that
    // cannot be named stays as module + offset.
    MEMWATCH_API void name_functions(memwatch::snapshot& s, std::size_t max_sites = 20) const;

    // The options in force after defaults, code and environment were merged.
    [[nodiscard]] MEMWATCH_API options effective_options() const;

private:
    explicit session(bool has_joined) noexcept : is_open_(true), has_joined_(has_joined) {}

    bool is_open_{};     // holds one reference on the process-wide session
    bool has_joined_{};  // it was running already
};

}  // namespace v1
}  // namespace memwatch
