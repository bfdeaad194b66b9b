// SPDX-License-Identifier: Apache-2.0
#pragma once
// The commands: load, compare, render, print. Each returns what the shell gets to see.

#include "cli/arguments.hpp"

namespace memwatch {
inline namespace v1 {

exit_status run(const show_command& command);
exit_status run(const diff_command& command);
exit_status run(const snapshot_command& command);

// unreachable -> 4, invalid_argument -> 2, everything else that went wrong with an input or output -> 3.
[[nodiscard]] exit_status status_of(const error& e) noexcept;

}  // namespace v1
}  // namespace memwatch
