// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where the control socket of a process is (README.md, "Where"). The server's half makes the folder and clears leftovers, the
// client's half looks for a process wherever it may have put its socket, also in a container.
//
// In: a pid, the environment as it was at start. Out: paths. Threads: any. Errors: one sentence for a person.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <memwatch/base/result.hpp>

namespace memwatch {
inline namespace v1 {
namespace control {

// In clock ticks after boot, as the 22nd field of /proc/PID/stat tells it; 0: no such process (or no /proc).
[[nodiscard]] std::uint64_t start_time_of(std::uint64_t pid);
[[nodiscard]] std::uint64_t start_time_of_self();
// The 22nd field of such a line; the second, in parentheses, may hold anything. 0: not found.
[[nodiscard]] std::uint64_t parse_start_time(std::string_view stat) noexcept;

[[nodiscard]] std::string socket_name(std::uint64_t pid, std::uint64_t start_time);
struct socket_owner {
    std::uint64_t pid{};  // 0: the name is not that of a socket
    std::uint64_t start_time{};
};
[[nodiscard]] socket_owner parse_socket_name(std::string_view name) noexcept;

// XDG_RUNTIME_DIR if it is an absolute path, else empty; empty also in a set-user-id process. To be read when the session
// starts, on its thread: later the host may be changing its environment.
[[nodiscard]] std::string runtime_directory();

// The folder for sockets of the calling process' effective user, made if need be: 0700, owned by it, no link.
// Errors: invalid_argument (it is there, and not safe), io.
[[nodiscard]] result<std::string> make_socket_directory(const std::string& runtime_directory);

// Removes sockets of processes that are gone: dead by number, and nobody answers. Bounded; never fails.
void remove_leftovers(const std::string& directory);

// Processes of this pid namespace whose sockets stand in the folders that this user may read; in the order of their pids.
[[nodiscard]] std::vector<std::uint64_t> processes_with_sockets();

// Where a client may find process `pid`, best first.
struct target {
    std::uint64_t pid{};   // as this process sees it
    std::uint64_t user{};  // who it runs as
    std::string name;      // of its socket
    std::vector<std::string> directories;
};
// Errors: unreachable (no such process).
[[nodiscard]] result<target> find_target(std::uint64_t pid);

}  // namespace control
}  // namespace v1
}  // namespace memwatch
