// SPDX-License-Identifier: Apache-2.0
#pragma once
// `memwatch control`: one question to a process at its control socket, its status as the answer.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cli/terminal.hpp"

namespace memwatch {
inline namespace v1 {

struct control_command {
    std::uint64_t pid{};
    std::string action{"status"};                               // status, set, baseline, stop, resume, detach
    std::vector<std::pair<std::string, std::string>> settings;  // of set: external names and values
    bool as_json{};
};

exit_status run(const control_command& command);

}  // namespace v1
}  // namespace memwatch
