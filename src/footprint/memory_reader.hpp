// SPDX-License-Identifier: Apache-2.0
#pragma once
// How much memory the process and its cgroup use, read from the kernel: what is cheap enough for every second, and needs no
// memory itself (smaps is neither: users stall for seconds at 200 GiB).
//
//   /proc/self/status, limits                          -> process_memory
//   the group, and each above it that has a limit      -> the one with the least left -> cgroup_memory
//     v2  memory.current, .max, .stat, .events
//     v1  memory.usage_in_bytes, .limit_in_bytes, .stat, .oom_control, .failcnt
//
// Unreclaimable is what the group holds, less the pages of files on the lists that the kernel reclaims from and less slab that
// it can shrink: anonymous and shared memory, kernel stacks, page tables, sockets, and what is locked, however the kernel's
// version divides it. Dirty pages of files count as reclaimable: they are, once they are written.
//
// Threads: one at a time. Allocates: look_for_groups() only. Errors: what cannot be read is 0.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "footprint/kernel_text.hpp"
#include "model/memory_reading.hpp"

namespace memwatch {
inline namespace v1 {

// Where the kernel's files are; a test brings its own.
struct kernel_roots {
    std::string process = "/proc/self";
    std::string cgroup = "/sys/fs/cgroup";
};

class memory_reader {
public:
    // A process may be moved to another group, and a group's limit does not make it another one: now and then.
    void look_for_groups(const kernel_roots& roots);

    // Fills in `process` and `cgroup`; the rest is the caller's.
    void read(memory_reading& into) noexcept;

    // Which group `cgroup` was about: 0 is the process' own, 1 the one above it.
    [[nodiscard]] std::size_t tightest() const noexcept { return tightest_; }
    // v2's files whose change the kernel tells (POLLPRI): of the own group, and of the tightest if it is another. Empty: none.
    [[nodiscard]] const char* own_events_file() const noexcept;
    [[nodiscard]] const char* tightest_events_file() const noexcept;

private:
    struct group {
        std::string current;
        std::string limit;
        std::string stat;
        std::string events;
        std::string failures;  // v1 only
        bool is_v2{};
    };
    struct group_reading {
        std::uint64_t current{};
        std::uint64_t unreclaimable{};
        std::uint64_t limit{};  // 0 = none
        [[nodiscard]] std::uint64_t left() const noexcept { return limit > unreclaimable ? limit - unreclaimable : 0; }
    };
    [[nodiscard]] std::uint64_t number_in(const std::string& file, std::uint64_t otherwise = 0) noexcept;
    [[nodiscard]] std::string_view text_of(const std::string& file) noexcept;  // valid until the next call
    [[nodiscard]] group_reading read_group(const group& from) noexcept;
    void read_events(const group& from, pressure_events& into) noexcept;

    static constexpr std::size_t most_groups = 16;  // deeper ones are not looked at; Kubernetes has 4
    std::string status_;
    std::string limits_;
    std::vector<group> groups_;
    std::size_t tightest_{};
    char text_[8192];  // status and memory.stat are some 2 KiB; a longer one is cut, what is wanted stands in the first half
};

}  // namespace v1
}  // namespace memwatch
