// SPDX-License-Identifier: Apache-2.0
#include "runtime/steering.hpp"

#include "capture/heap_door.hpp"
#include "capture/own_work.hpp"
#include "testing/exact_window.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

void raise_interval(std::uint64_t interval_bytes) noexcept {
    process().capture.interval.set(sampling_interval::wish::live_table, interval_bytes);
}

bool has_heap_door(const process_state& state) noexcept {
    // acquire: pairs with the release in register_heap_door().
    return state.capture.doors[0].load(std::memory_order_acquire) != nullptr;
}

// A window wants every block: of heap doors too, which have a mode of their own for it.
preset_option preset_now(const process_state& state) noexcept {
    const session_record& session = state.session;
    if (session.handles != 0 && session.exact_windows != 0) {
        return has_heap_door(state) ? preset_option::full : preset_option::on;
    }
    return session.handles == 0 || session.is_paused ? preset_option::off : session.effective.preset;
}

// Full mode is the heap doors': what they record goes to the ledger, which is opened before they are told. Leaving full mode
// gives its records up, because the doors stop telling of deaths.
void set_exactness(process_state& state, live_state& live, bool is_full) noexcept {
    if (!is_full) { return live.exact().close(); }
    const options& chosen = state.session.effective;
    if (live.exact().open({chosen.full_budget_bytes, chosen.stack_depth, chosen.clock, live.origin_ns(), live.epoch_ns()})) {
        return state.worker.wake(worker_task::epoch_end);
    }
    state.capture.losses.count(drop_reason::no_memory);
}

void set_switches(process_state& state, preset_option now, std::uint64_t interval) noexcept {
    capture_state& capture = state.capture;
    // acquire: pairs with the release in build_live().
    live_state* const live = state.live.load(std::memory_order_acquire);
    // relaxed, both: any recent value will do for a sample.
    capture.stack_depth.store(state.session.effective.stack_depth, std::memory_order_relaxed);
    capture.unwinder.store(state.session.effective.unwinder, std::memory_order_relaxed);
    if (now != preset_option::off) {
        // The release store below publishes it to who was off; others may see it at any time.
        capture.interval.set(sampling_interval::wish::configured, interval);
        state.interval_control.begin(capture, state.session.effective, interval);
        if (live != nullptr) {
            live->configure(interval, &raise_interval);
            raise_interval(live->interval_floor());
        }
    }
    if (live != nullptr) { set_exactness(state, *live, now == preset_option::full); }
    capture.edges.open_cache(now != preset_option::off);
    capture.heap_edges.open_cache(now != preset_option::off);
    // release: pairs with the acquire in take_sample().
    capture.is_sampling.store(now != preset_option::off && live != nullptr, std::memory_order_release);
    capture.preset.store(now, std::memory_order_relaxed);  // relaxed: read under `steering`, or as a figure
}

template <class Change>
result<void> steer(process_state& state, Change change) {
    const detail::own_work ours;
    const std::lock_guard steering(state.steering);
    {
        const std::lock_guard guard(state.session_mutex);
        if (state.session.handles == 0) { return fail(error_code::unavailable, "no session is running"); }
        if (state.inert_because != nullptr) { return fail(error_code::unavailable, state.inert_because); }
        if (result<void> done = change(state.session); !done) { return done; }
    }
    apply_switches_locked(state);
    return {};
}

}  // namespace

void apply_switches_locked(process_state& state) noexcept {
    preset_option now{};
    {
        const std::lock_guard guard(state.session_mutex);
        now = preset_now(state);
        const session_record& session = state.session;
        const bool is_every_block = session.effective.preset == preset_option::full || session.exact_windows != 0;
        set_switches(state, now, is_every_block ? 0 : session.effective.interval_bytes);
    }
    for (const auto& slot : state.capture.doors) {
        // acquire: pairs with the release in register_heap_door().
        if (const heap_door* const door = slot.load(std::memory_order_acquire); door != nullptr) { door->on_preset(now); }
    }
}

result<void> steer_options(process_state& state, const std::vector<std::pair<std::string, std::string>>& wanted) {
    return steer(state, [&](session_record& session) -> result<void> {
        chosen_options changed = session.effective;
        bool has_preset = false;
        for (const auto& [name, text] : wanted) {
            if (result<void> done = change_option(changed, name, text); !done) { return done; }
            has_preset = has_preset || name == "preset";
        }
        session.effective = std::move(changed);
        session.is_paused = session.is_paused && !has_preset;
        return {};
    });
}

result<void> steer_preset(process_state& state, preset_option wanted) {
    return steer(state, [&](session_record& session) -> result<void> {
        session.effective.preset = wanted;
        session.effective.set_origin(option_id::preset, option_origin::runtime);
        session.is_paused = false;
        return {};
    });
}

result<void> steer_interval(process_state& state, std::uint64_t interval_bytes) {
    return steer_options(state, {{"interval", std::to_string(interval_bytes)}});
}

result<void> steer_pause(process_state& state, bool is_paused) {
    return steer(state, [&](session_record& session) -> result<void> {
        session.is_paused = is_paused;
        return {};
    });
}

result<exact_coverage> open_exact_window() {
    process_state& state = process();
    result<void> done = steer(state, [](session_record& session) -> result<void> {
        ++session.exact_windows;
        return {};
    });
    if (!done) { return tl::unexpected<error>(done.error()); }
    return exact_coverage{has_heap_door(state)};
}

void close_exact_window() noexcept {
    process_state& state = process();
    const detail::own_work ours;
    const std::lock_guard steering(state.steering);
    {
        const std::lock_guard guard(state.session_mutex);
        --state.session.exact_windows;
    }
    apply_switches_locked(state);
}

bool register_heap_door(const heap_door& door) noexcept {
    process_state& state = process();
    const detail::own_work ours;
    const std::lock_guard steering(state.steering);
    for (auto& slot : state.capture.doors) {
        const heap_door* none = nullptr;
        // release: pairs with the acquire in apply_switches_locked() and freeze: what the door holds. relaxed: on failure
        // nothing is read.
        if (!slot.compare_exchange_strong(none, &door, std::memory_order_release, std::memory_order_relaxed)) { continue; }
        door.on_preset(state.capture.preset.load(std::memory_order_relaxed));  // relaxed: written under `steering`
        return true;
    }
    return false;
}

}  // namespace v1
}  // namespace memwatch
