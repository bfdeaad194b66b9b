// SPDX-License-Identifier: Apache-2.0
#include "runtime/steering.hpp"

#include <algorithm>
#include <string_view>

#include <memwatch/base/units.hpp>
#include "capture/heap_door.hpp"
#include "capture/own_work.hpp"
#include "platform/platform.hpp"
#include "testing/exact_window.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

void raise_interval(std::uint64_t interval_bytes) noexcept {
    process().capture.interval.set(sampling_interval::wish::live_table, interval_bytes);
}

// What the switches are to say.
struct sampling_plan {
    preset_option told{preset_option::off};  // doors know off, on and full: whether and what to record, not how often
    std::uint64_t interval_bytes{};
    const sampler_choice* sampler{};  // null: Poisson's
    std::uint64_t min_size_bytes{};
    std::uint64_t ends_ns{};  // from then on draws have an R of `after_bytes`; 0: never
    std::uint64_t after_bytes{};
};

bool has_heap_door(const process_state& state) noexcept {
    // acquire: pairs with the release in register_heap_door().
    return state.capture.doors[0].load(std::memory_order_acquire) != nullptr;
}

preset_option told_preset(const session_record& session) noexcept {
    if (session.handles == 0 || session.is_paused) { return preset_option::off; }
    if (session.restraint >= restraint_step::counters_only) { return preset_option::off; }
    return session.effective.preset == preset_option::investigate ? preset_option::on : session.effective.preset;
}

std::uint64_t interval_of(preset_option preset, std::uint64_t interval_bytes) noexcept {
    if (preset == preset_option::full) { return 0; }
    return preset == preset_option::investigate ? std::min(interval_bytes, investigate_interval_bytes) : interval_bytes;
}

sampling_plan plan_of(const process_state& state) noexcept {
    const session_record& session = state.session;
    const chosen_options& chosen = session.effective;
    sampling_plan plan;
    // A window wants every block: of heap doors too, which have a mode of their own for it.
    if (session.handles != 0 && session.exact_windows != 0) {
        plan.told = has_heap_door(state) ? preset_option::full : preset_option::on;
        return plan;
    }
    plan.told = told_preset(session);
    plan.interval_bytes = interval_of(chosen.preset, chosen.interval_bytes);
    plan.ends_ns = session.term.ends_ns();
    plan.after_bytes = interval_of(session.term.preset_after(), session.term.interval_after());
    if (chosen.preset == preset_option::full) { return plan; }  // every block
    plan.min_size_bytes = chosen.min_size_bytes;
    plan.sampler = session.sampler;
    // Where load begins to raise R from: the R' of a block of one byte.
    if (plan.sampler != nullptr) {
        plan.interval_bytes = plan.sampler->is_own() ? 1 : plan.sampler->one_in();
        plan.ends_ns = 0;
    }
    return plan;
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

void set_switches(process_state& state, const sampling_plan& plan) noexcept {
    const preset_option now = plan.told;
    const std::uint64_t interval = plan.interval_bytes;
    capture_state& capture = state.capture;
    // acquire: pairs with the release in build_live().
    live_state* const live = state.live.load(std::memory_order_acquire);
    // relaxed, both: any recent value will do for a sample.
    capture.stack_depth.store(state.session.effective.stack_depth, std::memory_order_relaxed);
    capture.unwinder.store(state.session.effective.unwinder, std::memory_order_relaxed);
    state.restraint.set_limits(state.session.effective);
    if (now != preset_option::off) {
        // The release store below publishes it to who was off; others may see it at any time.
        capture.interval.set(sampling_interval::wish::configured, interval);
        state.interval_control.begin(capture, state.session.effective, interval);
        const bool is_raised = state.session.restraint != restraint_step::none;
        capture.interval.set(sampling_interval::wish::restraint, is_raised ? interval * restrained_interval_factor : 0);
        if (live != nullptr) {
            live->configure(interval, &raise_interval);
            raise_interval(live->interval_floor());
        }
    }
    // release: pairs with the acquire in take_sample(): what the sampler holds.
    capture.sampler.store(plan.sampler, std::memory_order_release);
    capture.min_size_bytes.store(plan.min_size_bytes, std::memory_order_relaxed);  // relaxed: a setting
    capture.interval.set_end(plan.ends_ns, plan.after_bytes);
    state.session.least_sampled_bytes = std::max(state.session.least_sampled_bytes, plan.min_size_bytes);
    if (live != nullptr) { set_exactness(state, *live, now == preset_option::full); }
    capture.edges.open_cache(now != preset_option::off);
    capture.heap_edges.open_cache(now != preset_option::off);
    // release: pairs with the acquire in take_sample().
    capture.is_sampling.store(now != preset_option::off && live != nullptr, std::memory_order_release);
    capture.preset.store(now, std::memory_order_relaxed);  // relaxed: read under `steering`, or as a figure
}

// Which sampler `chosen` means. Errors: unavailable (the program set none of its own), limit.
result<const sampler_choice*> sampler_of(process_state& state, const chosen_options& chosen) {
    if (chosen.sampler == sampler_option::poisson) { return nullptr; }
    if (chosen.sampler == sampler_option::own) {
        if (state.own_sampler == nullptr) {
            return fail(error_code::unavailable, "this program has set none of its own", "sampler");
        }
        return state.own_sampler;
    }
    const sampler_choice* const found = state.samplers.find_or_add(sampler_choice(chosen.one_in));
    if (found == nullptr) { return fail(error_code::limit, "this process has had too many different samplers", "one_in"); }
    return found;
}

// What a change works on; it takes the place of the session's only if all of it is fine.
struct steered {
    chosen_options options;
    preset_term term;
    bool is_paused;
    unsigned exact_windows;
};

template <class Change>
result<void> steer(process_state& state, Change change) {
    const detail::own_work ours;
    const std::lock_guard steering(state.steering);
    {
        const std::lock_guard guard(state.session_mutex);
        session_record& session = state.session;
        if (session.is_disabled) { return fail(error_code::unavailable, disabled_sentence); }
        if (state.inert_because != nullptr) { return fail(error_code::unavailable, state.inert_because); }
        if (session.handles == 0) { return fail(error_code::unavailable, "no session is running"); }
        if (session.term.is_over(platform::monotonic_ns())) { session.term.end(session.effective); }
        steered wanted{session.effective, session.term, session.is_paused, session.exact_windows};
        if (result<void> done = change(wanted); !done) { return done; }
        const result<const sampler_choice*> sampler = sampler_of(state, wanted.options);
        if (!sampler) { return tl::unexpected<error>(sampler.error()); }
        session.sampler = *sampler;
        session.effective = std::move(wanted.options);
        session.term = wanted.term;
        session.is_paused = wanted.is_paused;
        session.exact_windows = wanted.exact_windows;
    }
    apply_switches_locked(state);
    state.worker.wake(worker_task::preset_term);
    return {};
}

result<std::uint64_t> read_term(std::string_view text) {
    const result<std::uint64_t> asked = parse_duration(text);
    if (!asked) { return fail(asked.error().code, asked.error().message(), "for"); }
    if (*asked < preset_term::least_ns || *asked > preset_term::most_ns) {
        return fail(error_code::invalid_argument, std::string(text) + ": out of range 1ms .. 168h", "for");
    }
    return *asked;
}

// A preset was chosen by hand; `before` is what ran until now. 0: for as long as it lasts by itself.
void begin_term(steered& wanted, const chosen_options& before, std::uint64_t for_ns) noexcept {
    wanted.is_paused = false;
    if (for_ns == 0 && wanted.options.preset == preset_option::investigate) { for_ns = wanted.options.investigate_for_ns; }
    if (for_ns == 0) { return wanted.term.cancel(); }
    wanted.term.begin(before, platform::monotonic_ns(), for_ns);
}

// As at the endpoint and the command: of two values for one name none is the obvious one. Null: no name is.
const std::string* given_twice(const option_changes& changes) noexcept {
    for (auto later = changes.begin(); later != changes.end(); ++later) {
        const auto is_same = [&](const auto& earlier) { return earlier.first == later->first; };
        if (std::any_of(changes.begin(), later, is_same)) { return &later->first; }
    }
    return nullptr;
}

// Reads all into `wanted`.
result<void> change_options(steered& wanted, const option_changes& changes) {
    const chosen_options before = wanted.options;
    bool has_preset = false;
    bool has_interval = false;
    result<std::uint64_t> for_ns = std::uint64_t{0};
    if (const std::string* const name = given_twice(changes); name != nullptr) {
        return fail(error_code::invalid_argument, "given twice", *name);
    }
    for (const auto& [name, text] : changes) {
        if (name == "for") {
            if (for_ns = read_term(text); !for_ns) { return tl::unexpected<error>(for_ns.error()); }
            continue;
        }
        if (result<void> done = change_option(wanted.options, name, text); !done) { return done; }
        has_preset = has_preset || name == "preset";
        has_interval = has_interval || name == "interval";
    }
    if (has_preset) {
        begin_term(wanted, before, *for_ns);
    } else if (*for_ns != 0) {
        return fail(error_code::invalid_argument, "belongs to a preset: preset=full for=5m", "for");
    } else if (has_interval) {
        wanted.term.keep_interval(wanted.options);
    }
    return {};
}

}  // namespace

sampling_stop sampling_stop_of(const session_record& session) noexcept {
    if (session.handles == 0 || session.exact_windows != 0) { return sampling_stop::none; }
    if (session.is_paused) { return sampling_stop::paused; }
    if (session.restraint == restraint_step::counters_only) { return sampling_stop::counters_only; }
    if (session.restraint == restraint_step::off) { return sampling_stop::restrained_off; }
    return session.effective.preset == preset_option::off ? sampling_stop::preset_off : sampling_stop::none;
}

void apply_switches_locked(process_state& state) noexcept {
    preset_option now{};
    {
        const std::lock_guard guard(state.session_mutex);
        const sampling_plan plan = plan_of(state);
        now = plan.told;
        set_switches(state, plan);
    }
    for (const auto& slot : state.capture.doors) {
        // acquire: pairs with the release in register_heap_door().
        if (const heap_door* const door = slot.load(std::memory_order_acquire); door != nullptr) { door->on_preset(now); }
    }
}

result<void> steer_options(process_state& state, const option_changes& wanted) {
    return steer(state, [&](steered& all) { return change_options(all, wanted); });
}

result<void> steer_preset(process_state& state, preset_option wanted, std::uint64_t for_ns) {
    if (for_ns != 0 && (for_ns < preset_term::least_ns || for_ns > preset_term::most_ns)) {
        return fail(error_code::invalid_argument, "a preset lasts 1ms .. 168h, or for good", "for");
    }
    return steer(state, [&](steered& all) -> result<void> {
        const chosen_options before = all.options;
        all.options.preset = wanted;
        all.options.set_origin(option_id::preset, option_origin::runtime);
        begin_term(all, before, for_ns);
        return {};
    });
}

result<void> steer_interval(process_state& state, std::uint64_t interval_bytes) {
    return steer_options(state, {{"interval", std::to_string(interval_bytes)}});
}

result<void> steer_pause(process_state& state, bool is_paused) {
    return steer(state, [&](steered& all) -> result<void> {
        all.is_paused = is_paused;
        return {};
    });
}

result<exact_coverage> open_exact_window() {
    process_state& state = process();
    result<void> done = steer(state, [](steered& all) -> result<void> {
        ++all.exact_windows;
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

result<void> steer_sampler(process_state& state, sampler_function function, void* context) {
    return steer(state, [&](steered& all) -> result<void> {
        all.options.sampler = function == nullptr ? sampler_option::poisson : sampler_option::own;
        all.options.set_origin(option_id::sampler, option_origin::runtime);
        if (function == nullptr) {
            state.own_sampler = nullptr;
            return {};
        }
        const sampler_choice* const added = state.samplers.find_or_add(sampler_choice(function, context));
        if (added == nullptr) { return fail(error_code::limit, "this process has had too many different samplers", "sampler"); }
        state.own_sampler = added;
        return {};
    });
}

// What a session starts with goes back to `on`; what its sampler is, where it can be had.
void begin_term_of_start(process_state& state, session_record& session) noexcept {
    session.term.cancel();
    session.least_sampled_bytes = 0;
    if (session.effective.preset == preset_option::investigate) {
        chosen_options after = session.effective;
        after.preset = preset_option::on;
        after.set_origin(option_id::preset, option_origin::standard);
        session.term.begin(after, platform::monotonic_ns(), session.effective.investigate_for_ns);
    }
    const result<const sampler_choice*> sampler = sampler_of(state, session.effective);
    session.sampler = sampler ? *sampler : nullptr;  // own, before set_sampler(): Poisson's until then
}

std::uint64_t settle_term(process_state& state) noexcept {
    const detail::own_work ours;
    const std::lock_guard steering(state.steering);
    {
        const std::lock_guard guard(state.session_mutex);
        session_record& session = state.session;
        const std::uint64_t now_ns = platform::monotonic_ns();
        if (!session.term.is_running()) { return worker::never; }
        if (!session.term.is_over(now_ns)) { return session.term.left_ns(now_ns); }
        session.term.end(session.effective);
    }
    apply_switches_locked(state);
    return worker::never;
}

void give_up_term_in_child(process_state& state, bool was_restrained) noexcept {
    const detail::own_work ours;
    const std::lock_guard steering(state.steering);
    {
        const std::lock_guard guard(state.session_mutex);
        if (!state.session.term.is_running() && !was_restrained) { return; }
        if (state.session.term.is_running()) { state.session.term.end(state.session.effective); }
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
