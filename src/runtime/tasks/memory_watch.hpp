// SPDX-License-Identifier: Apache-2.0
#pragma once
// How much memory there is and how much is left, read once a second by a task of the worker (footprint/memory_reader.hpp).
//
//   worker, each second --turn()--> reading --> latest()       for the black box, remedies, metrics
//                                     |-------> curve()        15 minutes by the second, 24 hours by the minute
//                                     |-------> forecast()     when the limit will be met, with an interval
//                                     |-------> level()        how near the end is; turns come ten times as often there
//                                     '-------> pressure_snapshot, when the level rises
//
// Turns come early when the kernel or the service manager says that memory is short (platform/pressure_signal.hpp).
//
// A process without a worker (single-threaded with control off, a forked child that has not asked for one) has no readings:
// time_ns is 0. A later session of the process goes on; a forked child begins with none.
//
// Locks: `mutex_` innermost, held for copies and some arithmetic: never while the kernel is asked, which may take long when
// memory is short.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <memwatch/model/snapshot.hpp>
#include <memwatch/options.hpp>
#include "footprint/memory_curve.hpp"
#include "footprint/memory_reader.hpp"
#include "footprint/pressure.hpp"
#include "footprint/timeline.hpp"
#include "model/memory_reading.hpp"
#include "platform/pressure_signal.hpp"
#include "runtime/tasks/pressure_snapshot.hpp"

namespace memwatch {
inline namespace v1 {

struct process_state;
class worker;

class memory_watch {
public:
    // A session begins, under its mutex. `origin_ns`: time 0 of snapshots, by the session's clock.
    void begin(process_state& state, const options& chosen, std::uint64_t origin_ns) noexcept;
    // The worker has ended: nothing is watched any more. What was read stays.
    void end() noexcept;
    // For tests: reads made-up files from now on. While no worker runs.
    void read_from(kernel_roots roots) {
        roots_ = std::move(roots);
        forget();
    }

    // The worker's turn. Returns when it wants the next one.
    [[nodiscard]] std::uint64_t turn(process_state& state) noexcept;

    // Of the last turn. Threads: any, outside of hooks.
    [[nodiscard]] memory_reading latest() const noexcept;
    [[nodiscard]] pressure_level level() const noexcept {
        // relaxed: a figure, old when it is returned.
        return level_.load(std::memory_order_relaxed);
    }
    // Nothing when no growth towards a limit is beyond doubt.
    [[nodiscard]] std::optional<oom_forecast> forecast() const noexcept;
    // The last `span_s` seconds, oldest first.
    [[nodiscard]] std::vector<curve_point> curve(std::uint32_t span_s) const;
    // How often it came to that level or above.
    [[nodiscard]] std::uint64_t times_risen_to(pressure_level level) const noexcept;
    // All of it, of one moment; `started_unix_ns` is the caller's.
    [[nodiscard]] memory_timeline timeline(std::uint32_t span_s) const;
    // As rows of `activity`.
    void copy_into(snapshot& into) const;

    [[nodiscard]] std::size_t self_bytes() const noexcept;

    void lock_for_fork() { mutex_.lock(); }
    void unlock_after_fork() { mutex_.unlock(); }
    // In a forked child, still locked.
    void enter_child() noexcept;

private:
    void read_heap(process_state& state, memory_reading& into) noexcept;
    void read_environment() noexcept;
    void look_around(std::uint64_t now_ns) noexcept;
    void watch_signals() noexcept;
    [[nodiscard]] bool take_signals() noexcept;
    void wait_for_signals(worker& background, std::uint64_t now_ns) noexcept;
    [[nodiscard]] std::uint64_t keep(const memory_reading& next) noexcept;
    void forget() noexcept;
    void close_signals() noexcept;

    kernel_roots roots_;
    memory_reader reader_;                   // worker thread only
    std::uint64_t looked_for_groups_ns_{};   // worker thread only, CLOCK_MONOTONIC; 0 = never
    std::uint64_t heap_read_ns_{};           // worker thread only, CLOCK_MONOTONIC
    std::uint64_t heap_read_took_ns_{};      // worker thread only
    bool was_signalled_{};                   // worker thread only
    std::uint64_t signals_rest_until_ns_{};  // worker thread only, CLOCK_MONOTONIC
    // As it was when the session began; written while no worker runs.
    std::string manager_path_;
    std::string manager_message_;
    std::atomic<std::uint64_t> origin_ns_{0};

    std::atomic<pressure_level> level_{pressure_level::none};

    mutable std::mutex mutex_;
    memory_reading latest_;  // guarded by mutex_, as all below
    memory_curve curve_;
    std::optional<oom_forecast> forecast_;
    pressure_gauge gauge_;
    pressure_snapshot snapshots_{mutex_};
    platform::pressure_signal own_events_;  // these three: the worker's, opened and closed under mutex_
    platform::pressure_signal tightest_events_;
    platform::pressure_signal manager_;
};

}  // namespace v1
}  // namespace memwatch
