// SPDX-License-Identifier: Apache-2.0
// Each reason why a process cannot be attached to, from a /proc made of files.
#include "cli/attach_checks.hpp"

#include <elf.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace {

using namespace memwatch;
namespace fs = std::filesystem;

class made_proc {
public:
    made_proc() {
        char name[] = "/tmp/memwatch-proc-XXXXXX";
        root_ = ::mkdtemp(name);
        fs::create_directories(root_ / "4711/root");
        fs::create_directories(root_ / "sys/kernel/yama");
        fs::create_directories(root_ / "12");
        write("12/comm", "strace\n");
        status("State:\tS (sleeping)\nTgid:\t4711\nTracerPid:\t0\nUid:\t1000\t1000\t1000\t1000\nSeccomp:\t0\n");
        auxiliary(0);
        write("4711/maps", "7f00-7f01 r-xp 0 0:0 1 /usr/lib/libc.so.6\n");
        fs::create_symlink("/proc/self/exe", root_ / "4711/exe");
        library_ = root_ / "lib.so";
        write("lib.so", "");
        fs::create_directories((root_ / "4711/root" / library_.relative_path()).parent_path());
        write(("4711/root" / library_.relative_path()).string(), "");
    }
    ~made_proc() { fs::remove_all(root_); }

    void write(const std::string& name, const std::string& bytes) const {
        std::ofstream(root_ / name, std::ios::binary) << bytes;
    }
    void status(const std::string& text) const { write("4711/status", "Name:\tvictim\n" + text); }
    void auxiliary(std::uint64_t secure) const {
        const std::uint64_t words[] = {AT_PAGESZ, 4096, AT_SECURE, secure, AT_NULL, 0};
        write("4711/auxv", std::string(reinterpret_cast<const char*>(words), sizeof words));
    }
    void remove_from_its_root() const { fs::remove(root_ / "4711/root" / library_.relative_path()); }

    // "" = fine.
    std::string ask(uid_t user = 1000, std::uint64_t pid = 4711) {
        warnings.clear();
        const auto done = check_attachable({pid, library_.string(), root_.string(), user}, warnings);
        if (done) { return ""; }
        CHECK(done.error().code == error_code::unreachable);
        CHECK(done.error().where == "pid " + std::to_string(pid));
        return done.error().what;
    }

    std::vector<std::string> warnings;

private:
    fs::path root_;
    fs::path library_;
};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("attach_checks: nothing is in the way of a process of one's own") {
    made_proc proc;
    CHECK(proc.ask() == "");
    CHECK(proc.ask(0) == "");
    CHECK(proc.warnings.empty());
}

TEST_CASE("attach_checks: a process that is not there, has ended, or is a thread") {
    made_proc proc;
    CHECK(has(proc.ask(1000, 4712), "no such process"));
    proc.status("State:\tZ (zombie)\nTgid:\t4711\n");
    CHECK(has(proc.ask(), "has ended"));
    proc.status("State:\tS (sleeping)\nTgid:\t99\n");
    CHECK(has(proc.ask(), "its process is pid 99"));
    proc.status("State:\tS (sleeping)\nTgid:\t4711\nTracerPid:\t0\nUid:\t0\t0\t0\t0\n");
    proc.write("4711/auxv", "");
    CHECK(has(proc.ask(0), "thread of the kernel"));
}

TEST_CASE("attach_checks: another user's, also one that only changed its effective id") {
    made_proc proc;
    CHECK(has(proc.ask(1001), "another user (uid 1000)"));
    proc.status("State:\tS (sleeping)\nTgid:\t4711\nTracerPid:\t0\nUid:\t1000\t0\t0\t0\n");
    CHECK(has(proc.ask(1000), "as root"));
}

TEST_CASE("attach_checks: who traces already is named") {
    made_proc proc;
    proc.status("State:\tS (sleeping)\nTgid:\t4711\nTracerPid:\t12\nUid:\t1000\t1000\t1000\t1000\n");
    CHECK(has(proc.ask(), "by pid 12 (strace)"));
}

TEST_CASE("attach_checks: yama's levels") {
    made_proc proc;
    for (const char* const level : {"0\n", "1\n", "2\n", "3\n"}) {
        proc.write("sys/kernel/yama/ptrace_scope", level);
        CHECK(proc.ask(1000).empty() == (*level == '0'));
        CHECK(proc.ask(0).empty() == (*level != '3'));
    }
}

TEST_CASE("attach_checks: a process with more rights than its user") {
    made_proc proc;
    proc.auxiliary(1);
    CHECK(has(proc.ask(0), "AT_SECURE"));
}

TEST_CASE("attach_checks: programs that could not load it") {
    made_proc proc;
    proc.write("4711/maps", "7f00-7f01 r-xp 0 0:0 1 /usr/bin/static\n");
    CHECK(has(proc.ask(), "statically linked"));
    proc.write("4711/maps", "7f00-7f01 r-xp 0 0:0 1 /lib/ld-musl-x86_64.so.1\n");
    CHECK(has(proc.ask(), "musl"));
    proc.write("4711/maps", "7f00-7f01 r-xp 0 0:0 1 /usr/lib/libc.so.6\n7f01-7f02 r-xp 0 0:0 1 /x/libmemwatch-preload.so\n");
    CHECK(has(proc.ask(), "preloaded"));
    proc.write("4711/maps", "7f00-7f01 r-xp 0 0:0 1 /usr/lib/libc.so.6\n7f01-7f02 r-xp 0 0:0 1 /x/libasan.so.8\n");
    CHECK(has(proc.ask(), "AddressSanitizer"));
}

TEST_CASE("attach_checks: a library that the process does not see") {
    made_proc proc;
    proc.remove_from_its_root();
    CHECK(has(proc.ask(), "another mount namespace"));
}

TEST_CASE("attach_checks: a system call filter is said") {
    made_proc proc;
    proc.status("State:\tS (sleeping)\nTgid:\t4711\nTracerPid:\t0\nUid:\t1000\t1000\t1000\t1000\nSeccomp:\t2\n");
    CHECK(proc.ask() == "");
    CHECK(proc.warnings.size() == 1);
}
