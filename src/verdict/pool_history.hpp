// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the engine keeps of a pool: its occupancy at the looks, as a history like a site's.

#include <cstdint>

#include "verdict/site_history.hpp"

namespace memwatch {
inline namespace v1 {

struct pool_history {
    site_history occupancy;  // live: in use; born: acquired. Nothing is known of single objects but the oldest
    std::uint64_t capacity;
    std::uint64_t object_bytes;
    std::uint64_t oldest_ns;  // age of the oldest checkout; 0 = unknown
    std::uint64_t failures;   // acquires that got nothing, since the pool's creation
    double recent_most;       // highest occupancy at a look, slowly forgotten
};

}  // namespace v1
}  // namespace memwatch
