// SPDX-License-Identifier: Apache-2.0
#include <sched.h>
#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "platform/demangle.hpp"
#include "platform/platform.hpp"

using namespace memwatch;

namespace {

// A cgroup tree as files; gone when the test is.
class cgroup_tree {
public:
    cgroup_tree() {
        std::string name = (std::filesystem::temp_directory_path() / "memwatch-cgroup-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        root_ = name;
    }
    ~cgroup_tree() { std::filesystem::remove_all(root_); }
    void write(const std::string& path, const std::string& text) const {
        const std::filesystem::path file = root_ / path;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file) << text;
    }
    [[nodiscard]] std::uint64_t limit() const {
        return platform::cgroup_memory_limit(root_.string(), (root_ / "self").string());
    }
    [[nodiscard]] double cpus() const { return platform::available_cpus(root_.string(), (root_ / "self").string()); }

private:
    std::filesystem::path root_;
};

}  // namespace

TEST_CASE("cgroup_memory_limit: the tightest of the group and its ancestors, v2", "[platform]") {
    const cgroup_tree tree;
    tree.write("self", "0::/kubepods/pod1/app\n");
    CHECK(tree.limit() == 0);
    tree.write("kubepods/pod1/app/memory.max", "max\n");
    CHECK(tree.limit() == 0);
    tree.write("kubepods/memory.max", "1073741824\n");
    CHECK(tree.limit() == 1073741824);
    tree.write("kubepods/pod1/memory.max", "268435456\n");
    CHECK(tree.limit() == 268435456);
    tree.write("kubepods/pod1/app/memory.max", "536870912\n");
    CHECK(tree.limit() == 268435456);
}

TEST_CASE("cgroup_memory_limit: v1, where no limit is a number near 2^63", "[platform]") {
    const cgroup_tree tree;
    tree.write("self", "7:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n");
    tree.write("memory/memory.limit_in_bytes", "9223372036854771712\n");
    CHECK(tree.limit() == 0);
    tree.write("memory/docker/abc/memory.limit_in_bytes", "134217728\n");
    CHECK(tree.limit() == 134217728);
}

TEST_CASE("cgroup_memory_limit: what cannot be read is no limit", "[platform]") {
    const cgroup_tree tree;
    tree.write("self", "garbage\n:::\n0::not-absolute\n0::/x\n");
    tree.write("x/memory.max", "twelve\n");
    CHECK(tree.limit() == 0);
    CHECK(platform::cgroup_memory_limit("/nonexistent", "/nonexistent") == 0);
}

TEST_CASE("available_cpus: no more than a quota allows, the tightest of the group and its ancestors, v2", "[platform]") {
    const cgroup_tree tree;
    tree.write("self", "0::/kubepods/pod1/app\n");
    const double all = tree.cpus();
    CHECK(all >= 1);
    CHECK(all <= std::thread::hardware_concurrency());
    tree.write("kubepods/pod1/app/cpu.max", "max 100000\n");
    CHECK(tree.cpus() == all);
    tree.write("kubepods/pod1/cpu.max", "75000 100000\n");
    CHECK(tree.cpus() == 0.75);
    tree.write("kubepods/cpu.max", "25000 50000\n");
    CHECK(tree.cpus() == 0.5);
    tree.write("kubepods/cpu.max", "10000000 100000\n");  // 100 CPUs: more than the pod's
    CHECK(tree.cpus() == 0.75);
}

TEST_CASE("available_cpus: v1, where no quota is -1 and controllers share a tree", "[platform]") {
    const cgroup_tree tree;
    tree.write("self", "4:cpu,cpuacct:/docker/abc\n3:cpuset:/x\n");
    const double all = tree.cpus();
    tree.write("cpu/cpu.cfs_quota_us", "-1\n");
    tree.write("cpu/cpu.cfs_period_us", "100000\n");
    CHECK(tree.cpus() == all);
    tree.write("cpu/docker/abc/cpu.cfs_quota_us", "50000\n");
    tree.write("cpu/docker/abc/cpu.cfs_period_us", "100000\n");
    CHECK(tree.cpus() == 0.5);
    tree.write("cpu/docker/abc/cpu.cfs_period_us", "0\n");  // nonsense is no quota
    CHECK(tree.cpus() == all);
    CHECK(platform::available_cpus("/nonexistent", "/nonexistent") == all);
}

TEST_CASE("available_cpus: affinity counts", "[platform]") {
    cpu_set_t before;
    REQUIRE(sched_getaffinity(0, sizeof before, &before) == 0);
    int first = 0;
    while (!CPU_ISSET(first, &before)) { ++first; }
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
    CHECK(platform::available_cpus() <= 1);
    REQUIRE(sched_setaffinity(0, sizeof before, &before) == 0);
}

TEST_CASE("loaded_modules: the executable first, each with a range, ours with a build id", "[platform]") {
    const auto modules = platform::loaded_modules();
    REQUIRE(modules.size() > 3);
    CHECK(modules.front().path == platform::executable_path());
    bool is_libc_there = false;
    for (const auto& m : modules) {
        CHECK(m.start < m.limit);
        is_libc_there = is_libc_there || (m.path.find("/libc.so.6") != std::string::npos && m.build_id.size() == 40);
    }
    CHECK(is_libc_there);
    const auto here = reinterpret_cast<std::uint64_t>(&platform::unix_ns);
    CHECK(here >= modules.front().start);
    CHECK(here < modules.front().limit);
}

TEST_CASE("hooks keep errno", "[platform]") {
    errno = 4711;
    static_cast<void>(platform::random_seed());
    char name[platform::thread_name_size];
    platform::thread_name(name);
    static_cast<void>(platform::thread_stack());
    static_cast<void>(platform::is_thread_alive(0x7FFF'FFF0));
    static_cast<void>(platform::reserve_memory(std::size_t{1} << 62U));  // refused
    CHECK(errno == 4711);
}

TEST_CASE("demangle: names functions for people, and leaves what is no C++ name alone", "[platform]") {
    CHECK(demangle("_ZN6orders5cache6insertEi") == "orders::cache::insert(int)");
    CHECK(demangle("_ZN6orders5cache6insertEi.cold") == "orders::cache::insert(int)");
    CHECK(demangle("_ZN6orders5cache6insertEi.part.0.isra.0") == "orders::cache::insert(int)");
    CHECK(demangle("main") == "main");
    CHECK(demangle("i") == "i");
    CHECK(demangle("_Z") == "_Z");
}

TEST_CASE("threads: ids, names and ends are seen", "[platform]") {
    CHECK(platform::thread_id() == platform::process_id());
    std::uint32_t other = 0;
    std::thread([&] {
        other = platform::thread_id();
        CHECK(platform::is_thread_alive(other));
        CHECK_FALSE(platform::name_of_thread(other).empty());
    }).join();
    CHECK(other != platform::thread_id());
    // join() returns a moment before the kernel has taken the thread down.
    for (int i = 0; i < 1'000'000 && platform::is_thread_alive(other); ++i) { std::this_thread::yield(); }
    CHECK_FALSE(platform::is_thread_alive(other));
    CHECK(platform::name_of_thread(other).empty());
}
