// SPDX-License-Identifier: Apache-2.0
#pragma once
// What grows on the kernel's side of a process, over time and beside its live heap: page tables, socket buffers, slab, memory
// that was mapped and is nobody's. A leak of connections grows sockets and slab in step with blocks of the heap; a mapping
// leak grows with nothing that an allocator knows.
//
//   part      points                               growth            correlation
//   sockets   (1m, 2 MiB) (2m, 3 MiB) (3m, 5 MiB)  Theil-Sen slope   Spearman's, of its steps with the live heap's
//
// Each part keeps at most `most_points`: when they are all taken, every other one goes and they come half as often, so a point
// a minute becomes one in four after eight hours. Page tables, sockets and slab are noted by the worker; what is mapped can be
// told by a footprint only, so its points are the times at which somebody asked.
//
// Pure. Threads: one at a time. Allocates: 25 KB at most.

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <memwatch/model/footprint.hpp>

namespace memwatch {
inline namespace v1 {

// A part's bytes, and the live heap's at that time.
struct kernel_point {
    std::uint64_t time_ns{};
    std::uint64_t bytes{};
    std::uint64_t live_bytes{};
};

class kernel_watch {
public:
    static constexpr std::size_t most_points = 240;
    static constexpr std::size_t most_regions = 1024;
    static constexpr std::uint64_t least_pause_ns = 60'000'000'000;
    static constexpr std::size_t least_points = 5;  // for a growth to be told

    // Passed over when the last point of this part is too near. In order of time.
    void note(kernel_part part, const kernel_point& point);
    // Whether note() would take a point of that part.
    [[nodiscard]] bool wants(kernel_part part, std::uint64_t time_ns) const noexcept;

    // The regions that a footprint found, and where each begins: says since when each has been there, and keeps that in mind.
    void see_regions(std::uint64_t time_ns, std::vector<mapped_region>& regions, const std::vector<std::uint64_t>& begins);
    // In a forked child, whose memory is another.
    void forget() noexcept;

    // Of the parts that have points enough. `is_of_group`: sockets and slab, which are the cgroup's.
    [[nodiscard]] std::vector<kernel_growth> growth() const;
    [[nodiscard]] std::size_t self_bytes() const noexcept;

private:
    struct series {
        std::vector<kernel_point> points;
        std::uint64_t pause_ns{least_pause_ns};
    };
    struct seen_region {
        std::uint64_t begin{};
        std::uint64_t first_ns{};
    };
    std::array<series, kernel_part_count> parts_;
    std::vector<seen_region> regions_;  // by address
};

}  // namespace v1
}  // namespace memwatch
