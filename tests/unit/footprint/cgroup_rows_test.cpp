// SPDX-License-Identifier: Apache-2.0
// The second column: rows that add up to what is charged to the group, on trees of v2 and v1.
#include "footprint/cgroup_rows.hpp"
#include <catch2/catch.hpp>
#include "kernel_tree.hpp"

using namespace memwatch;

namespace {

constexpr std::uint64_t mib = std::uint64_t{1} << 20U;

std::uint64_t of(const cgroup_footprint& group, cgroup_part part) {
    for (const cgroup_row& each : group.rows) {
        if (each.part == part) { return each.bytes; }
    }
    return 0;
}

std::int64_t sum(const cgroup_footprint& group) {
    std::int64_t bytes = group.unexplained_bytes;
    for (const cgroup_row& each : group.rows) { bytes += static_cast<std::int64_t>(each.bytes); }
    return bytes;
}

process_memory process_of(std::uint64_t anonymous) {
    process_memory out;
    out.anonymous = anonymous;
    out.page_tables = mib;
    out.threads = 4;
    return out;
}

std::string row(const char* name, std::uint64_t bytes) { return std::string(name) + " " + std::to_string(bytes) + "\n"; }

}  // namespace

TEST_CASE("cgroup_rows: v2's statistics add up to memory.current") {
    const test_support::kernel_tree tree;
    tree.make_v2(100 * mib, 0, "max");
    tree.write("cgroup/pod/app/memory.stat", row("anon", 50 * mib) + row("file", 30 * mib) + row("kernel", 14 * mib) +
                                                 row("kernel_stack", mib) + row("pagetables", 2 * mib) + row("percpu", mib) +
                                                 row("sock", 5 * mib) + row("shmem", 10 * mib) + row("active_file", 8 * mib) +
                                                 row("inactive_file", 12 * mib) + row("slab_reclaimable", 3 * mib) +
                                                 row("slab_unreclaimable", 4 * mib) + row("slab", 7 * mib));
    const cgroup_footprint group = measure_cgroup(tree.roots(), process_of(40 * mib));
    CHECK(group.version == 2);
    CHECK(group.group == "/pod/app");
    CHECK(group.current_bytes == 100 * mib);
    CHECK(group.limit_bytes == 0);
    CHECK(of(group, cgroup_part::this_process) == 40 * mib);
    CHECK(of(group, cgroup_part::other_processes) == 10 * mib);
    CHECK(of(group, cgroup_part::shared) == 10 * mib);
    CHECK(of(group, cgroup_part::page_cache) == 20 * mib);
    CHECK(of(group, cgroup_part::page_tables) == 2 * mib);
    CHECK(of(group, cgroup_part::slab) == 7 * mib);
    CHECK(of(group, cgroup_part::sockets) == 5 * mib);
    CHECK(of(group, cgroup_part::other_kernel) == 4 * mib);
    CHECK(group.unexplained_bytes == static_cast<std::int64_t>(mib));
    CHECK(sum(group) == static_cast<std::int64_t>(group.current_bytes));
    CHECK(group.unreclaimable_bytes == 77 * mib);
}

TEST_CASE("cgroup_rows: what is charged elsewhere is not made up") {
    const test_support::kernel_tree tree;
    tree.make_v2(10 * mib, 0, "max");
    tree.write("cgroup/pod/app/memory.stat", row("anon", 5 * mib) + row("file", 0));
    const cgroup_footprint group = measure_cgroup(tree.roots(), process_of(40 * mib));
    CHECK(of(group, cgroup_part::this_process) == 5 * mib);
    CHECK(of(group, cgroup_part::other_processes) == 0);
    CHECK_FALSE(group.rows.front().note.empty());
    CHECK(sum(group) == static_cast<std::int64_t>(group.current_bytes));
}

TEST_CASE("cgroup_rows: v1 counts the groups below, too, and says less of the kernel") {
    const test_support::kernel_tree tree;
    tree.write("proc/cgroup", "4:memory:/box\n");
    tree.write("cgroup/memory/box/memory.usage_in_bytes", std::to_string(60 * mib) + "\n");
    tree.write("cgroup/memory/box/memory.limit_in_bytes", "9223372036854771712\n");
    tree.write("cgroup/memory/box/memory.kmem.usage_in_bytes", std::to_string(8 * mib) + "\n");
    tree.write("cgroup/memory/box/memory.stat", row("cache", mib) + row("rss", mib) + row("total_cache", 20 * mib) +
                                                    row("total_rss", 30 * mib) + row("total_shmem", 5 * mib) +
                                                    row("total_active_file", 10 * mib) + row("total_inactive_file", 5 * mib));
    const cgroup_footprint group = measure_cgroup(tree.roots(), process_of(30 * mib));
    CHECK(group.version == 1);
    CHECK(group.limit_bytes == 0);
    CHECK(of(group, cgroup_part::this_process) == 30 * mib);
    CHECK(of(group, cgroup_part::page_cache) == 15 * mib);
    CHECK(of(group, cgroup_part::shared) == 5 * mib);
    CHECK(of(group, cgroup_part::page_tables) + of(group, cgroup_part::kernel_stacks) + of(group, cgroup_part::other_kernel) ==
          8 * mib);
    CHECK(group.unexplained_bytes == static_cast<std::int64_t>(2 * mib));
}

TEST_CASE("cgroup_rows: no group is said to be none") {
    const test_support::kernel_tree tree;
    tree.write("proc/cgroup", "0::/\n");
    const cgroup_footprint group = measure_cgroup(tree.roots(), process_of(mib));
    CHECK(group.version == 0);
    CHECK_FALSE(group.detail.empty());
}
