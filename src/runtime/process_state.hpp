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
#include "base/siphash.hpp"
#include "capture/capture_state.hpp"
#include "live/live_state.hpp"
#include "platform/elf_symbols.hpp"
#include "platform/module_walk.hpp"
#include "runtime/kernel_side.hpp"
#include "runtime/sampler_list.hpp"
#include "runtime/tasks/flight_recorder.hpp"
#include "runtime/tasks/history.hpp"
#include "runtime/tasks/interval_control.hpp"
#include "runtime/tasks/memory_watch.hpp"
#include "runtime/tasks/remedies.hpp"
#include "runtime/tasks/restraint.hpp"
#include "runtime/tasks/verdicts.hpp"
#include "runtime/worker.hpp"
#include "settings/chosen_options.hpp"
#include "settings/preset_term.hpp"

namespace memwatch {
inline namespace v1 {

inline constexpr const char* disabled_sentence = "disabled (MEMWATCH_DISABLED): memwatch does nothing here";

struct session_record {
    chosen_options effective;   // after defaults, code, environment and what was changed since
    std::string id;             // 32 hex digits
    siphash_key trace_key;      // of option hash_traces; the process' own, so that equal ids stay equal over its sessions
    std::string detail;         // why degraded; empty = fine
    std::uint64_t origin_ns{};  // time 0 of the process' snapshots, by the session's clock; kept by later sessions
    std::uint64_t origin_unix_ns{};
    std::uint64_t first_epoch{};  // the epoch this session began in
    unsigned handles{};           // open session objects
    bool was_started{};
    bool is_paused{};          // steering.hpp
    unsigned exact_windows{};  // open ones (testing/exact_window.hpp): every block is recorded
    bool is_disabled{};        // the last start was asked to do nothing
    preset_term term;
    restraint_step restraint{restraint_step::none};  // what memwatch costs too much for
    const sampler_choice* sampler{};                 // what `effective` means; null: Poisson's
    std::uint64_t least_sampled_bytes{};             // the largest min_size since it began
    std::uint64_t baseline_ns{};                     // on the timeline of snapshots; 0 = no mark

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

    std::mutex steering;                         // outermost: orders presets (steering.hpp)
    sampler_list samplers;                       // guarded by steering
    const sampler_choice* own_sampler{nullptr};  // the program's; guarded by steering
    std::mutex session_mutex;
    session_record session;  // guarded by session_mutex

    std::atomic<std::uint64_t> modules_seen{
        0};  // platform::module_changes() when OpenTelemetry's publisher was last looked for

    platform::walk_gate* walks{};  // the first copy's, for all that join

    memwatch::interval_control interval_control;
    verdict_keeper verdicts;
    memory_watch memory;
    memwatch::kernel_side kernel_side;
    restraint_keeper restraint;
    remedy_keeper remedies;
    history_keeper history;
    flight_recorder recorder;
    memwatch::worker worker;
};

[[nodiscard]] process_state& process() noexcept;

}  // namespace v1
}  // namespace memwatch
