// SPDX-License-Identifier: Apache-2.0
#pragma once
// Writes the black box (blackbox/): the file in state_dir that tells what led to an end nobody could report.
//
//   worker, each 0.8 s, each 0.1 s near the limit --turn()--> a pulse        figures of the moment: one sector, nothing
//   allocated
//           each 10 s, each second near the limit         --> a situation    sites, verdicts, last requests: a small dump
//           when it happens --note()----------------------> an event        a verdict, pressure, a remedy, the end
//
// The file is made by the first turn, the files of lives before it are kept (the newest most_kept). A session is a file; so is
// a forked child that has a worker. Whoever cannot have one - no space, no right - is told so once, and it is tried again each
// minute.
//
// Threads: the worker's, but where said. Locks: `mutex_` innermost, held for copies only; never while a file is written.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include <memwatch/model/snapshot.hpp>
#include <memwatch/options.hpp>
#include "blackbox/pulse.hpp"
#include "blackbox/ring_writer.hpp"
#include "platform/state_folder.hpp"

namespace memwatch {
inline namespace v1 {

struct process_state;

class flight_recorder {
public:
    static constexpr std::size_t most_kept = 8;      // files of processes that have ended
    static constexpr std::size_t most_writers = 16;  // processes that write into one folder at a time
    static constexpr std::string_view suffix = ".blackbox";

    // A session begins, under its mutex.
    void begin(process_state& state, const options& chosen) noexcept;
    // The session or process ends in order, and the file says so. `how` is a literal. Any thread but the worker's; waits for
    // the worker, not for long.
    void end(process_state& state, std::string_view how) noexcept;

    // The worker's turn. Returns when it wants the next one.
    [[nodiscard]] std::uint64_t turn(process_state& state) noexcept;

    // Something happened (blackbox/event.hpp has the names). Nothing if there is no file.
    void note(std::string_view name, std::string_view text) noexcept;

    // As rows of `activity`. Threads: any.
    void copy_into(snapshot& into) const;
    // Where it writes; empty: it does not. Threads: any.
    [[nodiscard]] std::string path() const;

    void lock_for_fork() { mutex_.lock(); }
    void unlock_after_fork() { mutex_.unlock(); }
    // In a forked child, still locked: the parent's file is the parent's.
    void enter_child() noexcept;

private:
    struct wanted_file {
        std::string folder;
        std::uint64_t size_bytes{};
        std::uint64_t session{};  // counts begun sessions
        bool is_over{};           // that session, or the process
    };
    // What only the worker touches. A forked child's copy may be of any moment: it is thrown away unread.
    struct tape {
        state_folder folder;
        std::string folder_name;  // as it was wanted
        blackbox::ring_writer file;
        std::uint64_t session{};  // that the file is of
        std::uint64_t try_again_ns{};
        std::uint64_t opened_ns{};
        std::uint64_t minute_ns{};     // when the last pulse of the minutes lane was written
        std::uint64_t situation_ns{};  // when the next situation is due
        std::uint64_t naming_ns{};     // what looking up names took last
        std::uint64_t failures_in_a_row{};
        std::optional<blackbox::pulse> last;
        std::array<blackbox::pulse::tag_bytes, blackbox::pulse::most_tags> tags{};  // the largest, by the last situation
        std::size_t tag_count{};
        std::uint64_t leaks{};
        std::uint64_t suspects{};
    };

    [[nodiscard]] wanted_file wanted() const;
    [[nodiscard]] bool has_file(process_state& state, const wanted_file& want) noexcept;
    [[nodiscard]] result<void> open(process_state& state, const wanted_file& want);
    [[nodiscard]] result<void> make_room() const;
    void close(std::string_view how) noexcept;
    void end_now() noexcept;

    [[nodiscard]] blackbox::pulse take_pulse(process_state& state) const noexcept;
    void read_tags(process_state& state, blackbox::pulse& now) const noexcept;
    void write_pulse(const blackbox::pulse& now, std::uint64_t now_ns) noexcept;
    void note_pressure(const blackbox::pulse& now) noexcept;
    void write_situation(bool is_near) noexcept;
    void write_situation_of(bool is_near);
    void remember_what_matters(const snapshot& s);
    void name_functions_in(snapshot& cut);
    void write(blackbox::lane where, blackbox::record_kind kind, std::string_view payload) noexcept;
    void complain(const std::string& what) noexcept;

    tape tape_;
    std::atomic<std::uint64_t> records_{0};
    std::atomic<std::uint64_t> failures_{0};

    mutable std::mutex mutex_;
    wanted_file wanted_;            // guarded by mutex_
    std::string path_;              // guarded by mutex_
    std::string_view how_it_ends_;  // guarded by mutex_; a literal
};

}  // namespace v1
}  // namespace memwatch
