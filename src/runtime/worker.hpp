// SPDX-License-Identifier: Apache-2.0
#pragma once
// The one thread of memwatch in a process: periodic tasks and the control socket. Takes no signals, is named "memwatch", sleeps
// in one poll() until the nearest task is due, somebody wakes it or a client calls; with nothing to do it looks up every 10 s.
// What it allocates is never a sample.
//
//   any thread --wake(task)--> [telemetry | interval_control | epoch_end | ...]  each says when it wants its next turn
//   client -----socket-------> control server (src/control), one connection at a time, never waited for
//   exit ------call()--------> a function to run on this thread
//
// Tasks run one after the other, on this thread only. A slow client delays none of them; a snapshot being frozen and encoded
// for one does, by about 1 ms per 10,000 live samples.
//
// Fork: the child has no worker. What it inherited is forgotten in after_fork_in_child(); ensure_running() makes a new one.
// Locks: `lifecycle_` (start, stop) outside of everything; `mutex_` (descriptors, fork) after the session's mutex, held for a
// few system calls. Neither is held while a task runs.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>

#include <memwatch/base/result.hpp>

#include "control/server.hpp"
#include "platform/own_thread.hpp"

namespace memwatch {
inline namespace v1 {

enum class worker_task : std::uint8_t {
    telemetry,         // drains the rings: 50 ms while there is anything
    interval_control,  // adaptive R: 1 s while sampling
    epoch_end,         // closes epochs
    verdicts,          // judges what leaks, at the end of each epoch
    preset_term,       // ends a preset whose time is over
    memory_watch,      // reads how much memory there is, once a second: curve, forecast, pressure
    flight_recorder,   // writes the black box
    history,           // keeps a snapshot now and then
    remedies,          // calls what the program registered against a verdict or pressure
    restraint,         // measures what memwatch itself costs, and does less
    door,              // what an attached library has to keep up with
    count_
};
inline constexpr const char* worker_task_names[] = {"telemetry",    "interval_control", "epoch_end", "verdicts", "preset_term",
                                                    "memory_watch", "flight_recorder",  "history",   "remedies", "restraint",
                                                    "door"};
static_assert(sizeof worker_task_names / sizeof worker_task_names[0] == static_cast<std::size_t>(worker_task::count_));

// What is served at the control socket; no function: no socket.
struct control_setup {
    control::answer_function answer;
    std::string runtime_directory;  // control/endpoint.hpp
};

class worker {
public:
    static constexpr std::uint64_t never = ~std::uint64_t{0};

    // A turn: returns in how many ns the next one is wanted; `never`: when woken. `now_ns` is CLOCK_MONOTONIC.
    using task_function = std::uint64_t (*)(void* context, std::uint64_t now_ns);

    // What a task does, from now on; its first turn comes at once. `context` must live as long as the process. Any thread.
    void bind(worker_task task, task_function function, void* context) noexcept;

    // Asks for a turn as soon as possible. One system call, and none while a turn is asked for already. Any thread. [hook]
    void wake(worker_task task) noexcept;

    // Tasks (a bit each) that get no turn until they are left out of it again; then they get one. Any thread.
    void suspend(std::uint64_t tasks) noexcept;
    // Tasks that read everything there is rest until what a turn took in CPU time is a small share of `cpus`: 1 % for verdicts,
    // 0.5 % for history. Any thread. relaxed: a setting.
    void set_paced_cpus(double cpus) noexcept { paced_cpus_.store(cpus, std::memory_order_relaxed); }
    // Verdicts may take 5 % of a CPU: somebody asked for them (MEMWATCH_VERDICTS=on), as a rule for a program of seconds.
    // Any thread. relaxed: a setting.
    void set_verdicts_asked_for(bool are) noexcept { are_verdicts_asked_for_.store(are, std::memory_order_relaxed); }
    // CPU time of all turns so far. Any thread. relaxed: a figure.
    [[nodiscard]] std::uint64_t spent_ns(worker_task of) const noexcept {
        return tasks_[static_cast<std::size_t>(of)].spent_ns.load(std::memory_order_relaxed);
    }

    // How long the task rests after its last turn, pacing included. Any thread. relaxed: a figure.
    [[nodiscard]] std::uint64_t rest_ns(worker_task of) const noexcept {
        return tasks_[static_cast<std::size_t>(of)].rest_ns.load(std::memory_order_relaxed);
    }

    // In a task's turn: it wants one as well when one of `list` (at most 4) is ready. Once: then, and with its next call, what
    // it waited for is forgotten. One task has such a wish.
    void wait_also_for(worker_task task, const platform::awaited_descriptor* list, std::size_t count) noexcept;

    // Starts the thread unless it runs, with its control socket bound already. Errors: the thread or the socket could not be
    // had; the rest goes on without (is_running() tells). Any thread but a hook's.
    result<void> ensure_running(control_setup setup = {});

    // Ends the thread; waits for it, two seconds at most. Idempotent; does nothing in a process that has no worker.
    void stop() noexcept;

    // At exit: as stop(), but rather leaves the thread alone than waits for a lock.
    void stop_at_exit() noexcept;

    // Runs `function(argument)` on the worker and waits for its end. False: no worker, called on it, or it did not come to it
    // within `timeout_ns` - then it may still come, so `argument` must live on. One call at a time.
    bool call(void (*function)(void*), void* argument, std::uint64_t timeout_ns) noexcept;

    [[nodiscard]] bool is_running() const noexcept;
    [[nodiscard]] bool is_this_thread() const noexcept;

    // Around fork(). The child's handler closes inherited descriptors that are still ours.
    void lock_for_fork() { mutex_.lock(); }
    void unlock_after_fork() { mutex_.unlock(); }
    void enter_child() noexcept;

private:
    struct task {
        std::atomic<task_function> run{nullptr};
        std::atomic<void*> context{nullptr};
        std::atomic<bool> is_asked{false};
        std::atomic<std::uint64_t> spent_ns{0};  // of CPU time
        std::atomic<std::uint64_t> rest_ns{0};   // 0 where it is woken only
        std::uint64_t due_ns{never};             // worker thread only
    };

    static void enter(void* self);
    void loop() noexcept;
    [[nodiscard]] std::uint64_t run_tasks() noexcept;  // when the next is due, by CLOCK_MONOTONIC
    [[nodiscard]] std::uint64_t take_turn(task& of, std::size_t which, std::uint64_t now_ns) noexcept;
    void run_call() noexcept;
    void wait_until(std::uint64_t due_ns) noexcept;
    void ask_for_turn_of_awaited(const platform::awaited_descriptor* waited) noexcept;
    void open_descriptors(std::uint64_t now_ns) noexcept;
    bool stop_locked(std::uint64_t timeout_ns) noexcept;

    task tasks_[static_cast<std::size_t>(worker_task::count_)];
    std::atomic<std::uint64_t> suspended_{0};
    std::atomic<double> paced_cpus_{1};
    std::atomic<bool> are_verdicts_asked_for_{false};

    static constexpr std::size_t most_awaited = 4;
    platform::awaited_descriptor awaited_[most_awaited];  // worker thread only, these three
    std::size_t awaited_count_{};
    worker_task awaited_by_{};

    std::mutex lifecycle_;
    std::mutex mutex_;
    platform::wake_signal wake_;  // opened and closed under mutex_
    control::server server_;      // worker thread only, while there is one
    std::string runtime_directory_;
    bool is_serving_{};
    std::uint64_t next_open_ns_{};  // after a failure to bind
    platform::own_thread thread_;   // guarded by lifecycle_
    bool is_abandoned_{};           // guarded by lifecycle_: it did not end in time and may still run; there is no second one
    std::atomic<bool> must_stop_{false};
    std::atomic<std::uint64_t> owner_pid_{0};  // the process the thread runs in; 0 = none runs
    std::atomic<std::uint32_t> thread_id_{0};
    std::atomic<std::uint32_t> starting_thread_{0};  // the thread that is inside pthread_create for us

    std::atomic<void (*)(void*)> call_{nullptr};  // to be run; taken by exchange
    void* call_argument_{};                       // written before call_
    std::atomic<std::uint32_t> calls_done_{0};
};

}  // namespace v1
}  // namespace memwatch
