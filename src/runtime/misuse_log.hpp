// SPDX-License-Identifier: Apache-2.0
#pragma once
// Turns a pool's misuse report into a log line that names functions.

#include "alloc/pool_list.hpp"

namespace memwatch {
inline namespace v1 {

void log_pool_misuse(const pool_misuse_report& report) noexcept;

}  // namespace v1
}  // namespace memwatch
