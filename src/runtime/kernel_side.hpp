// SPDX-License-Identifier: Apache-2.0
#pragma once
// The kernel's side of this process over time: footprint/kernel_watch, fed once a minute by the worker's reading of memory and
// by each footprint that somebody asks for, which gets its growth and the age of its regions here.
//
// Threads: any, outside of hooks. Locks: `mutex_` innermost; held for arithmetic and small allocations of memwatch's own.

#include <mutex>
#include <vector>

#include <memwatch/model/footprint.hpp>
#include "footprint/kernel_watch.hpp"
#include "model/memory_reading.hpp"

namespace memwatch {
inline namespace v1 {

class kernel_side {
public:
    // A reading of the worker's; looked at once a minute.
    void note(const memory_reading& reading) noexcept;
    // A footprint in detail: its mapped memory is noted, its regions get their age, and the rest of what is known is filled in.
    // `live_bytes`: of the heap, by the same measurement.
    void complete(footprint& into, const std::vector<std::uint64_t>& region_begins, std::uint64_t live_bytes);
    [[nodiscard]] std::size_t self_bytes() const noexcept;

    void lock_for_fork() { mutex_.lock(); }
    void unlock_after_fork() { mutex_.unlock(); }
    // In a forked child, still locked.
    void enter_child() noexcept { watch_.forget(); }

private:
    void note_group(const cgroup_footprint& group, std::uint64_t time_ns, std::uint64_t live_bytes);

    mutable std::mutex mutex_;
    kernel_watch watch_;  // guarded by mutex_
};

}  // namespace v1
}  // namespace memwatch
