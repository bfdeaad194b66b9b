// SPDX-License-Identifier: Apache-2.0
#include "runtime/process_state.hpp"

#include <cstdio>
#include <new>
#include <string>

#include <memwatch/base/log.hpp>
#include "capture/own_work.hpp"
#include "platform/module_walk.hpp"
#include "platform/platform.hpp"
#include "runtime/copies.hpp"
#include "runtime/misuse_log.hpp"
#include "runtime/session_id.hpp"
#include "runtime/steering.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

ledger_lane* lane_of_this_thread() {
    const thread_row* const row = detail::this_thread.row;
    return row == nullptr ? nullptr : static_cast<ledger_lane*>(row->exact_lane);
}

// The host's own fork handlers run between ours when memwatch came late (attached): what they allocate must be no sample, whose
// record would wait for these locks. Guarded by `steering`.
std::uint64_t countdown_of_forker = 0;

// fork(): all locks are taken in rank order, so that the child finds tables that are whole and locks that are free.
void before_fork() {
    process_state& state = process();
    state.steering.lock();
    state.session_mutex.lock();
    state.verdicts.lock_for_fork();  // a look that is under way ends first
    state.history.lock_for_fork();
    state.interval_control.lock_for_fork();
    state.memory.lock_for_fork();
    state.kernel_side.lock_for_fork();
    state.restraint.lock_for_fork();
    state.remedies.lock_for_fork();
    state.recorder.lock_for_fork();
    state.worker.lock_for_fork();
    // acquire: pairs with the release in session start.
    live_state* const live = state.live.load(std::memory_order_acquire);
    // Before what an allocation may wait for: those that walk allocate, and are waited for here.
    if (live != nullptr) { live->modules().lock_for_fork(); }
    platform::close_walks_for_fork();
    if (live != nullptr) {
        live->lock_telemetry_for_fork();
        live->exact().hold_for_fork(lane_of_this_thread());
    }
    state.pools.lock_for_fork();
    state.capture.tags.lease_lock().lock();
    if (live != nullptr) { live->lock_for_fork(); }
    state.capture.tags.names_lock().lock();
    state.capture.routes.lock().lock();
    state.capture.edges.lock().lock();
    state.capture.heap_edges.lock().lock();
    countdown_of_forker = detail::own_work::park();
}

void release_locks(process_state& state) {
    detail::own_work::unpark(countdown_of_forker);
    state.capture.heap_edges.lock().unlock();
    state.capture.edges.lock().unlock();
    state.capture.routes.lock().unlock();
    state.capture.tags.names_lock().unlock();
    // acquire: pairs with the release in session start.
    live_state* const live = state.live.load(std::memory_order_acquire);
    if (live != nullptr) { live->unlock_after_fork(); }
    state.capture.tags.lease_lock().unlock();
    state.pools.unlock_after_fork();
    if (live != nullptr) {
        live->exact().let_go_after_fork();
        live->unlock_telemetry_after_fork();
    }
    platform::open_walks_after_fork();
    if (live != nullptr) { live->modules().unlock_after_fork(); }
    state.worker.unlock_after_fork();
    state.recorder.unlock_after_fork();
    state.kernel_side.unlock_after_fork();
    state.memory.unlock_after_fork();
    state.remedies.unlock_after_fork();
    state.restraint.unlock_after_fork();
    state.interval_control.unlock_after_fork();
    state.history.unlock_after_fork();
    state.verdicts.unlock_after_fork();
    state.session_mutex.unlock();
    state.steering.unlock();
}

void after_fork_in_parent() { release_locks(process()); }

// The child goes on with the blocks it inherited, as a session of its own: new id, one thread, on its
// parent's timeline: epochs that began anew would part the births of inherited blocks from the blocks.
void after_fork_in_child() {
    process_state& state = process();
    platform::enter_child_walks();
    write_session_id(state.session.id);
    new (&state.symbols) elf_symbols();  // a lost thread may have held its mutex; the old cache stays behind
    const std::uint32_t tid = platform::thread_id();
    thread_row* const row = detail::this_thread.row;
    // acquire: pairs with the release in session start.
    if (live_state* const live = state.live.load(std::memory_order_acquire); live != nullptr) {
        live->enter_child(row == nullptr ? std::uint16_t{0} : static_cast<std::uint16_t>(row->thread_index), tid,
                          lane_of_this_thread());
        const std::uint64_t now_ns = state.capture.now_ns();
        state.session.first_epoch = live->epoch_at(now_ns);
        state.verdicts.enter_child(now_ns > live->origin_ns() ? now_ns - live->origin_ns() : 0);
    }
    state.history.enter_child();
    state.capture.tags.keep_only(row, tid);
    state.pools.forget_calls();
    // Parent and child must not draw the same samples.
    detail::for_each_block_of_this_thread([](thread_block& block) { block.random_state = 0; });
    // In place of what it had; what it leaves out goes on to be left out.
    if (!detail::own_work::is_left_out(countdown_of_forker)) { countdown_of_forker = 0; }
    state.memory.enter_child();
    state.recorder.enter_child();
    state.kernel_side.enter_child();
    state.worker.enter_child();
    state.session.restraint = restraint_step::none;
    state.remedies.enter_child();
    const bool was_restrained = state.restraint.enter_child();
    release_locks(state);
    give_up_term_in_child(state, was_restrained);
}

process_state& make_process_state() {
    alignas(process_state) static unsigned char storage[sizeof(process_state)];
    auto* const state = new (storage) process_state;
    state->pools.set_misuse_listener(&log_pool_misuse);
    state->walks = &platform::this_walk_gate();
    platform::on_fork(&before_fork, &after_fork_in_parent, &after_fork_in_child);
    return *state;
}

process_state& make_inert_state(const char* why) {
    static char reason[128];
    std::snprintf(reason, sizeof reason, "%s", why);
    process_state& state = make_process_state();
    state.inert_because = reason;
    write_log(log_level::warning, std::string("memwatch level=warning event=second_copy detail=\"") + reason + "\"");
    return state;
}

// Whether this copy made the state that process() is, or joined another's.
bool has_joined = false;

process_state& find_or_make_process_state() {
    // Under an interposed malloc, whatever allocates in here comes back to a countdown of 0 and would ask for the state again.
    const detail::own_work guard;
    const copy_claim claim = claim_process_state();
    if (claim.role == copy_role::inert) { return make_inert_state(claim.why); }
    has_joined = claim.role == copy_role::joined;
    process_state& state = has_joined ? *claim.state : make_process_state();
    enter_copy(state);
    static_cast<void>(platform::thread_local_bytes());  // a fork handler starts a thread, and must not measure then
    if (!has_joined) { publish_first_copy(state); }
    return state;
}

}  // namespace

namespace {

// fork() calls prepare handlers last to first and the others first to last. Registered before the host's, ours hold the locks
// while no handler of the host runs: those may allocate.
[[gnu::constructor(101)]] void register_early() { static_cast<void>(process()); }
[[gnu::destructor]] void stop_at_exit() {
    if (process_state& state = process(); !has_joined) {
        state.recorder.end(state, "the process exits");
        state.worker.stop_at_exit();
    }
}

}  // namespace

process_state& process() noexcept {
    static process_state& state = find_or_make_process_state();
    return state;
}

capture_state& process_capture() noexcept { return process().capture; }
pool_list& process_pools() noexcept { return process().pools; }
resource_table& process_resources() noexcept { return process().resources; }

}  // namespace v1
}  // namespace memwatch
