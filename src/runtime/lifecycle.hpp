// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the preload object asks of runtime/ around the life of a process. Exported, because it crosses a library; no part of the
// public headers.

#include <cstdint>

#include <memwatch/base/export.hpp>

namespace memwatch {
inline namespace v1 {

// Starts the worker thread, and with it the control socket, where a session is open, wants one and has none: in a forked child,
// and in a process that just got its second thread (control_option::automatic). Not from a hook, and not under sanitizers in a
// child of a process that had several threads: they cannot start one there. False: there is none now. Threads: any.
MEMWATCH_API bool ensure_worker() noexcept;

// Has the worker call `turn` now and then: it returns in how many ns it wants to be called again, ~0 for never. For a door that
// came to a running process and has to keep up with it; there is one such turn. Threads: any.
MEMWATCH_API void run_on_worker(std::uint64_t (*turn)(std::uint64_t now_ns) noexcept) noexcept;

// Writes what is live now to MEMWATCH_DUMP_DIR/PID-SESSION.memtrace (0600, by rename), once per process image: for exit hooks.
// Where leaks are judged, a last look is taken for it. On the worker thread when there is one - the calling thread may be under
// a system call filter - else here. Waits at most `timeout_ns`. False: no directory was given, nothing was ever started, not in
// time, already done, or the calling thread is inside memwatch's own work (a signal handler that interrupted it).
MEMWATCH_API bool write_exit_dump(std::uint64_t timeout_ns = 10'000'000'000) noexcept;

// The same for the moment before handlers and destructors tidy up, which is when leaks are judged: what is only held until the
// end is still there. Does nothing with verdicts off.
MEMWATCH_API bool write_judged_dump(std::uint64_t timeout_ns = 10'000'000'000) noexcept;

// After a dlclose: what is known of code by its address is forgotten (unwind rules, full mode's stacks), for the address may be
// other code by now. Threads: any, outside of hooks. Allocates: never.
MEMWATCH_API void code_was_unloaded() noexcept;

}  // namespace v1
}  // namespace memwatch
