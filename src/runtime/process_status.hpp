// SPDX-License-Identifier: Apache-2.0
#pragma once
// The state of the process-wide session, for our own libraries that hold no handle of it (libmemwatch-serve). Exported, because
// it crosses a library; no part of the public headers. Threads: any.

#include <string>
#include <string_view>

#include <memwatch/base/result.hpp>
#include <memwatch/session.hpp>
#include "runtime/measure_footprint.hpp"
#include "settings/chosen_options.hpp"

namespace memwatch {
inline namespace v1 {
namespace detail {

// running or degraded while any handle is open; stopped otherwise, also when nothing was ever started.
[[nodiscard]] MEMWATCH_API session_status process_status();

// The options in force and where each comes from.
[[nodiscard]] MEMWATCH_API chosen_options process_options();

// A line as the control socket takes it ("set preset=full"), and its answer. Errors: as answer_control().
[[nodiscard]] MEMWATCH_API result<std::string> control_process(std::string_view line);

// Where the memory of this process is. Errors: as measure_footprint().
[[nodiscard]] MEMWATCH_API result<footprint> process_footprint(const footprint_request& asked);

}  // namespace detail
}  // namespace v1
}  // namespace memwatch
