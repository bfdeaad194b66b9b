// SPDX-License-Identifier: Apache-2.0
#pragma once
// Who leaks, asked once an epoch: a task of the worker shows the process' one engine (src/verdict) every live block and site,
// keeps what it says for the snapshots, and tells the log and the program's own function when a site begins or ends to leak.
//
//   worker, each epoch's end --turn()--> live_state::visit -> engine -> changes -> log line, session::on_verdict
//   any thread, the last moment of main or of the session --look_now()--> the same, told to nobody
//   any snapshot --copy_into()--> snapshot.verdicts, by row
//
// A look that comes late counts for the time that passed; looks take at most a twentieth of a CPU, however short the epochs.
// While nothing is sampled (off, paused) there are none: what cannot be seen growing is not called steady.
// Another session, another way of recording and a forked child begin anew, with a first look soon after, from which on births
// count: the child will never free what it inherited, and its parent's history says nothing of it.
//
// Locks: `mutex_` after the session's, before all others; held for a look. Nobody's function and no log is called under it.

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <memwatch/alloc/pool_registry.hpp>
#include <memwatch/model/snapshot.hpp>
#include <memwatch/options.hpp>

#include "live/live_state.hpp"
#include "runtime/tasks/escalation.hpp"
#include "runtime/tasks/judged_pools.hpp"
#include "runtime/tasks/verdict_telling.hpp"
#include "verdict/engine.hpp"

namespace memwatch {
inline namespace v1 {

struct process_state;

class verdict_keeper {
public:
    // A session begins, under its mutex, the first or a later one of the process. Without memory nothing is judged, and
    // everything else works.
    void begin(const options& chosen, std::uint64_t now_ns, bool is_first) noexcept;

    [[nodiscard]] bool is_on() const noexcept {
        // relaxed: a setting.
        return is_on_.load(std::memory_order_relaxed);
    }

    // The worker's turn: a look if an epoch has ended since the last. Returns when it wants the next one.
    [[nodiscard]] std::uint64_t turn(process_state& state) noexcept;
    // Now, and nobody is told. Threads: any outside of hooks; the caller holds no lock.
    void look_now(process_state& state) noexcept;

    // Taken since the session began.
    [[nodiscard]] std::uint64_t looks() const noexcept;
    // The verdicts of the last look. `first_site` is the number of the site in row 0; `pool_names` are those of the rows.
    void copy_into(snapshot& into, std::uint32_t first_site, const std::vector<std::string>& pool_names) const;

    void set_listener(const verdict_listener& listener) noexcept;

    [[nodiscard]] std::size_t self_bytes() const noexcept;

    void lock_for_fork() { mutex_.lock(); }
    void unlock_after_fork() { mutex_.unlock(); }
    // In a forked child, still locked.
    void enter_child(std::uint64_t now_ns) noexcept;

private:
    // What was last told of a site or pool.
    struct told {
        verdict_class kind;
        verdict_severity severity;
    };
    void begin_anew_locked(std::uint64_t now_ns) noexcept;
    [[nodiscard]] std::uint64_t due_in(const process_state& state, const live_state& live) const noexcept;
    void look_locked(process_state& state, live_state& live, const std::vector<pool_reading>& pools);
    void count_pools_locked(const std::vector<pool_reading>& pools);
    [[nodiscard]] std::vector<verdict_change> take_changes_locked();
    [[nodiscard]] bool try_look(process_state& state, std::vector<verdict_change>* changes) noexcept;
    void tell(process_state& state, std::vector<verdict_change> changes) const;

    mutable std::mutex mutex_;
    std::atomic<bool> is_on_{false};
    escalation_keeper escalated_;     // guarded by mutex_, as all below
    std::unique_ptr<engine> engine_;  // guarded by mutex_, as all below
    std::uint64_t epoch_ns_{1};
    std::uint64_t due_ns_{0};     // the next look
    std::uint64_t abandoned_{0};  // records of full mode that were given up before the last look
    judged_pools pools_;
    // Looks since the process' start, when the last one ended and how long it took: shown in every snapshot (activity).
    struct {
        std::uint64_t looks, last_ns, took_ns;
    } done_{};
    std::vector<told> told_sites_;
    std::vector<told> told_pools_;
    std::vector<exact_site_totals> scratch_;  // of visit()
    verdict_listener listener_;
};

}  // namespace v1
}  // namespace memwatch
