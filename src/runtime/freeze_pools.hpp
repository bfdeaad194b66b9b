// SPDX-License-Identifier: Apache-2.0
#pragma once
// Pools -> snapshot. The caller of the oldest checkout becomes a frame of the snapshot, so that it is named as any other.

#include <memwatch/model/snapshot.hpp>

#include "alloc/pool_list.hpp"

namespace memwatch {
inline namespace v1 {

// After the modules were frozen. Throws std::bad_alloc.
void freeze_pools(const pool_list& pools, snapshot& into);

}  // namespace v1
}  // namespace memwatch
