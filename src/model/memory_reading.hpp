// SPDX-License-Identifier: Apache-2.0
#pragma once
// How much memory the process and its cgroup use at one moment, as far as that is cheap to know: what is read once a second,
// kept as a curve and written to the black box. Where the memory is (footprint.hpp) costs far more and is asked for on demand.

#include <cstddef>
#include <cstdint>

namespace memwatch {
inline namespace v1 {

// The process' own part of a reading, from /proc/self/status. Bytes.
struct process_memory {
    std::uint64_t resident{};  // VmRSS = anonymous + file + shared; some kernels count in batches, off by a few pages a thread
    std::uint64_t anonymous{};
    std::uint64_t file{};
    std::uint64_t shared{};
    std::uint64_t swapped{};
    std::uint64_t page_tables{};  // not in `resident`, but in the cgroup's figure
    std::uint64_t address_space{};
    std::uint64_t address_space_limit{};  // RLIMIT_AS; 0 = none
    std::uint32_t threads{};
};

// How often the kernel has met a limit of the cgroup, since the cgroup began (v2 memory.events; of v1 what it has).
struct pressure_events {
    std::uint64_t low{};
    std::uint64_t high{};      // throttled at memory.high
    std::uint64_t max{};       // hit memory.max and had to reclaim
    std::uint64_t oom{};       // could not reclaim enough
    std::uint64_t oom_kill{};  // processes killed for it
};

// The part of the process' cgroup and of those above it. Bytes; all 0 when there is none to be read.
struct cgroup_memory {
    std::uint64_t current{};        // of the group whose limit is the tightest, that is has the least left
    std::uint64_t unreclaimable{};  // of `current`: what the kernel cannot take back by itself (anonymous, shared, kernel)
    std::uint64_t limit{};          // of that group; 0 = none has one
    pressure_events events;         // of the process' own group
};

struct memory_reading {
    std::uint64_t time_ns{};  // on the timeline of snapshots; 0 = never read
    process_memory process;
    cgroup_memory cgroup;
    std::uint64_t live_bytes{};  // what memwatch estimates to be live on the heap
    std::uint64_t self_bytes{};  // what memwatch itself holds
};

// When the limit will be met if growth goes on as it has. Made only when the lower bound of growth is above zero.
struct oom_forecast {
    std::uint64_t made_ns{};  // on the timeline of snapshots
    std::uint64_t limit_bytes{};
    std::uint64_t headroom_bytes{};
    bool is_of_address_space{};  // RLIMIT_AS, else the cgroup's limit
    double growth_bytes_per_s{};
    double seconds{};        // from `made_ns` on
    double least_seconds{};  // 90 % interval
    double most_seconds{};   // may be infinite
};

// How near the end is. `some`: the kernel reclaims, or little is left; `critical`: the next large allocation may be the last.
enum class pressure_level : std::uint8_t { none, some, critical };
inline constexpr std::size_t pressure_level_count = 3;

}  // namespace v1
}  // namespace memwatch
