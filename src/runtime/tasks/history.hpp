// SPDX-License-Identifier: Apache-2.0
#pragma once
// The process' history as a task of the worker: a full snapshot every `history_every`, encoded and put on a shelf (src/history)
// in state_dir, or in memory where there is no such folder or it cannot be used.
//
//   worker, when one is due --turn()--> freeze_process -> names -> encode -> history::snapshot_history
//   control socket, HTTP    --list(), dump()--> what there is, and one of them
//
// The first is taken a fifth of the time after the start, when a service has warmed up. Snapshots take at most a hundredth of a
// CPU, however short `history_every` is. Functions get their names when a snapshot is taken: after a deployment nobody has that
// binary. What fails is said once in the log, and in list() until it works again.
//
// A forked child goes on with a history of its own: in memory with what it inherited, in a folder with a line of files of its
// own. A process without a worker has no history.
//
// Locks: `mutex_` after the session's; held for a pointer, never while a file is touched or a snapshot is made.

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include <memwatch/base/result.hpp>
#include <memwatch/model/snapshot.hpp>
#include <memwatch/options.hpp>

#include "history/history.hpp"

namespace memwatch {
inline namespace v1 {

struct process_state;

class history_keeper {
public:
    // A session begins, under its mutex, the first or a later one of the process.
    void begin(const options& chosen, std::uint64_t now_ns, std::uint64_t origin_unix_ns) noexcept;

    // The worker's turn: opens the shelf, takes a snapshot if one is due. Returns when it wants the next one.
    [[nodiscard]] std::uint64_t turn(process_state& state) noexcept;

    struct listing {
        std::vector<history::past_snapshot> all;  // oldest first
        std::uint64_t now_unix_ns{};
        std::uint64_t bytes{};
        std::uint64_t max_bytes{};  // 0: no history is wanted
        std::string where;          // "memory", or the folder; empty: nothing is open yet
        std::string problem;        // why the last one was not kept, or not where it should be; empty = all is well
    };
    [[nodiscard]] listing list(const process_state& state) const;
    // By name, or the youngest that is at least so old. Errors: not_found, unreadable, io, unavailable (there is no history).
    [[nodiscard]] result<std::string> dump(std::string_view name) const;
    [[nodiscard]] result<std::string> dump_from(const process_state& state, std::uint64_t age_ns) const;

    // Figures for a snapshot: how many are kept, their bytes, how many could not be kept.
    void copy_into(snapshot& into) const;
    [[nodiscard]] std::size_t self_bytes() const noexcept;
    // What it may take where there is no folder.
    [[nodiscard]] static constexpr std::uint64_t most_bytes_in_memory(const options& chosen) noexcept {
        return chosen.history_bytes / share_in_memory;
    }

    void lock_for_fork();
    void unlock_after_fork();
    // In a forked child, still locked.
    void enter_child() noexcept;

private:
    static constexpr std::uint64_t share_in_memory = 16;  // of history_bytes

    struct settings {
        std::string folder;
        std::string service;
        std::uint64_t max_bytes{};
        std::uint64_t every_ns{};
    };
    [[nodiscard]] std::shared_ptr<history::snapshot_history> current() const;
    [[nodiscard]] std::uint64_t now_unix_ns(const process_state& state) const noexcept;
    void open(const process_state& state);
    [[nodiscard]] result<void> take_one(process_state& state);
    void say(std::string problem);

    mutable std::mutex mutex_;
    settings wanted_;                                  // guarded by mutex_, as all below
    std::shared_ptr<history::snapshot_history> kept_;  // null: not opened yet, or none wanted
    std::string place_problem_, problem_;              // of opening; of the last attempt to keep one
    bool must_open_{};
    std::uint64_t failures_{};
    std::atomic<std::uint64_t> due_ns_{0};  // on the timeline of snapshots
    std::atomic<std::uint64_t> origin_unix_ns_{0};
};

// Binds the task to the worker, once a process.
void begin_history(process_state& state);

}  // namespace v1
}  // namespace memwatch
