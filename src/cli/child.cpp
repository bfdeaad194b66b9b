// SPDX-License-Identifier: Apache-2.0
#include "cli/child.hpp"

#include <dirent.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>

#include "control/client.hpp"
#include "control/endpoint.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

// SIGTSTP, SIGTTIN, SIGTTOU and SIGCONT stay as they are: the terminal stops and continues both of us.
constexpr int passed_on[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM};

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
    std::vector<char*> out;
    for (const std::string& text : texts) { out.push_back(const_cast<char*>(text.c_str())); }
    out.push_back(nullptr);
    return out;
}

bool has_ended(pid_t child, int& status) {
    int raw = 0;
    const pid_t ended = ::waitpid(child, &raw, WNOHANG);
    if (ended < 0 && errno == ECHILD) { return true; }  // somebody inherited to us that children are not to be waited for
    if (ended != child) { return false; }
    status = WIFSIGNALED(raw) ? 128 + WTERMSIG(raw) : WEXITSTATUS(raw);
    return WIFSIGNALED(raw) || WIFEXITED(raw);
}

// Processes, other than this one, whose environment holds `variable` ("NAME=value"), as far as we may look.
std::vector<std::uint64_t> processes_with(const std::string& variable) {
    std::vector<std::uint64_t> out;
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir("/proc"), &::closedir);
    while (const dirent* const entry = directory == nullptr ? nullptr : ::readdir(directory.get())) {
        const pid_t pid = std::atoi(entry->d_name);
        if (pid <= 0 || pid == ::getpid()) { continue; }
        std::ifstream in("/proc/" + std::to_string(pid) + "/environ", std::ios::binary);
        const std::string environment =
            std::string(1, '\0') + std::string{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
        const std::string entry_of_it = std::string(1, '\0') + variable + std::string(1, '\0');
        if (environment.find(entry_of_it) != std::string::npos) { out.push_back(static_cast<std::uint64_t>(pid)); }
    }
    return out;
}

}  // namespace

signals_held::signals_held() {
    ::sigemptyset(&held_);
    ::sigaddset(&held_, SIGCHLD);
    for (const int number : passed_on) { ::sigaddset(&held_, number); }
    ::sigprocmask(SIG_BLOCK, &held_, &before_);
    ::signal(SIGCHLD, SIG_DFL);  // ignored, it would take the child's status away
}

signals_held::~signals_held() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }

result<pid_t> start_child(const std::string& path, const std::vector<std::string>& arguments,
                          const std::vector<std::string>& environment, const signals_held& signals) {
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    ::posix_spawnattr_setsigmask(&attributes, &signals.before());
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    pid_t child = -1;
    int failed = ::posix_spawn(&child, path.c_str(), nullptr, &attributes, pointers_to(arguments).data(),
                               pointers_to(environment).data());
    if (failed == ENOEXEC) {  // a script without "#!": the shell's, as for execvp
        std::vector<std::string> for_shell{"/bin/sh", path};
        if (!arguments.empty()) { for_shell.insert(for_shell.end(), arguments.begin() + 1, arguments.end()); }
        failed = ::posix_spawn(&child, "/bin/sh", nullptr, &attributes, pointers_to(for_shell).data(),
                               pointers_to(environment).data());
    }
    ::posix_spawnattr_destroy(&attributes);
    if (failed == 0) { return child; }
    return fail(failed == ENOENT ? error_code::not_found : error_code::io,
                std::string("cannot be executed: ") + std::strerror(failed), path);
}

int wait_for_child(pid_t child, const signals_held& signals) {
    int status = 0;
    while (!has_ended(child, status)) {
        siginfo_t info{};
        const int number = ::sigwaitinfo(&signals.held(), &info);
        if (number <= 0 || number == SIGCHLD) { continue; }
        // From the kernel means from the terminal: the child, in the same group, has got it too.
        if (info.si_code <= 0) { ::kill(child, number); }
    }
    return status;
}

std::vector<std::uint64_t> processes_of_run(const std::string& dump_dir) {
    std::vector<std::uint64_t> out = processes_with("MEMWATCH_DUMP_DIR=" + dump_dir);
    for (const std::uint64_t pid : control::processes_with_sockets()) {
        if (std::find(out.begin(), out.end(), pid) != out.end()) { continue; }
        const result<std::string> status = control::ask(pid, {"status", {}}, {500'000'000, 2'000'000'000});
        if (status && control::field(*status, "dump_dir") == dump_dir) { out.push_back(pid); }
    }
    std::sort(out.begin(), out.end());
    return out;
}

}  // namespace v1
}  // namespace memwatch
