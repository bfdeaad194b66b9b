// SPDX-License-Identifier: Apache-2.0
#include "cli/attach_checks.hpp"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>

#include "platform/program_file.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::size_t most_bytes = 16U << 20U;  // of /proc/PID/maps

struct named {
    const char* part;
    const char* name;
};

std::string read_file(const std::string& path, int& failed) {
    std::string bytes;
    char some[8192];
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    failed = file < 0 ? errno : 0;
    for (ssize_t got = 1; file >= 0 && got > 0 && bytes.size() < most_bytes;) {
        got = ::read(file, some, sizeof some);
        if (got > 0) { bytes.append(some, static_cast<std::size_t>(got)); }
    }
    if (file >= 0) { ::close(file); }
    return bytes;
}

std::string read_file(const std::string& path) {
    int failed = 0;
    return read_file(path, failed);
}

// "TracerPid:\t4711" of /proc/PID/status; empty: no such line.
std::string_view line_of(std::string_view status, std::string_view name) noexcept {
    for (std::size_t at = status.find(name); at != std::string_view::npos; at = status.find(name, at + 1)) {
        if (at != 0 && status[at - 1] != '\n') { continue; }
        std::string_view value = status.substr(at + name.size());
        value = value.substr(0, value.find('\n'));
        value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
        return value;
    }
    return {};
}

std::uint64_t number_in(std::string_view text) noexcept {
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

class checks {
public:
    checks(const attach_question& asked, std::vector<std::string>& warnings)
        : asked_(asked), warnings_(warnings), folder_(asked.proc + "/" + std::to_string(asked.pid)) {}

    result<void> run() {
        using check = result<void> (checks::*)();
        constexpr check in_order[] = {&checks::exists,     &checks::is_ours,       &checks::is_not_traced,
                                      &checks::is_allowed, &checks::is_not_secure, &checks::is_our_machine,
                                      &checks::is_dynamic, &checks::has_no_rival,  &checks::sees_library};
        for (const check each : in_order) {
            if (auto done = (this->*each)(); !done) { return done; }
        }
        if (number_in(line_of(status_, "Seccomp:")) == 2) {
            warnings_.push_back(
                "it runs under a system call filter: if that ends it on mmap, clone, socket or bind, attaching ends it");
        }
        return {};
    }

private:
    [[nodiscard]] tl::unexpected<error> refuse(const std::string& why) const {
        return fail(error_code::unreachable, why, "pid " + std::to_string(asked_.pid));
    }

    result<void> exists() {
        status_ = read_file(folder_ + "/status");
        if (status_.empty()) { return refuse("there is no such process"); }
        const std::string_view state = line_of(status_, "State:");
        if (state.substr(0, 1) == "Z" || state.substr(0, 1) == "X") {
            return refuse("it has ended and only waits to be collected");
        }
        if (number_in(line_of(status_, "Tgid:")) != asked_.pid) {
            return refuse("that is a thread; its process is pid " + std::string(line_of(status_, "Tgid:")));
        }
        return {};
    }

    result<void> is_ours() {
        // Real, effective, saved, file system.
        std::string_view users = line_of(status_, "Uid:");
        const std::uint64_t owner = number_in(users);
        for (int i = 0; i < 3 && asked_.user != 0; ++i) {
            if (number_in(users) != asked_.user) {
                return refuse("it belongs to another user (uid " + std::to_string(owner) +
                              "): run memwatch as that user or as root");
            }
            users.remove_prefix(std::min(users.find('\t'), users.size()));
            users.remove_prefix(std::min<std::size_t>(1, users.size()));
        }
        return {};
    }

    result<void> is_not_traced() {
        const std::uint64_t tracer = number_in(line_of(status_, "TracerPid:"));
        if (tracer == 0) { return {}; }
        std::string name = read_file(asked_.proc + "/" + std::to_string(tracer) + "/comm");
        name = name.substr(0, name.find('\n'));
        return refuse("it is traced already, by pid " + std::to_string(tracer) + (name.empty() ? "" : " (" + name + ")") +
                      ", and can have one tracer only: end that one first");
    }

    result<void> is_allowed() {
        const std::string scope = read_file(asked_.proc + "/sys/kernel/yama/ptrace_scope");
        const std::uint64_t level = scope.empty() ? 0 : number_in(scope);
        if (level == 3) {
            return refuse(
                "/proc/sys/kernel/yama/ptrace_scope is 3: nobody may trace, until the next boot; start it with 'memwatch run'");
        }
        if (level == 0 || asked_.user == 0) { return {}; }
        return refuse("/proc/sys/kernel/yama/ptrace_scope is " + std::to_string(level) +
                      ", which forbids tracing it: run memwatch as root, or start it with 'memwatch run'");
    }

    // The auxiliary vector also tells whether we may look at all.
    result<void> is_not_secure() {
        int failed = 0;
        const std::string vector = read_file(folder_ + "/auxv", failed);
        if (failed == EACCES || failed == EPERM) {
            return refuse(
                "it may not be looked at (it has more rights than you, or made itself undumpable): run memwatch as root");
        }
        if (vector.empty()) { return refuse("it is a thread of the kernel"); }
        for (std::size_t at = 0; at + 2 * sizeof(std::uint64_t) <= vector.size(); at += 2 * sizeof(std::uint64_t)) {
            std::uint64_t entry[2];
            std::memcpy(entry, vector.data() + at, sizeof entry);
            if (entry[0] == AT_SECURE && entry[1] != 0) {
                return refuse(
                    "it was started set-user-ID or with capabilities (AT_SECURE), where memwatch stays out; run a copy "
                    "without");
            }
        }
        return {};
    }

    result<void> is_our_machine() {
        std::vector<std::string> names;
        for (const named& each : sanitizers) { names.emplace_back(each.part); }
        const auto theirs = program_file::inspect(folder_ + "/exe", names);
        const auto own = program_file::inspect("/proc/self/exe", {});
        if (!theirs) { return refuse("its program cannot be read: " + theirs.error().what); }
        if (!own) { return refuse("this program cannot be read: " + own.error().what); }
        if (theirs->is != program_file::kind::elf || theirs->elf_class != own->elf_class || theirs->machine != own->machine) {
            return refuse("it is a program of another architecture: use a memwatch that was built for that");
        }
        for (const named& each : sanitizers) {
            const bool has_it = std::find(theirs->defines.begin(), theirs->defines.end(), each.part) != theirs->defines.end() ||
                                std::find(theirs->imports.begin(), theirs->imports.end(), each.part) != theirs->imports.end();
            if (has_it) {
                return refuse(std::string("it is built with ") + each.name +
                              ", which replaces malloc itself: build it without");
            }
        }
        return {};
    }

    result<void> is_dynamic() {
        maps_ = read_file(folder_ + "/maps");
        if (has_file("ld-musl")) { return refuse("it runs on musl, which memwatch does not support: only glibc"); }
        if (!has_file("libc.so.6") && !has_file("libc-2.")) {
            return refuse(
                "it is statically linked: there is no dynamic linker in it that could load memwatch; link it dynamically, or "
                "link libmemwatch");
        }
        return {};
    }

    result<void> has_no_rival() {
        if (has_file("libmemwatch-preload.so")) {
            return refuse("memwatch was preloaded into it: nothing to attach; 'memwatch control --pid " +
                          std::to_string(asked_.pid) + "' steers it");
        }
        static constexpr named rivals[] = {{"libasan.so", "AddressSanitizer"},    {"libtsan.so", "ThreadSanitizer"},
                                           {"liblsan.so", "LeakSanitizer"},       {"libheaptrack", "heaptrack"},
                                           {"libbytehound", "bytehound"},         {"libdd_profiling", "ddprof"},
                                           {"libc_malloc_debug", "malloc_debug"}, {"vgpreload", "valgrind"}};
        for (const named& each : rivals) {
            if (has_file(each.part)) {
                return refuse(std::string(each.name) + " is in it and replaces malloc itself: run it without");
            }
        }
        return {};
    }

    result<void> sees_library() {
        struct stat ours {};
        struct stat theirs {};
        if (::stat(asked_.library.c_str(), &ours) != 0) { return refuse("there is no " + asked_.library); }
        if (::stat((folder_ + "/root" + asked_.library).c_str(), &theirs) != 0) {
            return refuse("it lives in another mount namespace or root, which has no " + asked_.library +
                          ": install memwatch there, too, at the same place");
        }
        return {};
    }

    // A mapped file whose name begins so.
    [[nodiscard]] bool has_file(const std::string& name) const { return maps_.find("/" + name) != std::string::npos; }

    static constexpr named sanitizers[] = {{"__asan_init", "AddressSanitizer"},
                                           {"__tsan_init", "ThreadSanitizer"},
                                           {"__msan_init", "MemorySanitizer"},
                                           {"__hwasan_init", "HWAddressSanitizer"},
                                           {"__lsan_init", "LeakSanitizer"}};

    const attach_question& asked_;
    std::vector<std::string>& warnings_;
    const std::string folder_;
    std::string status_;
    std::string maps_;
};

}  // namespace

result<void> check_attachable(const attach_question& asked, std::vector<std::string>& warnings) {
    return checks(asked, warnings).run();
}

}  // namespace v1
}  // namespace memwatch
