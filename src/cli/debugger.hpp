// SPDX-License-Identifier: Apache-2.0
#pragma once
// One run of gdb on a process, with a script; and the promise that the process runs on afterwards, whatever gdb does.

#include <cstdint>
#include <string>
#include <vector>

#include <memwatch/base/result.hpp>

namespace memwatch {
inline namespace v1 {

struct debugger_run {
    std::string gdb;                       // its path
    std::string script;                    // Python
    std::vector<std::string> environment;  // "NAME=value", for the script
    std::uint64_t pid{};
    std::uint64_t timeout_ns{};
};

// What it printed. Errors: io (cannot be run), unreachable (not done in time: it was ended).
[[nodiscard]] result<std::string> run_debugger(const debugger_run& wanted);

}  // namespace v1
}  // namespace memwatch
