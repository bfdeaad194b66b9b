// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernel_side.hpp"

#include <algorithm>

#include "footprint/cgroup_rows.hpp"

namespace memwatch {
inline namespace v1 {

void kernel_side::note_group(const cgroup_footprint& group, std::uint64_t time_ns, std::uint64_t live_bytes) {
    for (const cgroup_row& each : group.rows) {
        if (each.part == cgroup_part::sockets) { watch_.note(kernel_part::sockets, {time_ns, each.bytes, live_bytes}); }
        if (each.part == cgroup_part::slab) { watch_.note(kernel_part::slab, {time_ns, each.bytes, live_bytes}); }
    }
}

void kernel_side::note(const memory_reading& reading) noexcept {
    if (reading.time_ns == 0) { return; }
    try {
        {
            const std::lock_guard guard(mutex_);
            if (!watch_.wants(kernel_part::page_tables, reading.time_ns)) { return; }
            watch_.note(kernel_part::page_tables, {reading.time_ns, reading.process.page_tables, reading.live_bytes});
        }
        const cgroup_footprint group = measure_cgroup({}, reading.process);  // asks the kernel: not under the lock
        const std::lock_guard guard(mutex_);
        note_group(group, reading.time_ns, reading.live_bytes);
    } catch (...) {}  // no memory: this minute has no point
}

void kernel_side::complete(footprint& into, const std::vector<std::uint64_t>& region_begins, std::uint64_t live_bytes) {
    std::uint64_t mapped = 0;
    for (const mapped_region& each : into.kernel.regions) { mapped += each.size_bytes; }
    {
        const std::lock_guard guard(mutex_);
        watch_.note(kernel_part::page_tables, {into.taken_ns, into.kernel.page_table_bytes, live_bytes});
        note_group(into.cgroup, into.taken_ns, live_bytes);
        watch_.note(kernel_part::mapped, {into.taken_ns, mapped, live_bytes});
        watch_.see_regions(into.taken_ns, into.kernel.regions, region_begins);
        into.kernel.growth = watch_.growth();
    }
    into.kernel.regions.resize(std::min(into.kernel.regions.size(), max_mapped_regions));
}

std::size_t kernel_side::self_bytes() const noexcept {
    const std::lock_guard guard(mutex_);
    return watch_.self_bytes();
}

}  // namespace v1
}  // namespace memwatch
