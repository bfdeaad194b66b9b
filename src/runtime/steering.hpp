// SPDX-License-Identifier: Apache-2.0
#pragma once
// Changing what runs: preset, interval, pause. Both hands use it: the public session and the control socket.
//
// What the switches say is computed in one place from who wants what: nobody holds a session -> off; paused -> off; else the
// preset. Threads notice on their own: one that samples finishes the draw it is in (its R in the mean, 37 R at most), one that
// was off looks up after 1 MiB of its own allocations. Weights stay right in between: each draw keeps the R it was made with,
// and what was allocated while off stands for nothing. Heap doors swap their targets at once.
//
// Locks: `steering` outermost (before the session's mutex), held while doors are told, so that they see presets in order.

#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <memwatch/base/result.hpp>
#include <memwatch/options.hpp>

#include "runtime/process_state.hpp"

namespace memwatch {
inline namespace v1 {

// Sets the switches to what the session record says and tells the doors. The caller holds `state.steering`, and not the
// session's mutex.
void apply_switches_locked(process_state& state) noexcept;

// Options by their external names, as text: all of them, or none. A preset ends a pause.
// Errors: unavailable (no session is open), invalid_argument (no such option, no value of it), unsupported (fixed at start).
[[nodiscard]] result<void> steer_options(process_state& state, const std::vector<std::pair<std::string, std::string>>& wanted);

// Errors: unavailable (no session is open), invalid_argument (out of range).
[[nodiscard]] result<void> steer_preset(process_state& state, preset_option wanted);
[[nodiscard]] result<void> steer_interval(process_state& state, std::uint64_t interval_bytes);
[[nodiscard]] result<void> steer_pause(process_state& state, bool is_paused);

}  // namespace v1
}  // namespace memwatch
