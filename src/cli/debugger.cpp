// SPDX-License-Identifier: Apache-2.0
#include "cli/debugger.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>

#include "cli/child.hpp"
#include "platform/own_thread.hpp"
#include "platform/platform.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::size_t most_output = 1U << 20U;
constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr std::uint64_t farewell_ns = 5 * second_ns;  // from asking it to end to ending it

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
    std::vector<char*> out;
    for (std::string& text : texts) { out.push_back(text.data()); }
    out.push_back(nullptr);
    return out;
}

// "R (running)" -> 'R'; '?': gone.
char state_of(std::uint64_t pid) {
    std::ifstream in("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(in, line);) {
        if (line.compare(0, 7, "State:\t") == 0 && line.size() > 7) { return line[7]; }
    }
    return '?';
}

class debugger {
public:
    result<void> start(const debugger_run& wanted, const signals_held& signals) {
        int ends[2] = {-1, -1};
        if (::pipe2(ends, O_CLOEXEC) != 0) { return fail(error_code::io, std::strerror(errno), wanted.gdb); }
        output_ = ends[0];
        std::vector<std::string> arguments = {
            wanted.gdb,
            "-q",
            "-nx",
            "-nh",
            "-batch",
            "-iex",
            "set debuginfod enabled off",
            "-iex",
            "set auto-load no",
            "-ex",
            "python import os; exec(compile(os.environ['MEMWATCH_GDB_SCRIPT'], 'memwatch', 'exec'))"};
        std::vector<std::string> environment = wanted.environment;
        environment.push_back("MEMWATCH_GDB_SCRIPT=" + wanted.script);
        for (const char* const* at = platform::environment(); at != nullptr && *at != nullptr; ++at) {
            // Its own memory is nobody's business, and its words are to be English.
            static constexpr const char* left_out[] = {"LD_PRELOAD=", "MEMWATCH_", "LC_ALL=", "DEBUGINFOD_URLS=", "PYTHON"};
            bool is_wanted = true;
            for (const char* each : left_out) { is_wanted = is_wanted && std::strncmp(*at, each, std::strlen(each)) != 0; }
            if (is_wanted) { environment.emplace_back(*at); }
        }
        environment.emplace_back("LC_ALL=C.UTF-8");
        const int failed = spawn(wanted.gdb, ends[1], pointers_to(arguments), pointers_to(environment), signals);
        ::close(ends[1]);
        return failed == 0 ? result<void>{}
                           : fail(error_code::io, std::string("cannot be run: ") + std::strerror(failed), wanted.gdb);
    }

    ~debugger() {
        if (output_ >= 0) { ::close(output_); }
    }

    // False: it still runs at `until_ns`.
    bool wait(std::uint64_t until_ns, std::string& printed) {
        for (;;) {
            const std::uint64_t now = platform::monotonic_ns();
            if (now >= until_ns) { return false; }
            pollfd waited{output_, POLLIN, 0};
            ::poll(&waited, 1, static_cast<int>((until_ns - now) / 1'000'000 + 1));
            char some[4096];
            const ssize_t got = waited.revents == 0 ? 1 : ::read(output_, some, sizeof some);
            if (got > 0 && waited.revents != 0 && printed.size() < most_output) {
                printed.append(some, static_cast<std::size_t>(got));
            }
            if (got <= 0) { return has_ended(until_ns); }
        }
    }

    void signal(int number) const { ::kill(child_, number); }

private:
    int spawn(const std::string& path, int output, const std::vector<char*>& arguments, const std::vector<char*>& environment,
              const signals_held& signals) {
        posix_spawn_file_actions_t files;
        posix_spawnattr_t attributes;
        ::posix_spawn_file_actions_init(&files);
        ::posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
        ::posix_spawn_file_actions_adddup2(&files, output, 1);
        ::posix_spawn_file_actions_adddup2(&files, output, 2);
        ::posix_spawnattr_init(&attributes);
        ::posix_spawnattr_setsigmask(&attributes, &signals.before());
        ::posix_spawnattr_setpgroup(&attributes, 0);  // a Ctrl-C is for us: it must not end gdb half way
        ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
        const int failed = ::posix_spawn(&child_, path.c_str(), &files, &attributes, arguments.data(), environment.data());
        ::posix_spawnattr_destroy(&attributes);
        ::posix_spawn_file_actions_destroy(&files);
        return failed;
    }

    bool has_ended(std::uint64_t until_ns) const {
        while (::waitpid(child_, nullptr, WNOHANG) == 0) {
            if (platform::monotonic_ns() >= until_ns) { return false; }
            platform::sleep_ns(5'000'000);
        }
        return true;
    }

    int output_{-1};
    pid_t child_{-1};
};

}  // namespace

result<std::string> run_debugger(const debugger_run& wanted) {
    const signals_held signals;
    const bool was_stopped = state_of(wanted.pid) == 'T';
    debugger gdb;
    if (auto started = gdb.start(wanted, signals); !started) { return tl::unexpected<error>(started.error()); }
    std::string printed;
    bool is_done = gdb.wait(platform::monotonic_ns() + wanted.timeout_ns, printed);
    const bool is_late = !is_done;
    // Asked to end it lets go of the process as always; ended, the kernel does.
    for (const int number : {SIGTERM, SIGKILL}) {
        if (is_done) { break; }
        gdb.signal(number);
        is_done = gdb.wait(platform::monotonic_ns() + farewell_ns, printed);
    }
    // A stop of ours that came too late for gdb to take it.
    for (int i = 0; i < 20 && !was_stopped && state_of(wanted.pid) == 'T'; ++i) {
        ::kill(static_cast<pid_t>(wanted.pid), SIGCONT);
        platform::sleep_ns(10'000'000);
    }
    if (is_late) {
        return fail(error_code::unreachable, "gdb was not done in time and was ended; the process runs on",
                    "pid " + std::to_string(wanted.pid));
    }
    return printed;
}

}  // namespace v1
}  // namespace memwatch
