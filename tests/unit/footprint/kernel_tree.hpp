// SPDX-License-Identifier: Apache-2.0
#pragma once
// /proc/self and a cgroup tree as plain files, of v2 or v1; gone when the test is.

#include <catch2/catch.hpp>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "footprint/memory_reader.hpp"

namespace test_support {

class kernel_tree {
public:
    kernel_tree() {
        std::string name = (std::filesystem::temp_directory_path() / "memwatch-kernel-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        root_ = name;
    }
    ~kernel_tree() { std::filesystem::remove_all(root_); }
    kernel_tree(const kernel_tree&) = delete;
    kernel_tree& operator=(const kernel_tree&) = delete;

    void write(const std::string& path, const std::string& text) const {
        const std::filesystem::path file = root_ / path;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file) << text;
    }
    void remove(const std::string& path) const { std::filesystem::remove(root_ / path); }
    [[nodiscard]] std::string path(const std::string& of) const { return (root_ / of).string(); }
    [[nodiscard]] memwatch::kernel_roots roots() const { return {path("proc"), path("cgroup")}; }

    // A process in one v2 group, "/pod/app", and what that holds.
    void make_v2(std::uint64_t current, std::uint64_t file_cache, const std::string& limit) const {
        write("proc/cgroup", "0::/pod/app\n");
        write("proc/status", "Name:\tapp\nVmSize:\t  900 kB\nVmRSS:\t  500 kB\nRssAnon:\t  400 kB\nThreads:\t3\n");
        write("cgroup/pod/app/memory.current", std::to_string(current) + "\n");
        write("cgroup/pod/app/memory.max", limit + "\n");
        write("cgroup/pod/app/memory.stat",
              "anon 1\nfile 2\ninactive_file " + std::to_string(file_cache) + "\nactive_file 0\nslab_reclaimable 0\n");
        write("cgroup/pod/app/memory.events", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n");
    }

private:
    std::filesystem::path root_;
};

}  // namespace test_support
