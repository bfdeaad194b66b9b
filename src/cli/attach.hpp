// SPDX-License-Identifier: Apache-2.0
#pragma once
// `memwatch attach` and `memwatch detach`: memwatch into a process that runs, and out of it again. gdb does the interrupting
// (attach_script.py); what can be known beforehand to fail is not tried (attach_checks).

#include <cstdint>
#include <string>

#include "cli/terminal.hpp"

namespace memwatch {
inline namespace v1 {

struct attach_command {
    std::uint64_t pid{};
    std::string preset;    // empty: on, or as the session there says
    std::string interval;  // empty: as the session there says
};

struct detach_command {
    std::uint64_t pid{};
};

exit_status run(const attach_command& command);
exit_status run(const detach_command& command);

}  // namespace v1
}  // namespace memwatch
