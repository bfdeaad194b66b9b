// SPDX-License-Identifier: Apache-2.0
#pragma once
// Changing what runs: options, presets for a while, pause, sampler. All hands use it: the public session, the control socket,
// the worker when a preset's time is over.
//
// What the switches say is computed in one place from who wants what: nobody holds a session -> off; paused -> off; else the
// preset. Threads notice on their own: one that samples finishes the draw it is in (its R in the mean, 37 R at most), one that
// was off looks up after 1 MiB of its own allocations. Weights stay right in between: each draw keeps the R it was made with,
// and what was allocated while off stands for nothing. Heap doors swap their targets at once.
//
// Terms (settings/preset_term.hpp) end on the worker; without one, when somebody asks or steers (settle_term), and draws have
// the R of afterwards by themselves. A forked child goes back at once: it may have no thread that could. Stopping ends a term.
//
// Locks: `steering` outermost (before the session's mutex), held while doors are told, so that they see presets in order.

#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <memwatch/base/result.hpp>
#include <memwatch/options.hpp>

#include "model/sampling_stop.hpp"
#include "runtime/process_state.hpp"

namespace memwatch {
inline namespace v1 {

inline constexpr std::uint64_t investigate_interval_bytes = 64U << 10U;
inline constexpr std::uint64_t restrained_interval_factor = 8;

// Sets the switches to what the session record says and tells the doors. The caller holds `state.steering`, and not the
// session's mutex.
void apply_switches_locked(process_state& state) noexcept;

// Why nothing is sampled, as told by the switches. The caller holds the session's mutex.
[[nodiscard]] sampling_stop sampling_stop_of(const session_record& session) noexcept;

// Options by their external names, as text, and for=DURATION beside a preset: all of them, or none. A preset ends a pause.
// Errors: unavailable (no session is open), invalid_argument (no such option, fixed at start, no value of it).
using option_changes = std::vector<std::pair<std::string, std::string>>;
[[nodiscard]] result<void> steer_options(process_state& state, const option_changes& wanted);

// `for_ns`: how long; 0: for good, or as long as the preset lasts by itself (investigate).
// Errors: unavailable (no session is open), invalid_argument (out of range).
[[nodiscard]] result<void> steer_preset(process_state& state, preset_option wanted, std::uint64_t for_ns);
[[nodiscard]] result<void> steer_interval(process_state& state, std::uint64_t interval_bytes);
[[nodiscard]] result<void> steer_pause(process_state& state, bool is_paused);
// Null: the function there was is no longer asked, and the sampler is Poisson's. Errors: unavailable, limit (too many).
[[nodiscard]] result<void> steer_sampler(process_state& state, sampler_function function, void* context);

// Term and sampler of a session that begins. The caller holds `steering` and the session's mutex.
void begin_term_of_start(process_state& state, session_record& session) noexcept;

// Ends the term if its time is over. The caller holds no lock. In how many ns it wants to be asked again; worker::never: not.
std::uint64_t settle_term(process_state& state) noexcept;
// In a forked child, holding no lock. The switches are also set anew where memwatch was restrained (tasks/restraint.hpp).
void give_up_term_in_child(process_state& state, bool was_restrained) noexcept;

}  // namespace v1
}  // namespace memwatch
