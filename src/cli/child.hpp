// SPDX-License-Identifier: Apache-2.0
#pragma once
// A program run in our place: same streams, same terminal, same signals; its end is ours.

#include <sys/types.h>

#include <csignal>
#include <cstdint>
#include <string>
#include <vector>

#include <memwatch/base/result.hpp>

namespace memwatch {
inline namespace v1 {

// While one lives, signals that want this process to do something are held back for wait_for_child() to pass on, and the
// child's end is noticed. Made before any thread and before the child.
class signals_held {
public:
    signals_held();
    ~signals_held();
    signals_held(const signals_held&) = delete;
    signals_held& operator=(const signals_held&) = delete;

    [[nodiscard]] const sigset_t& before() const noexcept { return before_; }
    [[nodiscard]] const sigset_t& held() const noexcept { return held_; }

private:
    sigset_t held_{};
    sigset_t before_{};
};

// Errors: io with `where` = path; not_found when the kernel does not find it (or its interpreter).
[[nodiscard]] result<pid_t> start_child(const std::string& path, const std::vector<std::string>& arguments,
                                        const std::vector<std::string>& environment, const signals_held& signals);

// Waits for the child's end, passing signals on to it; those of the terminal go to both of us anyway. The status as shells give
// it: 0 .. 255, or 128 + the signal that ended it.
[[nodiscard]] int wait_for_child(pid_t child, const signals_held& signals);

// Processes of the run that leaves its dumps in `dump_dir`, wherever they went: those whose sockets say so, and those whose
// environment does. (A program may have overwritten its environment with a title, and may have no socket; both at once are
// missed.)
[[nodiscard]] std::vector<std::uint64_t> processes_of_run(const std::string& dump_dir);

}  // namespace v1
}  // namespace memwatch
