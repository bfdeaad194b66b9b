// SPDX-License-Identifier: Apache-2.0
#pragma once
// The process-wide state, all of it (but for the thread block in TLS, which is capture's, and the log sink, which is base's).
// Made on first use and never destroyed: blocks are freed after main, by destructors that run in any order.
//
//   capture_state  (tags, routes, edges, switches)  --sink-->  live_state  (blocks, sites, stacks, threads)
//   pool_list, resource_table
//   session        (options in force, who holds it, when it started, its id)

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

#include <memwatch/options.hpp>
#include "alloc/pool_list.hpp"
#include "alloc/resource_table.hpp"
#include "capture/capture_state.hpp"
#include "live/live_state.hpp"
#include "platform/elf_symbols.hpp"
#include "runtime/interval_control.hpp"
#include "runtime/worker.hpp"
#include "settings/chosen_options.hpp"

namespace memwatch {
inline namespace v1 {

struct session_record {
    chosen_options effective;   // after defaults, code, environment and what was changed since
    std::string id;             // 32 hex digits
    std::string detail;         // why degraded; empty = fine
    std::uint64_t origin_ns{};  // time 0 of the process' snapshots, by the session's clock; kept by later sessions
    std::uint64_t origin_unix_ns{};
    std::uint64_t first_epoch{};  // the epoch this session began in
    unsigned handles{};           // open session objects
    bool was_started{};
    bool is_paused{};          // steering.hpp
    unsigned exact_windows{};  // open ones (testing/exact_window.hpp): every block is recorded

    std::string control_directory;  // XDG_RUNTIME_DIR as it was when the session began
    std::string control_problem;    // why there is no control socket; empty = there is, or none is wanted
};

struct process_state {
    capture_state capture;
    pool_list pools;
    resource_table resources;
    elf_symbols symbols;
    std::atomic<live_state*> live{nullptr};  // built by the first start, never taken down

    // This copy of memwatch found another that it cannot work with (copies.hpp): why. Nothing starts then; null: all is well.
    const char* inert_because{};

    std::mutex steering;  // outermost: orders presets (steering.hpp)
    std::mutex session_mutex;
    session_record session;  // guarded by session_mutex

    std::atomic<std::uint64_t> modules_seen{
        0};  // platform::module_changes() when OpenTelemetry's publisher was last looked for

    memwatch::interval_control interval_control;
    memwatch::worker worker;
};

[[nodiscard]] process_state& process() noexcept;

}  // namespace v1
}  // namespace memwatch
