// SPDX-License-Identifier: Apache-2.0
#pragma once
// `memwatch control`: one question to a process at its control socket, its status as the answer.

#include <cstdint>
#include <string>

#include "cli/terminal.hpp"

namespace memwatch {
inline namespace v1 {

struct control_command {
    std::uint64_t pid{};
    std::string action{"status"};  // status, set, stop, resume, detach
    std::string preset;            // of set
    std::string interval;
    bool as_json{};
};

exit_status run(const control_command& command);

}  // namespace v1
}  // namespace memwatch
