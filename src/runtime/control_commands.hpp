// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a request at the control socket does (docs/control.md lists the commands). Runs on the worker thread; the same words
// change a session over HTTP.

#include <string>

#include "control/protocol.hpp"

namespace memwatch {
inline namespace v1 {

// Errors: invalid_argument (an unknown command or parameter, a bad value), unavailable (nothing runs), unsupported.
[[nodiscard]] result<std::string> answer_control(const control::request& asked);

}  // namespace v1
}  // namespace memwatch
