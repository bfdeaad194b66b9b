// SPDX-License-Identifier: Apache-2.0
#pragma once
// A footprint: where the memory of a process is, as rows that add up to what the kernel says it uses. A plain value; runtime/
// makes it when somebody asks (/debug/memtrace/footprint, `memwatch footprint`), and never on a timer.
//
//   row               bytes      basis      of the demo, 60 MiB of VmRSS
//   tracked_live      18.2 MiB   estimated  live blocks that memwatch knows; +- one standard error in `error_bytes`
//   untracked_live     3.1 MiB   measured   what the allocator has given out beyond that, its headers and rounding included
//   retained          12.4 MiB   measured   freed, whole pages: the allocator could give them back to the system
//   fragmentation      2.0 MiB   measured   freed, on pages that live blocks hold
//   allocator_tables   0.3 MiB   measured   the allocator's own records
//   self               6.0 MiB   measured   memwatch itself
//   code               9.1 MiB   measured   instructions and constants of the executable and its libraries
//   static_data        1.2 MiB   measured   their variables
//   stacks             0.4 MiB   measured
//   anonymous          7.0 MiB   measured   mapped by the program itself rather than by an allocator
//   file, shared       0.2 MiB   measured
//   unexplained        0.1 MiB   = VmRSS less all of the above; may be negative
//
// Each row is measured by itself, so that `unexplained` is a test of all of them (|unexplained| <= 2 % of VmRSS on the
// allocators that tell, of a heap that stands still meanwhile; tests/e2e/footprint). A row that could be had only as the
// difference of others says so (`derived`).

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <memwatch/base/export.hpp>
#include <memwatch/base/result.hpp>

namespace memwatch {
inline namespace v1 {

// What a part of VmRSS is. The table above, in its order.
enum class footprint_part : std::uint8_t {
    tracked_live,
    untracked_live,
    retained,
    fragmentation,
    allocator_tables,
    self,
    code,
    static_data,
    stacks,
    anonymous,  // where the allocator is unknown: its heap, too, less what is tracked
    file,
    shared,
};
// How many parts there are.
inline constexpr std::size_t footprint_part_count = 12;

// How a figure came about.
enum class footprint_basis : std::uint8_t {
    measured,   // counted, by the kernel, the allocator or memwatch
    estimated,  // from samples: `error_bytes` is one standard error
    derived,    // only as what others leave: an error of theirs is in it and not in `unexplained`
};
// How many there are.
inline constexpr std::size_t footprint_basis_count = 3;

// A part of VmRSS and how big it is.
struct footprint_row {
    footprint_part part{};
    footprint_basis basis{footprint_basis::measured};
    std::uint64_t bytes{};
    double error_bytes{};  // one standard error; 0 = exact or unknown
    std::string note;      // what a reader must know of this row in this process; may be empty
};

// What a part of the cgroup's figure is.
enum class cgroup_part : std::uint8_t {
    this_process,     // anonymous memory of this process
    other_processes,  // of the others in the group
    shared,           // shared memory and tmpfs files
    page_cache,       // files, mapped or not; most of it can be taken back
    page_tables,
    kernel_stacks,
    slab,
    sockets,
    other_kernel,  // per-CPU data, vmalloc ...
};
// How many parts there are.
inline constexpr std::size_t cgroup_part_count = 9;

// A part of the cgroup's figure and how big it is.
struct cgroup_row {
    cgroup_part part{};
    footprint_basis basis{footprint_basis::measured};
    std::uint64_t bytes{};
    std::string note;
};

// The second column: what is charged to the cgroup of the process.
struct cgroup_footprint {
    std::uint32_t version{};  // 1 or 2; 0 = there is none to be read, and `detail` says why
    std::string group;        // "/user.slice/x.service" as /proc/self/cgroup has it
    std::uint64_t current_bytes{};
    std::uint64_t limit_bytes{};          // of this group alone; 0 = none
    std::uint64_t unreclaimable_bytes{};  // of current_bytes: all but page cache and reclaimable slab
    std::vector<cgroup_row> rows;
    std::int64_t unexplained_bytes{};  // current_bytes less the rows
    std::string detail;
};

// What an allocator says of itself. A process may have several; figures are 0 where it does not tell.
struct allocator_figures {
    std::string name;                   // "glibc", "jemalloc", "tcmalloc", "mimalloc"
    std::string version;                // empty = not told
    std::string path;                   // of the object it is in; empty = the program itself
    bool is_in_charge{};                // malloc() goes there
    std::uint64_t given_out_bytes{};    // what the program holds, sizes as the allocator rounds them
    std::uint64_t free_bytes{};         // what it holds and nobody uses, resident or not
    std::uint64_t mapped_bytes{};       // address space obtained for it
    std::uint64_t resident_bytes{};     // of that in memory, by smaps and pagemap
    std::uint64_t reclaimable_bytes{};  // resident, and `remedy` would give it back now
    std::uint64_t arenas{};             // heaps that do not share free memory; 0 = not told
    std::string remedy;                 // "malloc_trim(0)", "mallctl arena.4096.purge" ...; empty = none known
    std::string detail;                 // what it does not tell or how it was found out
};

// A loaded object: what it takes, and what its code has allocated and not freed.
struct module_footprint {
    std::string path;
    std::string build_id;               // as in snapshot.modules
    std::uint64_t code_bytes{};         // resident
    std::uint64_t static_data_bytes{};  // resident
    double live_bytes{};                // estimate: blocks whose first frame outside of runtime libraries is in it
    double untagged_live_bytes{};       // of that, under no tag
};

// What grows on the kernel's side of a process. `mapped` is memory that was mapped and not by an allocator.
enum class kernel_part : std::uint8_t { page_tables, sockets, slab, mapped };
// How many parts there are.
inline constexpr std::size_t kernel_part_count = 4;

// One of them over the time it was watched.
struct kernel_growth {
    kernel_part part{};
    bool is_of_group{};  // known for the cgroup only
    std::uint64_t bytes{};
    std::uint64_t watched_ns{};
    double bytes_per_second{};  // Theil-Sen slope
    // Of its steps with those of the live heap over the same time, -1..1 (Spearman's); 0 when too few.
    double correlation{};
    std::uint32_t steps{};
};

// A mapping without a file that is not an allocator's, a stack or memwatch's, and has been there for long.
struct mapped_region {
    std::uint64_t size_bytes{};
    std::uint64_t resident_bytes{};
    std::uint64_t first_seen_ns{};  // on the timeline of snapshots
    std::string name;               // "[anon:...]", "memfd:..."; empty = none
};

// How many regions a footprint lists at most.
inline constexpr std::size_t max_mapped_regions = 20;

// What the kernel holds for the process, and what is mapped for longer than anybody can tell why.
struct kernel_footprint {
    std::uint64_t page_table_bytes{};
    std::uint64_t threads{};
    std::uint64_t socket_count{};        // open descriptors that are sockets
    std::uint64_t swapped_bytes{};       // not in VmRSS
    std::vector<kernel_growth> growth;   // only what was watched for long enough
    std::vector<mapped_region> regions;  // oldest of the largest first; at most max_mapped_regions
    std::uint64_t region_count{};        // all there are
    std::string detail;                  // what could not be read
};

// Where the memory of a process is.
struct footprint {
    std::uint64_t pid{};
    std::uint64_t taken_ns{};         // on the timeline of snapshots
    std::uint64_t took_ns{};          // what measuring has cost
    std::uint64_t resident_bytes{};   // VmRSS; the denominator
    std::vector<footprint_row> rows;  // each part at most once, in order; a part that is not there is 0
    std::int64_t unexplained_bytes{};
    // Why mappings and heap were not looked through: too large without being asked for, no /proc ... Empty = they were. Then
    // rows are few and of the cheap figures, and the 2 % are not promised.
    std::string not_detailed;
    cgroup_footprint cgroup;
    std::vector<allocator_figures> allocators;  // the one in charge first; empty = unknown
    std::vector<module_footprint> modules;      // most bytes first
    kernel_footprint kernel;
    // What came or went while it was measured, at least: rows are then of different moments, and above 2 % of VmRSS the 2 %
    // are not promised.
    std::uint64_t changed_bytes{};

    // unexplained / VmRSS, with its sign. 0 for no VmRSS.
    [[nodiscard]] double unexplained_share() const noexcept {
        return resident_bytes == 0 ? 0 : static_cast<double>(unexplained_bytes) / static_cast<double>(resident_bytes);
    }
    // Whether so much of it changed while it was measured that its rows may not fit together.
    [[nodiscard]] bool is_blurred() const noexcept { return changed_bytes > resident_bytes / 50; }
    // 0 for a part without a row.
    [[nodiscard]] MEMWATCH_API std::uint64_t bytes_of(footprint_part part) const noexcept;
};

// What it amounts to, the most important first, one sentence each without a full stop at its end:
// "allocator retention, not a leak: 412.0 MiB reclaimable with malloc_trim(0)". Threads: any.
[[nodiscard]] MEMWATCH_API std::vector<std::string> sentences_of(const footprint& where);

// The words of JSON, metrics and the command line: "tracked_live", "page_cache", "estimated" ... Threads: any.
[[nodiscard]] MEMWATCH_API std::string_view word_of(footprint_part part) noexcept;
[[nodiscard]] MEMWATCH_API std::string_view word_of(footprint_basis basis) noexcept;
[[nodiscard]] MEMWATCH_API std::string_view word_of(cgroup_part part) noexcept;
[[nodiscard]] MEMWATCH_API std::string_view word_of(kernel_part part) noexcept;
// And back; nothing for a word that is none of them.
[[nodiscard]] MEMWATCH_API std::optional<footprint_part> footprint_part_of(std::string_view word) noexcept;
[[nodiscard]] MEMWATCH_API std::optional<footprint_basis> footprint_basis_of(std::string_view word) noexcept;
[[nodiscard]] MEMWATCH_API std::optional<cgroup_part> cgroup_part_of(std::string_view word) noexcept;
[[nodiscard]] MEMWATCH_API std::optional<kernel_part> kernel_part_of(std::string_view word) noexcept;
// For people: "live, tracked", "kept by the allocator" ... Threads: any.
[[nodiscard]] MEMWATCH_API std::string_view title_of(footprint_part part) noexcept;
[[nodiscard]] MEMWATCH_API std::string_view title_of(cgroup_part part) noexcept;
[[nodiscard]] MEMWATCH_API std::string_view title_of(kernel_part part) noexcept;

}  // namespace v1
}  // namespace memwatch
