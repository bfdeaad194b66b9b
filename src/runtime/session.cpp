// SPDX-License-Identifier: Apache-2.0
#include <memwatch/session.hpp>

#include <algorithm>
#include <cstring>
#include <new>
#include <optional>
#include <utility>

#include <memwatch/base/log.hpp>
#include <memwatch/version.hpp>
#include "capture/own_work.hpp"
#include "control/endpoint.hpp"
#include "model/redaction.hpp"
#include "model/tag_weights.hpp"
#include "platform/platform.hpp"
#include "platform/state_folder.hpp"
#include "runtime/freeze_pools.hpp"
#include "runtime/freeze_process.hpp"
#include "runtime/process_state.hpp"
#include "runtime/process_status.hpp"
#include "runtime/run_worker.hpp"
#include "runtime/self_bytes.hpp"
#include "runtime/session_id.hpp"
#include "runtime/steering.hpp"
#include "runtime/tasks/escalation.hpp"
#include "runtime/tasks/telemetry.hpp"
#include "settings/chosen_options.hpp"
#include "settings/option_text.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::uint64_t least_budget = 2ULL << 20U;
// Of the budget, what rows of exact counters may touch with up to 120 tags: 128 rows from 8 MiB on, 32 at the least budget.
constexpr std::uint64_t rows_share = 16;
constexpr std::uint64_t cache_share = 64;  // recycled pages: 64 at 16 MiB
constexpr std::uint64_t page_bytes = 4096;

// --- what capture/ calls, bound to live/

void insert_into_live(void* live, const record& r, std::uint64_t& random_state) noexcept {
    static_cast<live_state*>(live)->insert(r, random_state);
}
bool remove_from_live(void* live, block_key key, std::uint16_t thread, std::uint64_t time_ns) noexcept {
    return static_cast<live_state*>(live)->remove(key, thread, time_ns);
}
bool hold_in_live(void* live, block_key key, held_block& held) noexcept {
    return static_cast<live_state*>(live)->hold(key, held);
}
void settle_in_live(void* live, const held_block& held, std::uint16_t thread, std::uint64_t time_ns) noexcept {
    static_cast<live_state*>(live)->settle(held, thread, time_ns);
}
void abandon_in_live(void* live, const held_block& held) noexcept { static_cast<live_state*>(live)->abandon(held); }
void restore_in_live(void* live, const held_block& held, std::uint64_t& random_state) noexcept {
    static_cast<live_state*>(live)->restore(held, random_state);
}
std::uint16_t register_thread(void* live, std::uint32_t tid, const char* name) noexcept {
    return static_cast<live_state*>(live)->threads().add(tid, name);
}
void retire_thread(void* live, std::uint16_t thread, const char* name) noexcept {
    static_cast<live_state*>(live)->threads().retire(thread, name);
}

// --- start

// A budget that nobody chose is at most a share of what the cgroup may use.
void cap_by_cgroup(chosen_options& wanted, option_id id, std::uint64_t& budget, std::uint64_t share, std::uint64_t least) {
    if (wanted.origin(id) != option_origin::standard) { return; }
    const std::uint64_t limit = platform::cgroup_memory_limit();
    if (limit == 0 || limit / share >= budget) { return; }
    budget = std::max(limit / share, least);
    wanted.set_origin(id, option_origin::cgroup);
}

chosen_options merge_options(options from_code, std::vector<std::string>& warnings) {
    chosen_options wanted = choose_options(std::move(from_code), warnings);
    if (!platform::is_secure_mode()) { overlay_environment(platform::environment(), wanted, warnings); }
    if (wanted.service.empty()) {
        const std::string path = platform::executable_path();
        wanted.service = path.substr(path.rfind('/') + 1);
    }
    cap_by_cgroup(wanted, option_id::budget_bytes, wanted.budget_bytes, 100, least_budget);
    cap_by_cgroup(wanted, option_id::full_budget_bytes, wanted.full_budget_bytes, 8, 2 * least_budget);
    return wanted;
}

live_state* build_live(process_state& state, const options& chosen) {
    const live_sizes sizes = live_sizes::for_budget(chosen.budget_bytes);
    void* const tables = platform::reserve_memory(sizes.memory_bytes());
    if (tables == nullptr) {
        state.capture.losses.count(drop_reason::no_memory);
        return nullptr;
    }
    alignas(live_state) static unsigned char storage[sizeof(live_state)];  // one a process, as its owner
    auto* const live = new (storage) live_state(tables, sizes, state.capture.losses);
    begin_telemetry(state, *live, sizes.sites, chosen.budget_bytes);
    static record_sink sink{};
    sink = {live,
            &insert_into_live,
            &remove_from_live,
            &hold_in_live,
            &settle_in_live,
            &abandon_in_live,
            &restore_in_live,
            &register_thread,
            &retire_thread};
    // release: pairs with the acquire in recorder.cpp's sink_of().
    state.capture.sink.store(&sink, std::memory_order_release);
    // release: pairs with the acquire in freeze and fork.
    state.live.store(live, std::memory_order_release);
    return live;
}

// Time 0 and the epochs are the process': a second session goes on counting, unless it brings another clock.
void set_timeline(process_state& state, live_state& live, chosen_options& chosen) {
    session_record& session = state.session;
    const bool is_new = !session.was_started || session.effective.clock != chosen.clock;
    if (is_new) {
        session.origin_ns = state.capture.now_ns();
        session.origin_unix_ns = platform::unix_ns();
        live.set_timeline(session.origin_ns, chosen.epoch_ns);
    } else if (chosen.epoch_ns != live.epoch_ns()) {
        session.detail = "the epoch's length stays what the first session made it";
        chosen.epoch_ns = live.epoch_ns();
    }
    session.first_epoch = live.epoch_at(state.capture.now_ns());
}

std::uint64_t since_origin(const process_state& state) noexcept {
    const std::uint64_t now = state.capture.now_ns();
    return now > state.session.origin_ns ? now - state.session.origin_ns : 0;
}

void begin(process_state& state, chosen_options chosen) {
    // acquire: pairs with the release in build_live().
    live_state* live = state.live.load(std::memory_order_acquire);
    if (live == nullptr) {
        platform::prime_unwinder();
        live = build_live(state, chosen);
    }
    // Those who write there come to it later, each in its time.
    if (std::string folder = state_folder::absolute_path(chosen.state_dir); !folder.empty()) {
        chosen.state_dir = std::move(folder);
    }
    capture_state& capture = state.capture;
    // relaxed: a setting; the release store in set_switches() publishes it.
    capture.clock.store(chosen.clock, std::memory_order_relaxed);
    capture.tags.limit_rows(chosen.budget_bytes / rows_share / page_bytes);
    capture.edges.limit_cache(chosen.budget_bytes / cache_share / page_bytes);
    capture.heap_edges.limit_cache(chosen.budget_bytes / cache_share / page_bytes);
    session_record& session = state.session;
    if (live == nullptr) {
        session.detail = "no memory for the live table: exact tags and pools only";
    } else {
        set_timeline(state, *live, chosen);
        static_cast<void>(live->modules().look());
    }
    write_session_id(session.id);
    if (session.trace_key.first == 0) { session.trace_key = {platform::random_seed(), platform::random_seed()}; }
    if (live != nullptr) {
        state.verdicts.begin(chosen, since_origin(state), !session.was_started);
        state.history.begin(chosen, since_origin(state), session.origin_unix_ns);
    }
    state.memory.begin(state, chosen, session.origin_ns);
    state.recorder.begin(state, chosen);
    session.was_started = true;
    session.is_paused = false;
    session.restraint = restraint_step::none;
    state.restraint.begin(chosen);
    state.remedies.begin();
    state.worker.suspend(0);
    session.baseline_ns = 0;
    session.control_directory = control::runtime_directory();
    session.effective = std::move(chosen);
    begin_term_of_start(state, session);
}

// The thread that starts a session draws at once; what it allocates meanwhile is ours, or its countdown would be the long look
// of a thread that found sampling off.
void draw_from_here() noexcept { detail::own_work::draw_anew(); }

void warn(const std::vector<std::string>& warnings) {
    for (const std::string& warning : warnings) {
        write_log(log_level::warning, "memwatch level=warning event=options detail=\"" + warning + "\"");
    }
}

// --- freeze

std::string word_of(sampler_option sampler) { return write_option(option_kind::word, sampler); }

void describe_process(const process_state& state, const session_record& session, snapshot_info& info) {
    info.service = session.effective.service;
    info.host = platform::host_name();
    info.executable = platform::executable_path();
    info.version = version;
    info.session = session.id;
    info.pid = platform::process_id();
    info.started_unix_ns = session.origin_unix_ns;
    info.epoch_ns = session.effective.epoch_ns;
    const std::uint64_t now = state.capture.now_ns();
    info.taken_ns = now > session.origin_ns ? now - session.origin_ns : 0;
    info.first_epoch = session.first_epoch;
    info.interval_bytes = state.capture.interval.in_force();
    info.sampler = session.effective.preset == preset_option::full ? "full" : word_of(session.effective.sampler);
    if (session.sampler == nullptr && info.sampler != "full") { info.sampler = word_of(sampler_option::poisson); }
    info.one_in = session.sampler != nullptr && info.sampler != "full" ? session.sampler->one_in() : 0;
    info.min_size_bytes = session.least_sampled_bytes;
    info.baseline_ns = session.baseline_ns;
    info.resident_bytes = platform::resident_bytes();
}

void freeze_tags_and_routes(const capture_state& capture, snapshot& into) {
    for (std::size_t id = 0; id < capture.tags.size(); ++id) {
        tag_totals totals = capture.tags.totals(static_cast<tag_id>(id));
        totals.name = id == tag_table::untagged ? "untagged" : std::string(capture.tags.name(static_cast<tag_id>(id)));
        into.tags.push_back(std::move(totals));
    }
    for (std::size_t id = 0; id < capture.routes.size(); ++id) {
        into.routes.emplace_back(capture.routes.name(static_cast<route_id>(id)));
    }
}

void freeze_losses(const loss_counters& losses, snapshot& into) {
    for (std::size_t i = 0; i < std::size(drop_reason_names); ++i) {
        into.drops.push_back({drop_reason_names[i], losses.of(static_cast<drop_reason>(i))});
    }
    for (std::size_t i = 0; i < std::size(degradation_names); ++i) {
        into.degradations.push_back({degradation_names[i], losses.of(static_cast<degradation>(i))});
    }
}

// After the tags were summed up: that is when their excess is seen.
void freeze_attribution(const capture_state& capture, std::vector<named_value>& into) {
    const attribution_meter::sums with = capture.attribution.with_trace();
    const attribution_meter::sums without = capture.attribution.without_trace();
    into.push_back({"traced_bytes", with.bytes});
    into.push_back({"traced_objects", with.objects});
    into.push_back({"untraced_bytes", without.bytes});
    into.push_back({"untraced_objects", without.objects});
    into.push_back({"attribution_mismatches", capture.attribution.mismatches() + capture.tags.excess_frees()});
}

redaction_rules redaction_rules_of(const session_record& session) {
    return {redaction_words(session.effective.redact), session.effective.hash_traces ? session.trace_key : siphash_key{}};
}

}  // namespace

result<frozen_process> freeze_process(std::string_view label, live_state::detail how) {
    const detail::own_work ours;  // a snapshot is ours, also where malloc is interposed
    try {
        process_state& state = process();
        session_record session;
        settle_term(state);
        {
            const std::lock_guard guard(state.session_mutex);
            session = state.session;
        }
        if (state.inert_because != nullptr) { return fail(error_code::unavailable, state.inert_because); }
        if (session.is_disabled) { return fail(error_code::unavailable, disabled_sentence); }
        if (!session.was_started) { return fail(error_code::unavailable, "no memwatch session was started in this process"); }
        look_for_otel_context(state);
        frozen_process out;
        snapshot& frozen = out.value;
        describe_process(state, session, frozen.info);
        frozen.info.label = label;
        // acquire: pairs with the release in build_live().
        if (live_state* const live = state.live.load(std::memory_order_acquire); live != nullptr) {
            out.first_site = live->freeze(frozen, how);
        }
        freeze_tags_and_routes(state.capture, frozen);  // after the sites: their tags and routes are among these
        if (const auto weights = parse_tag_weights(session.effective.tag_weights)) { set_tag_weights(frozen, *weights); }
        freeze_pools(state.pools, frozen);
        for (const pool_totals& each : frozen.pools) { out.pool_names.push_back(each.name); }
        state.verdicts.copy_into(frozen, out.first_site, out.pool_names);
        freeze_losses(state.capture.losses, frozen);
        frozen.activity.push_back({"samples", state.capture.cost.samples()});
        frozen.activity.push_back({"self_ns", state.capture.cost.spent_ns()});
        frozen.activity.push_back({"completed_traces", state.capture.tags.completed_traces()});  // judged by, in a series
        if (const sampling_stop why = sampling_stop_of(session); why != sampling_stop::none) {
            frozen.activity.push_back({sampling_stop_row, static_cast<std::uint64_t>(why)});
        }
        freeze_escalation(state.capture, frozen);
        freeze_attribution(state.capture, frozen.activity);
        state.memory.copy_into(frozen);
        state.history.copy_into(frozen);
        state.restraint.copy_into(state, frozen);
        state.remedies.copy_into(frozen);
        state.recorder.copy_into(frozen);
        add_self_bytes(state, frozen.self_bytes);
        redact_names(frozen, redaction_rules_of(session));
        return out;
    } catch (const std::bad_alloc&) { return fail(error_code::unavailable, "not enough memory for a snapshot"); }
}

namespace {

result<snapshot> freeze(std::string_view label, live_state::detail how) {
    return freeze_process(label, how).map([](frozen_process&& all) { return std::move(all.value); });
}

bool join_or_begin(process_state& state, chosen_options merged, const std::vector<std::string>& warnings) {
    const std::lock_guard steering(state.steering);
    {
        const std::lock_guard guard(state.session_mutex);
        if (state.session.handles != 0) { return ++state.session.handles != 0; }
        state.session.detail.clear();
        if (!warnings.empty()) { state.session.detail = warnings.front(); }
        if (warnings.size() > 1) { state.session.detail += " (and " + std::to_string(warnings.size() - 1) + " more)"; }
        state.session.handles = 1;
        if (state.inert_because != nullptr) {
            state.session.detail = state.inert_because;
            return false;
        }
        begin(state, std::move(merged));
    }
    apply_switches_locked(state);
    return false;
}

// A session that runs already is left alone.
bool is_to_do_nothing(process_state& state, const chosen_options& merged) {
    const std::lock_guard guard(state.session_mutex);
    if (state.session.handles == 0) {
        state.session.is_disabled = merged.disabled;
        if (merged.disabled) { state.session.effective = merged; }
    }
    return merged.disabled;
}

bool end_handle(process_state& state) noexcept {
    const std::lock_guard steering(state.steering);
    {
        const std::lock_guard guard(state.session_mutex);
        if (--state.session.handles != 0) { return false; }
        state.session.term.cancel();
    }
    apply_switches_locked(state);  // what was sampled stays tracked
    return true;
}

// A preset that will end needs somebody who ends it.
void keep_time(process_state& state) noexcept {
    bool is_needed = false;
    {
        const std::lock_guard guard(state.session_mutex);
        is_needed = state.session.term.is_running();
    }
    if (is_needed && !state.worker.is_running()) { run_worker(state); }
}

// The last moment at which anything is sampled: what leaked by now is said by every later snapshot.
void judge_before_the_end(process_state& state) noexcept {
    bool is_last = false;
    {
        const std::lock_guard guard(state.session_mutex);
        is_last = state.session.handles == 1;
    }
    if (is_last) { state.verdicts.look_now(state); }
}

bool is_session_open(process_state& state) noexcept {
    const std::lock_guard guard(state.session_mutex);
    return state.session.handles != 0;
}

}  // namespace

session session::start(options wanted) noexcept {
    try {
        std::optional<detail::own_work> ours(std::in_place);
        process_state& state = process();
        std::vector<std::string> warnings;
        chosen_options merged = merge_options(std::move(wanted), warnings);
        if (is_to_do_nothing(state, merged)) { return {}; }
        warn(warnings);
        look_for_otel_context(state);
        const bool has_joined = join_or_begin(state, std::move(merged), warnings);
        run_worker(state);
        ours.reset();
        if (!has_joined) { draw_from_here(); }
        return session(has_joined);
    } catch (...) {
        return {};  // no memory to start with; status() says stopped
    }
}

session::session(session&& other) noexcept : is_open_(std::exchange(other.is_open_, false)), has_joined_(other.has_joined_) {}

session& session::operator=(session&& other) noexcept {
    if (this != &other) {
        stop();
        is_open_ = std::exchange(other.is_open_, false);
        has_joined_ = other.has_joined_;
    }
    return *this;
}

session::~session() { stop(); }

void session::stop() noexcept {
    if (!std::exchange(is_open_, false)) { return; }
    process_state& state = process();
    judge_before_the_end(state);
    if (!end_handle(state)) { return; }
    state.recorder.end(state, "the session was stopped");
    state.worker.stop();  // holding no lock: the worker may wait for the session's
    if (!state.worker.is_running()) { state.memory.end(); }
    if (is_session_open(state)) { run_worker(state); }  // somebody started anew meanwhile
}

session_status session::status() const {
    process_state& state = process();
    const std::lock_guard guard(state.session_mutex);
    if (!is_open_ && state.session.is_disabled) { return {session_state::stopped, disabled_sentence}; }
    if (!is_open_) { return {session_state::stopped, "this session was stopped"}; }
    if (!state.session.detail.empty()) { return {session_state::degraded, state.session.detail}; }
    if (state.session.restraint != restraint_step::none) { return {session_state::degraded, state.restraint.sentence()}; }
    if (!state.session.control_problem.empty()) { return {session_state::running, state.session.control_problem}; }
    if (has_joined_) { return {session_state::running, "joined the running session; its options are in force"}; }
    return {session_state::running, {}};
}

session_status detail::process_status() {
    process_state& state = process();
    const std::lock_guard guard(state.session_mutex);
    if (state.session.is_disabled) { return {session_state::stopped, disabled_sentence}; }
    if (state.session.handles == 0) { return {session_state::stopped, "no session is running"}; }
    if (!state.session.detail.empty()) { return {session_state::degraded, state.session.detail}; }
    if (state.session.restraint != restraint_step::none) { return {session_state::degraded, state.restraint.sentence()}; }
    return {session_state::running, {}};
}

chosen_options detail::process_options() {
    process_state& state = process();
    settle_term(state);
    const std::lock_guard guard(state.session_mutex);
    return state.session.effective;
}

result<snapshot> session::snapshot(std::string_view label) const { return freeze(label, live_state::detail::records); }

result<snapshot> session::summary() const { return freeze({}, live_state::detail::summary); }

result<void> session::set_preset(preset_option wanted, std::uint64_t for_ns) {
    if (result<void> done = steer_preset(process(), wanted, for_ns); !done) { return done; }
    keep_time(process());
    return {};
}

result<void> session::set(const std::vector<std::pair<std::string, std::string>>& wanted) {
    if (result<void> done = steer_options(process(), wanted); !done) { return done; }
    keep_time(process());
    return {};
}

result<void> session::set_sampler(sampler_function function, void* context) {
    return steer_sampler(process(), function, context);
}

result<std::uint64_t> session::mark_baseline() {
    process_state& state = process();
    const std::lock_guard guard(state.session_mutex);
    if (state.session.is_disabled) { return fail(error_code::unavailable, disabled_sentence); }
    if (state.session.handles == 0) { return fail(error_code::unavailable, "no session is running"); }
    state.session.baseline_ns = std::max<std::uint64_t>(since_origin(state), 1);  // 0 is "no mark"
    return state.session.baseline_ns;
}

result<void> session::set_interval(std::uint64_t interval_bytes) { return steer_interval(process(), interval_bytes); }

void session::on_verdict(verdict_function function, void* context) noexcept {
    process().verdicts.set_listener({function, context});
}

result<void> session::pause() { return steer_pause(process(), true); }

result<void> session::resume() { return steer_pause(process(), false); }

options session::effective_options() const {
    process_state& state = process();
    settle_term(state);
    const std::lock_guard guard(state.session_mutex);
    return state.session.effective;
}

}  // namespace v1
}  // namespace memwatch
