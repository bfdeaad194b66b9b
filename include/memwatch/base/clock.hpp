// SPDX-License-Identifier: Apache-2.0
#pragma once
// Time as memwatch sees it: a function that returns nanoseconds of a monotonic clock. A plain function pointer, because it is
// called inside allocation hooks (no allocation, no virtual dispatch through a dying object) and replaced by tests.

#include <cstdint>

namespace memwatch {
inline namespace v1 {

// Threads: any. Must be monotonic and noexcept. The default reads CLOCK_MONOTONIC.
using clock_function = std::uint64_t (*)() noexcept;

}  // namespace v1
}  // namespace memwatch
