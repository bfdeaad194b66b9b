// SPDX-License-Identifier: Apache-2.0
#include "runtime/tasks/telemetry.hpp"

#include <new>

#include "capture/own_work.hpp"
#include "platform/otel_context.hpp"
#include "platform/platform.hpp"
#include "runtime/steering.hpp"
#include "runtime/tasks/history.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

void wake_worker() noexcept { process().worker.wake(worker_task::telemetry); }

// A plugin may be gone before anybody takes a snapshot.
void look_at_modules(module_history& modules) noexcept {
    try {
        if (modules.is_behind()) { static_cast<void>(modules.look()); }
    } catch (...) {}  // no memory: the next turn
}

std::uint64_t take_turn(void* live, std::uint64_t now_ns) noexcept {
    process_state& state = process();
    const std::uint64_t pause_ns = static_cast<live_state*>(live)->lifecycle_turn(state.capture.now_ns());
    state.capture.cost.add_background(now_ns, platform::monotonic_ns());
    state.interval_control.turn(state.capture, now_ns);
    look_at_modules(static_cast<live_state*>(live)->modules());
    return pause_ns;
}

// Chores of full mode: at the end of an epoch, and twice a second.
std::uint64_t tend_ledger(void* live, std::uint64_t) noexcept { return static_cast<live_state*>(live)->exact().tend(); }

std::uint64_t end_preset(void* state, std::uint64_t) noexcept { return settle_term(*static_cast<process_state*>(state)); }

std::uint64_t judge(void* state, std::uint64_t) noexcept {
    auto& all = *static_cast<process_state*>(state);
    return all.verdicts.turn(all);
}

void name_thread(void* live, std::uint32_t tid, char* name) { static_cast<live_state*>(live)->threads().name_of(tid, name); }

}  // namespace

void begin_telemetry(process_state& state, live_state& live, std::size_t sites, std::uint64_t budget_bytes) {
    static_assert(worker::never == ledger::never);
    state.worker.bind(worker_task::epoch_end, &tend_ledger, &live);
    state.worker.bind(worker_task::verdicts, &judge, &state);
    state.worker.bind(worker_task::preset_term, &end_preset, &state);
    state.restraint.bind(state);
    state.remedies.bind(state);
    begin_history(state);
    const std::size_t events = lifecycle::events_for_budget(budget_bytes);
    void* const memory = platform::reserve_memory(lifecycle::memory_bytes(events, sites));
    if (memory == nullptr) { return state.capture.losses.count(drop_reason::no_memory); }
    alignas(lifecycle) static unsigned char storage[sizeof(lifecycle)];  // one a process, as its owner
    auto* const telemetry = new (storage) lifecycle(memory, events, sites, state.capture.losses);
    telemetry->set_thread_namer(&name_thread, &live);
    telemetry->set_waker(&wake_worker);
    live.set_lifecycle(telemetry);
    static_assert(worker::never == lifecycle::never);
    state.worker.bind(worker_task::telemetry, &take_turn, &live);
}

void look_for_otel_context(process_state& state) noexcept {
    const std::uint64_t modules = platform::module_changes();
    if (modules == 0) { return; }
    // relaxed, all: two threads may look at once, and find the same.
    if (state.modules_seen.exchange(modules, std::memory_order_relaxed) == modules) { return; }
    std::atomic<std::ptrdiff_t>& offset = state.capture.otel_context_offset;
    if (offset.load(std::memory_order_relaxed) != 0) { return; }
    const detail::own_work ours;
    const platform::otel_context_place place = platform::find_otel_context();
    offset.store(place.offset, std::memory_order_relaxed);
    loss_counters& losses = state.capture.losses;
    if (place.publisher == platform::otel_publisher::unsupported && losses.of(degradation::otel_context_unsupported) == 0) {
        losses.count(degradation::otel_context_unsupported);  // once: a state rather than an event
    }
}

}  // namespace v1
}  // namespace memwatch
