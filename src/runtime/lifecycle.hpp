// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the preload object asks of runtime/ around the life of a process. Exported, because it crosses a library; no part of the
// public headers.

#include <cstdint>

#include <memwatch/base/export.hpp>

namespace memwatch {
inline namespace v1 {

// A forked child has no worker thread and no control socket until this is called (or the next session::start). Not from a hook,
// and not under sanitizers: they cannot start threads in a child of a process that had several. False: no session is open, or
// the system refused. Threads: any.
MEMWATCH_API bool restart_worker_in_child() noexcept;

// Writes what is live now to MEMWATCH_DUMP_DIR/PID-SESSION.memtrace (0600, by rename), once per process image: for exit hooks.
// On the worker thread when there is one - the calling thread may be under a system call filter - else here. Waits at most
// `timeout_ns`. False: no directory was given, nothing was ever started, not in time, or already done.
MEMWATCH_API bool write_exit_dump(std::uint64_t timeout_ns = 10'000'000'000) noexcept;

}  // namespace v1
}  // namespace memwatch
