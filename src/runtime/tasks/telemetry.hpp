// SPDX-License-Identifier: Apache-2.0
#pragma once
// Lifecycle telemetry as a task of the worker: events of all threads, one ring, added up every 50 ms while there are any. A
// process without a worker (a forked child that has not asked for one) adds up when a snapshot is taken.

#include <cstddef>
#include <cstdint>

#include "runtime/process_state.hpp"

namespace memwatch {
inline namespace v1 {

// Once a process, before records flow into `live`. Without memory there is no telemetry, and everything else works.
void begin_telemetry(process_state& state, live_state& live, std::size_t sites, std::uint64_t budget_bytes);

// Looks for OpenTelemetry's thread context, if modules came or went since it last did and it has none yet: at start and with
// each snapshot. Takes the dynamic linker's lock: not in a hook, and not with a lock of ours that a module's constructor might
// want.
void look_for_otel_context(process_state& state) noexcept;

}  // namespace v1
}  // namespace memwatch
