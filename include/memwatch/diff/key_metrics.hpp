// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a reader wants side by side of several snapshots - before, during, after - besides the rows of a delta. Each value comes
// from its own snapshot alone, but for the allocation rate, which in snapshots of one session is that of the time since the one
// before. What a snapshot does not know is NaN, never a guess; dumps of other tools know little.
//
//   name               unit     is
//   live_bytes         bytes    estimated live heap
//   resident_bytes     bytes    VmRSS
//   bytes_per_thread   bytes    live_bytes / threads that allocated or freed a sample and are alive
//   pool_hit_rate      ratio    acquires of all pools served without growing, since the pools were made
//   leak_stack_depth   frames   mean length of the stacks of what is alive, weighted by live bytes
//   allocation_rate    bytes/s  allocated; the first of a session: since the session began, then since the snapshot before
//   cross_thread_share ratio    of the freed bytes, freed by another thread than allocated them
//   fragmentation      ratio    of what the allocator holds, in no live block; no snapshot knows it yet
//   interval_bytes     bytes    R; 0 = every block is recorded
//   relative_error     ratio    standard error of live_bytes / live_bytes
//   untraced_share     ratio    of live_bytes, without a trace id; unknown for summaries
//   dropped_records    records  records lost, all reasons

#include <string>
#include <vector>

#include <memwatch/base/export.hpp>
#include <memwatch/model/snapshot.hpp>

namespace memwatch {
inline namespace v1 {

// One row of the table: a value a snapshot, NaN = unknown.
struct key_metric {
    std::string name;  // public: added, never renamed
    std::string unit;  // "bytes", "bytes/s", "ratio" (1 = all), "frames", "records"
    std::vector<double> values;
};

// The rows above, in that order, whether or not anything is known. Snapshots must have passed validate(). Linear in records.
[[nodiscard]] MEMWATCH_API std::vector<key_metric> key_metrics(const std::vector<const snapshot*>& of);

}  // namespace v1
}  // namespace memwatch
