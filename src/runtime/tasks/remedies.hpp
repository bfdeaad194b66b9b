// SPDX-License-Identifier: Apache-2.0
#pragma once
// Calls what the program registered (include/memwatch/remedies.hpp) when its reason stands: a task of the worker.
//
//   verdicts, each change --note()--> who is accused now --+
//   memory_watch, each turn ------> how near the end is ---+--turn()--> due? --> dry run: a record
//                                                                         '----> the function, between two readings of RSS
//
// Without any registration the task asks for no turn. Bounded: 64 remedies, 256 accusations (the first ones: later ones are
// told by the log and snapshots), 64 records. Locks: `mutex_` for the lists, innermost; `running_` while a function runs, so
// that a registration's end can wait for it. A forked child has its parent's remedies, nobody accused and no worker until it
// asks for one.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <memwatch/model/snapshot.hpp>
#include <memwatch/remedies.hpp>

#include "model/memory_reading.hpp"

namespace memwatch {
inline namespace v1 {

struct process_state;

class remedy_keeper {
public:
    static constexpr std::size_t most_remedies = 64;
    static constexpr std::size_t most_accused = 256;
    static constexpr std::size_t most_records = 64;

    // Once a process, with the worker's other tasks.
    void bind(process_state& state) noexcept;
    // Another session: nobody is accused.
    void begin() noexcept;

    // Returns its id; 0: there are too many. Throws std::bad_alloc.
    [[nodiscard]] std::uint64_t add(std::string_view name, remedy_trigger when, std::shared_ptr<remedy> function,
                                    remedy_limits limits);
    // Waits for a call that is under way on another thread.
    void remove(std::uint64_t id) noexcept;

    // A verdict changed; `now` is of a row of `seen`. Worker thread. Throws std::bad_alloc.
    void note(const verdict& now, const snapshot& seen);
    // The worker's turn. Returns when it wants the next one.
    [[nodiscard]] std::uint64_t turn(process_state& state, std::uint64_t now_ns) noexcept;
    // The same by hand: how near the end is is said rather than asked for. For tests.
    void look(std::uint64_t now_ns, pressure_level pressure);

    [[nodiscard]] std::vector<remedy_record> log() const;
    // As rows of `activity`: remedy_runs:NAME, remedy_dry_runs:NAME, remedy_failures:NAME, remedy_released_bytes:NAME.
    void copy_into(snapshot& into) const;

    void lock_for_fork() { mutex_.lock(); }
    void unlock_after_fork() { mutex_.unlock(); }
    // In a forked child, still locked.
    void enter_child() noexcept;

private:
    struct registered {
        std::uint64_t id;
        std::string name;
        remedy_trigger when;
        remedy_limits limits;
        std::shared_ptr<remedy> function;
        std::uint64_t last_ns{};  // 0: never called
        std::uint64_t runs{};
        std::uint64_t dry_runs{};
        std::uint64_t failures{};
        std::uint64_t released_bytes{};
    };
    struct accused {
        verdict_subject subject;
        std::string key;  // by which its next verdict is known: a site's key, a pool's name
        std::string tag;
        verdict_class kind;
    };
    struct due_call {
        std::uint64_t id;
        std::string name;
        std::string reason;
        std::shared_ptr<remedy> function;  // null: a dry run
    };

    [[nodiscard]] std::string reason_locked(const registered& of, pressure_level pressure) const;
    [[nodiscard]] std::vector<due_call> take_due_locked(std::uint64_t now_ns, pressure_level pressure);
    void carry_out(const due_call& call);
    void keep(const due_call& call, remedy_record record, bool has_failed);

    mutable std::mutex mutex_;
    std::vector<registered> all_;  // guarded by mutex_, as all below
    std::vector<accused> accused_;
    std::deque<remedy_record> records_;
    std::uint64_t last_id_{0};
    std::recursive_mutex running_;  // held while a function runs
};

}  // namespace v1
}  // namespace memwatch
