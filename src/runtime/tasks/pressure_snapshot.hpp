// SPDX-License-Identifier: Apache-2.0
#pragma once
// A full snapshot in state_dir when memory gets short: what was live when there was still time to look. Part of the memory
// watch, on the worker.
//
//   level rises to some, to critical --> reserve given back --> freeze, encode --> pressure-UNIXTIME-PID.memtrace, and a log
//   line
//
// It is taken when there is little memory to take it with. So some is held in reserve for it, touched, from the first calm turn
// on: its pages go back to the system just before, and the snapshot takes them. What would not fit into it, 256 bytes a record,
// leaves the records out; sites and their sums remain. No names are looked up: the dump has build ids, and whoever reads it
// has the files.
//
// Bounded: the newest 4 such files of the folder, each level once in 10 minutes. Without state_dir nothing is written and
// nothing held in reserve; the line in the log comes all the same.
//
// Threads: the worker; what is guarded by the owner's mutex says so.

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>

#include <memwatch/base/result.hpp>
#include <memwatch/options.hpp>
#include "model/memory_reading.hpp"
#include "platform/state_folder.hpp"

namespace memwatch {
inline namespace v1 {

struct process_state;

class pressure_snapshot {
public:
    static constexpr std::size_t kept_files = 4;

    explicit pressure_snapshot(std::mutex& owners) noexcept : mutex_(owners) {}

    // A session begins; no worker runs.
    void begin(const options& chosen);

    // A turn: the level before it and the one it found, at `now_ns` of the timeline of snapshots, and what there is to say of
    // it.
    void turn(process_state& state, pressure_level before, pressure_level now, std::uint64_t now_ns) noexcept;

    // Under the owner's mutex, all three.
    [[nodiscard]] std::uint64_t taken() const noexcept { return taken_; }
    [[nodiscard]] std::uint64_t failed() const noexcept { return failed_; }
    [[nodiscard]] std::size_t reserved_bytes() const noexcept { return is_reserve_held_ ? reserve_bytes_ : 0; }

    // The worker has ended, or this is a forked child: under the owner's mutex.
    void end() noexcept;

private:
    void open_folder() noexcept;
    void prepare() noexcept;
    void give_reserve_back() noexcept;
    [[nodiscard]] result<std::string> take(process_state& state, pressure_level level);  // the file's name
    [[nodiscard]] result<void> remove_oldest() const;
    void tell(process_state& state, pressure_level level, const result<std::string>& file) const;

    std::mutex& mutex_;
    std::string path_;             // of the folder; empty: none is wanted
    std::size_t reserve_bytes_{};  // wanted
    void* reserve_{};              // made once a process
    bool is_reserve_held_{};       // guarded by mutex_, as all below
    bool was_opened_{};            // or tried
    state_folder folder_;
    std::uint64_t taken_{};
    std::uint64_t failed_{};
    std::uint64_t last_ns_[pressure_level_count]{};  // worker thread only; 0 = never
};

}  // namespace v1
}  // namespace memwatch
