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

}  // namespace v1
}  // namespace memwatch
