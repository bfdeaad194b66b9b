// SPDX-License-Identifier: Apache-2.0
#pragma once
// A program run in our place: same streams, same terminal, same signals; its end is ours.

#include <sys/types.h>

#include <csignal>
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

// Processes, other than this one, whose environment holds `variable` ("NAME=value"), as far as we may look.
[[nodiscard]] std::vector<pid_t> processes_with(const std::string& variable);

}  // namespace v1
}  // namespace memwatch
