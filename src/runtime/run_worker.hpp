// SPDX-License-Identifier: Apache-2.0
#pragma once
// Makes sure the worker runs for the session that is open, with a control socket if that is wanted; what is missing stands in
// the session record afterwards. The caller holds no lock. Threads: any.

#include "runtime/process_state.hpp"

namespace memwatch {
inline namespace v1 {

bool run_worker(process_state& state) noexcept;

}  // namespace v1
}  // namespace memwatch
