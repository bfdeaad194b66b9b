// SPDX-License-Identifier: Apache-2.0
#pragma once
// What memwatch itself costs, and doing less when that is too much: a task of the worker measures own bytes and own CPU time
// every few seconds, lets the rules decide (restraint_rules.hpp) and makes their step so.
//
//   own bytes   what budget_bytes is for (self_bytes.hpp)                          against 2 x budget_bytes
//   own CPU     this thread's clock + samples on the program's threads            against max_overhead_permille of the CPUs
//
// Answers to requests (HTTP, the part of the control socket) are asked for and not counted, but for what runs on this thread.
// While every block is recorded (full, investigate with R = 0) CPU is not judged: somebody asked for it, for a time.
// Page edges get what the other parts leave of the budget: so their sum stays within it before anything has to be given up.
// Background work that reads everything (looks, kept snapshots) rests for as long as it takes to stay within a small share of
// the available CPUs, four times as long while the cgroup's quota throttles the process (worker::set_paced_cpus).
//
// A forked child begins anew at `none`. Threads: turn() on the worker, the rest any. Checked by
// tests/unit/runtime/restraint_test.cpp and tests/e2e/restraint.

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include <memwatch/model/snapshot.hpp>
#include <memwatch/options.hpp>

#include "runtime/tasks/restraint_rules.hpp"

namespace memwatch {
inline namespace v1 {

struct process_state;

class restraint_keeper {
public:
    // A session begins, under its mutex: at `none`.
    void begin(const options& chosen) noexcept;
    // Limits changed, or a preset did. Under the session's mutex.
    void set_limits(const options& chosen) noexcept;
    // Once a process, with the worker's other tasks.
    void bind(process_state& state) noexcept;
    // The worker's turn. Returns when it wants the next one.
    [[nodiscard]] std::uint64_t turn(process_state& state, std::uint64_t now_ns) noexcept;

    // relaxed: a figure; what acts on it is told by steering.
    [[nodiscard]] restraint_step step() const noexcept { return step_.load(std::memory_order_relaxed); }
    // What is done less and why; empty at `none`.
    [[nodiscard]] std::string sentence() const;
    // Figures for a snapshot: the step, limits, own CPU time, and that of each task of the worker.
    void copy_into(const process_state& state, snapshot& into) const;

    void lock_for_fork() { mutex_.lock(); }
    void unlock_after_fork() { mutex_.unlock(); }
    // In a forked child, still locked. True: the switches are to be set anew.
    [[nodiscard]] bool enter_child() noexcept;

private:
    struct cost {
        restraint_rules::reading totals;
        std::uint64_t edge_bytes;  // of totals.self_bytes
    };
    struct limits {
        std::uint64_t budget_bytes;
        std::uint32_t permille;  // 0: none
    };
    [[nodiscard]] cost measure(process_state& state, std::uint64_t now_ns);
    [[nodiscard]] bool decide_locked(const cost& now, restraint_step& before) noexcept;
    void look_at_cpus(process_state& state, std::uint64_t now_ns);
    void apply(process_state& state, restraint_step before) const;

    mutable std::mutex mutex_;  // innermost: nothing is locked under it
    restraint_rules rules_;     // guarded by mutex_, as all up to step_
    limits limits_{};
    double cpus_{1};
    bool is_begun_{};  // the rules have had their first reading
    restraint_rules::reading last_{};
    std::atomic<restraint_step> step_{restraint_step::none};
    // Worker thread only.
    std::vector<named_value> parts_;
    std::uint64_t looked_at_cpus_ns_{0};
    std::uint64_t throttled_{0};
    std::uint64_t thread_ns_{0};  // the worker's clock when it was last read; a new worker's begins at 0
    std::uint64_t worker_ns_{0};  // of all workers
};

}  // namespace v1
}  // namespace memwatch
