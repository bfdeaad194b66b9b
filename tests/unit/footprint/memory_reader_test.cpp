// SPDX-License-Identifier: Apache-2.0
// Readings from trees of made-up files, and one from the kernel that runs this.
#include "footprint/memory_reader.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "kernel_tree.hpp"

using namespace memwatch;
using test_support::kernel_tree;

namespace {

memory_reading read_once(const kernel_roots& roots, memory_reader& reader) {
    reader.look_for_groups(roots);
    memory_reading out;
    reader.read(out);
    return out;
}

memory_reading read_once(const kernel_roots& roots) {
    memory_reader reader;
    return read_once(roots, reader);
}

}  // namespace

TEST_CASE("memory_reader: status is bytes, whatever else the kernel writes there", "[footprint]") {
    const kernel_tree tree;
    tree.write("proc/status",
               "Name:\tVmRSS: 77 kB\nVmPeak:\t 9999 kB\nVmSize:\t    8192 kB\nVmRSS:\t    1024 kB\nRssAnon:\t     512 kB\n"
               "RssFile:\t     384 kB\nRssShmem:\t     128 kB\nVmPTE:\t      64 kB\nVmSwap:\t      32 "
               "kB\nThreads:\t12\nSeccomp:\t0\n");
    const process_memory got = read_once(tree.roots()).process;
    CHECK(got.resident == 1024U << 10U);
    CHECK(got.anonymous + got.file + got.shared == got.resident);
    CHECK(got.page_tables == 64U << 10U);
    CHECK(got.swapped == 32U << 10U);
    CHECK(got.address_space == 8192U << 10U);
    CHECK(got.threads == 12);
}

TEST_CASE("memory_reader: v2, the page cache is not what the limit kills for", "[footprint]") {
    const kernel_tree tree;
    tree.make_v2(1000, 600, "2000");
    tree.write("cgroup/pod/app/memory.events", "low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\noom_group_kill 6\n");
    const cgroup_memory got = read_once(tree.roots()).cgroup;
    CHECK(got.current == 1000);
    CHECK(got.unreclaimable == 400);
    CHECK(got.limit == 2000);
    CHECK(got.events.low == 1);
    CHECK(got.events.high == 2);
    CHECK(got.events.max == 3);
    CHECK(got.events.oom == 4);
    CHECK(got.events.oom_kill == 5);
}

TEST_CASE("memory_reader: shared memory is in `file` but not among what can be reclaimed", "[footprint]") {
    const kernel_tree tree;
    tree.make_v2(1000, 0, "max");
    tree.write("cgroup/pod/app/memory.stat",
               "anon 300\nfile 500\nshmem 200\ninactive_file 100\nactive_file 200\nunevictable 0\n"
               "slab_reclaimable 50\nslab_unreclaimable 70\n");
    const cgroup_memory got = read_once(tree.roots()).cgroup;
    CHECK(got.unreclaimable == 1000 - 100 - 200 - 50);
    CHECK(got.limit == 0);
}

TEST_CASE("memory_reader: of all groups above, the one with the least left counts, not the one with the least limit",
          "[footprint]") {
    const kernel_tree tree;
    tree.make_v2(100, 0, "1000");  // 900 left
    tree.write("cgroup/pod/memory.current", "5000\n");
    tree.write("cgroup/pod/memory.max", "5500\n");  // 500 left: the other containers of the pod
    tree.write("cgroup/pod/memory.stat", "inactive_file 0\nactive_file 0\n");
    memory_reader reader;
    const cgroup_memory above = read_once(tree.roots(), reader).cgroup;
    CHECK(above.limit == 5500);
    CHECK(above.current == 5000);
    CHECK(reader.tightest() == 1);
    CHECK(std::string(reader.tightest_events_file()) == tree.path("cgroup/pod/memory.events"));

    tree.write("cgroup/pod/memory.stat", "inactive_file 4800\nactive_file 0\n");  // most of it is cache
    const cgroup_memory own = read_once(tree.roots(), reader).cgroup;
    CHECK(own.limit == 1000);
    CHECK(reader.tightest() == 0);
    CHECK(std::string(reader.own_events_file()) == tree.path("cgroup/pod/app/memory.events"));
    CHECK(std::string(reader.tightest_events_file()).empty());
}

TEST_CASE("memory_reader: in a container with a name space of its own the root is the group", "[footprint]") {
    const kernel_tree tree;
    tree.write("proc/cgroup", "0::/\n");
    tree.write("cgroup/memory.current", "700\n");
    tree.write("cgroup/memory.max", "900\n");
    tree.write("cgroup/memory.stat", "inactive_file 100\nactive_file 100\n");
    const cgroup_memory got = read_once(tree.roots()).cgroup;
    CHECK(got.unreclaimable == 500);
    CHECK(got.limit == 900);
}

TEST_CASE("memory_reader: in a container without one the named folder is not there, and the mounted one is", "[footprint]") {
    const kernel_tree tree;
    tree.write("proc/cgroup", "7:memory:/docker/abc\n");
    tree.write("cgroup/memory/memory.usage_in_bytes", "700\n");
    tree.write("cgroup/memory/memory.limit_in_bytes", "900\n");
    CHECK(read_once(tree.roots()).cgroup.limit == 900);
}

TEST_CASE("memory_reader: v1, with the groups below and without a limit near 2^63", "[footprint]") {
    const kernel_tree tree;
    tree.write("proc/cgroup", "0::/elsewhere\n4:memory:/docker/abc\n");
    const std::string at = "cgroup/memory/docker/abc/memory.";
    tree.write(at + "usage_in_bytes", "1000\n");
    tree.write(at + "limit_in_bytes", "1500\n");
    tree.write(at + "stat",
               "cache 1\nactive_file 10\ninactive_file 20\nhierarchical_memory_limit 1500\ntotal_active_file 100\n"
               "total_inactive_file 200\n");
    tree.write(at + "failcnt", "42\n");
    tree.write(at + "oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
    tree.write("cgroup/memory/memory.usage_in_bytes", "99999\n");
    tree.write("cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    const cgroup_memory got = read_once(tree.roots()).cgroup;
    CHECK(got.current == 1000);
    CHECK(got.unreclaimable == 700);
    CHECK(got.limit == 1500);
    CHECK(got.events.max == 42);
    CHECK(got.events.oom_kill == 2);
}

TEST_CASE("memory_reader: what is missing or nonsense is 0", "[footprint]") {
    const kernel_tree tree;
    CHECK(read_once(tree.roots()).process.resident == 0);
    CHECK(read_once({"/nonexistent", "/nonexistent"}).cgroup.current == 0);
    tree.make_v2(1000, 5000, "twelve");  // more cache than there is: read at another moment
    tree.write("proc/status", "VmRSS:\t99999999999999999999 kB\nVmRSS\nVmSize:\t-3 kB\nRssAnon:\t1152921504606846975 kB");
    const memory_reading got = read_once(tree.roots());
    CHECK(got.process.resident == 0);
    CHECK(got.process.address_space == 0);
    CHECK(got.cgroup.unreclaimable == 0);
    CHECK(got.cgroup.limit == 0);
}

TEST_CASE("memory_reader: this process, as this kernel has it", "[footprint]") {
    memory_reader reader;
    const memory_reading before = read_once({}, reader);
    CHECK(before.process.resident > 0);
    CHECK(before.process.anonymous <= before.process.resident);
    CHECK(before.process.address_space >= before.process.resident);
    CHECK(before.process.threads >= 1);
    const std::vector<char> block(64U << 20U, 1);
    memory_reading after;
    reader.read(after);
    CHECK(after.process.anonymous - before.process.anonymous > (60U << 20U));
    if (before.cgroup.current == 0) { return; }  // the machine's root group: nothing is counted for it
    CHECK(after.cgroup.current >= after.cgroup.unreclaimable);
}
