// SPDX-License-Identifier: Apache-2.0
#pragma once
// What happened between two snapshots of one session, as a snapshot: what `seconds=N` and `--duration` answer with.
//
//   start  site A: 10 MiB allocated, 4 MiB freed        end  site A: 25 MiB allocated, 12 MiB freed, 6 MiB of it born since
//   window site A: 15 MiB allocated, 8 MiB freed, live: the 6 MiB that were born in the window and are alive at its end
//
// A window is a plain snapshot with `info.window_ns` set, so every format and view takes it. Sites, counters of pools, losses:
// what was added in the window. Tags: exact, but a freed total never shows more than was allocated in the window (a snapshot
// can't hold a negative live total): a tag that shrank lives at 0. Levels (capacity, in use, threads, RSS, own bytes) are those
// of the end. Lifecycle telemetry has no start to subtract and is left out.
//
// In: `start` may be a summary (it needs no records). Out: a snapshot that passes validate(). Threads: any.

#include <memwatch/base/export.hpp>
#include <memwatch/base/result.hpp>
#include <memwatch/model/snapshot.hpp>

namespace memwatch {
inline namespace v1 {

// Errors: unavailable (the session was restarted in between, or this is another process), invalid_argument (`end` was taken
// before `start`; a snapshot that breaks validate()).
[[nodiscard]] MEMWATCH_API result<snapshot> window_between(const snapshot& start, snapshot end);

// Of `s` only the blocks that were born after `since_ns` (its own timeline: info.baseline_ns, say) and are alive, as a window.
// What was allocated and freed since is not known from one snapshot: sites then count what lives, tags and pools stay counted
// from the start. Errors: invalid_argument (0 or later than the snapshot; or a summary, which has no records).
[[nodiscard]] MEMWATCH_API result<snapshot> born_since(snapshot s, std::uint64_t since_ns);

}  // namespace v1
}  // namespace memwatch
