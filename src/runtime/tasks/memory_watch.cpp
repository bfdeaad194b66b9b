// SPDX-License-Identifier: Apache-2.0
#include "runtime/tasks/memory_watch.hpp"

#include <algorithm>
#include <iterator>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

#include <memwatch/model/weight.hpp>
#include "footprint/time_to_oom.hpp"
#include "platform/platform.hpp"
#include "runtime/process_state.hpp"
#include "runtime/self_bytes.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr std::uint64_t groups_are_good_for_ns = 30 * second_ns;  // processes are moved seldom, and rarely late in their life
constexpr std::uint64_t good_for_ns = 60 * second_ns;             // what a forecast and a level are
constexpr std::uint64_t heap_pause_share = 200;                   // adding the live blocks up takes at most 0.5 % of a CPU

std::uint64_t take_turn(void* state, std::uint64_t) noexcept {
    auto& all = *static_cast<process_state*>(state);
    return all.memory.turn(all);
}

// The live blocks, by weight.
struct heap_sum {
    sampled_totals sum;
    void see(const live_record& block) noexcept { sum.add(block.size_bytes, block.interval_bytes); }
    template <class... Totals>
    void see(std::uint32_t, const Totals&...) noexcept {}
};

}  // namespace

void memory_watch::begin(process_state& state, const options& chosen, std::uint64_t origin_ns) noexcept {
    // relaxed: a number; the worker is told by bind().
    if (origin_ns_.exchange(origin_ns, std::memory_order_relaxed) != origin_ns) {
        const std::lock_guard guard(mutex_);
        forget();  // another clock: times before are none of this timeline
    }
    read_environment();
    try {
        snapshots_.begin(chosen);
    } catch (...) {}  // no memory for a path: no snapshots
    state.worker.bind(worker_task::memory_watch, &take_turn, &state);
}

void memory_watch::read_environment() noexcept {
    if (platform::is_secure_mode()) { return; }
    try {
        for (const char* const* each = platform::environment(); each != nullptr && *each != nullptr; ++each) {
            const std::string_view text = *each;
            const auto value_of = [&](std::string_view name) { return text.substr(std::min(text.size(), name.size())); };
            constexpr std::string_view path = "MEMORY_PRESSURE_WATCH=";
            constexpr std::string_view message = "MEMORY_PRESSURE_WRITE=";
            if (text.substr(0, path.size()) == path) { manager_path_ = value_of(path); }
            if (text.substr(0, message.size()) == message) { manager_message_ = value_of(message); }
        }
    } catch (...) {}  // no memory: the group's files tell
}

std::uint64_t memory_watch::turn(process_state& state) noexcept {
    const std::uint64_t now_ns = platform::monotonic_ns();
    look_around(now_ns);
    was_signalled_ = take_signals();
    memory_reading next = latest();  // what is not read anew stays
    const std::uint64_t now = state.capture.now_ns();
    const std::uint64_t origin = origin_ns_.load(std::memory_order_relaxed);  // relaxed: a number
    next.time_ns = now > origin ? now - origin : 1;                           // 0 is "never"
    reader_.read(next);
    read_heap(state, next);
    next.self_bytes = total_self_bytes(state);
    const pressure_level before = level();
    const std::uint64_t pause_ns = keep(next);
    state.kernel_side.note(next);
    snapshots_.turn(state, before, level(), next.time_ns);
    wait_for_signals(state.worker, now_ns);
    return pause_ns;
}

// Processes are moved, limits come and go, and so do files to be watched.
void memory_watch::look_around(std::uint64_t now_ns) noexcept {
    if (looked_for_groups_ns_ != 0 && now_ns - looked_for_groups_ns_ <= groups_are_good_for_ns) { return; }
    try {
        reader_.look_for_groups(roots_);
        looked_for_groups_ns_ = now_ns;
    } catch (...) { return; }  // no memory: what was found before stays
    watch_signals();
}

void memory_watch::watch_signals() noexcept {
    const std::lock_guard guard(mutex_);  // or a fork would copy a descriptor that nobody knows yet
    own_events_.watch_events(reader_.own_events_file());
    tightest_events_.watch_events(reader_.tightest_events_file());
    if (manager_.is_open() || manager_path_.empty()) { return; }
    manager_.watch_manager(manager_path_.c_str(), manager_message_.empty() ? nullptr : manager_message_.c_str());
}

// Counts of events are read anyway, and say more; the manager's word is all there is of it.
bool memory_watch::take_signals() noexcept {
    const std::lock_guard guard(mutex_);
    const bool is_own = own_events_.take();
    const bool is_tightest = tightest_events_.take();
    const bool is_manager = manager_.take();
    if (is_manager) { gauge_.hear(std::max<std::uint64_t>(latest_.time_ns, 1)); }
    return is_own || is_tightest || is_manager;
}

// Page cache meets a limit a thousand times a second where files are read: a second's rest while all is well.
void memory_watch::wait_for_signals(worker& background, std::uint64_t now_ns) noexcept {
    if (was_signalled_) { signals_rest_until_ns_ = now_ns + (level() == pressure_level::none ? second_ns : second_ns / 10); }
    if (now_ns < signals_rest_until_ns_) { return background.wait_also_for(worker_task::memory_watch, nullptr, 0); }
    const platform::awaited_descriptor all[] = {own_events_.awaited(), tightest_events_.awaited(), manager_.awaited()};
    background.wait_also_for(worker_task::memory_watch, all, std::size(all));
}

// The forecast is made of a second's points: no need to make it more often.
std::uint64_t memory_watch::keep(const memory_reading& next) noexcept {
    const std::lock_guard guard(mutex_);
    const bool is_next_second = next.time_ns / second_ns != latest_.time_ns / second_ns;
    latest_ = next;
    curve_.add(next, reader_.tightest());
    if (is_next_second) {
        forecast_ = forecast_oom(curve_, next.process.address_space_limit);
        if (forecast_) { forecast_->made_ns = next.time_ns; }
    }
    level_.store(gauge_.judge(next), std::memory_order_relaxed);  // relaxed: see level()
    return gauge_.pause_ns();
}

void memory_watch::read_heap(process_state& state, memory_reading& into) noexcept {
    const std::uint64_t began_ns = platform::monotonic_ns();
    if (began_ns - heap_read_ns_ < heap_read_took_ns_ * heap_pause_share) { return; }
    // acquire: pairs with the release in build_live().
    live_state* const live = state.live.load(std::memory_order_acquire);
    if (live == nullptr) { return; }
    try {
        heap_sum blocks;
        std::vector<exact_site_totals> scratch;
        live->visit(blocks, scratch);
        into.live_bytes = static_cast<std::uint64_t>(blocks.sum.bytes);
    } catch (...) {}  // no memory: the sum before stays
    heap_read_ns_ = platform::monotonic_ns();
    heap_read_took_ns_ = heap_read_ns_ - began_ns;
}

memory_reading memory_watch::latest() const noexcept {
    const std::lock_guard guard(mutex_);
    return latest_;
}

std::optional<oom_forecast> memory_watch::forecast() const noexcept {
    const std::lock_guard guard(mutex_);
    return forecast_;
}

std::vector<curve_point> memory_watch::curve(std::uint32_t span_s) const {
    const std::lock_guard guard(mutex_);
    return curve_.copy(span_s);
}

std::uint64_t memory_watch::times_risen_to(pressure_level level) const noexcept {
    const std::lock_guard guard(mutex_);
    return gauge_.times_risen_to(level);
}

memory_timeline memory_watch::timeline(std::uint32_t span_s) const {
    memory_timeline out;
    const std::lock_guard guard(mutex_);
    out.latest = latest_;
    out.level = level();
    out.times_some = gauge_.times_risen_to(pressure_level::some);
    out.times_critical = gauge_.times_risen_to(pressure_level::critical);
    out.forecast = forecast_;
    out.points = curve_.copy(span_s);
    return out;
}

void memory_watch::copy_into(snapshot& into) const {
    const memory_timeline now = timeline(0);
    if (now.latest.time_ns == 0) { return; }
    // Who does not look any more (restraint's last step, a worker that hangs) does not know: an alert would fire for ever.
    const bool is_old = into.info.taken_ns > now.latest.time_ns + good_for_ns;
    const auto add = [&](const char* name, std::uint64_t value) { into.activity.push_back({name, value}); };
    add("memory_read_ns", now.latest.time_ns);
    add("process_anonymous_bytes", now.latest.process.anonymous);
    add("process_file_bytes", now.latest.process.file);
    add("process_shared_bytes", now.latest.process.shared);
    add("process_swapped_bytes", now.latest.process.swapped);
    add("process_page_table_bytes", now.latest.process.page_tables);
    add("pressure_level", static_cast<std::uint64_t>(is_old ? pressure_level::none : now.level));
    add("pressure_some", now.times_some);
    add("pressure_critical", now.times_critical);
    {
        const std::lock_guard guard(mutex_);
        add("pressure_snapshots", snapshots_.taken());
        add("pressure_snapshot_failures", snapshots_.failed());
    }
    if (now.forecast && !is_old) {
        add("time_to_oom_ms", static_cast<std::uint64_t>(now.forecast->seconds * 1000));
        add("time_to_oom_least_ms", static_cast<std::uint64_t>(now.forecast->least_seconds * 1000));
    }
    const cgroup_memory& group = now.latest.cgroup;
    if (group.current == 0) { return; }
    add("cgroup_bytes", group.current);
    add("cgroup_unreclaimable_bytes", group.unreclaimable);
    if (group.limit != 0) { add("cgroup_limit_bytes", group.limit); }
    add("cgroup_high_events", group.events.high);
    add("cgroup_max_events", group.events.max);
    add("cgroup_oom_events", group.events.oom);
    add("cgroup_oom_kill_events", group.events.oom_kill);
}

std::size_t memory_watch::self_bytes() const noexcept {
    const std::lock_guard guard(mutex_);
    return sizeof *this + snapshots_.reserved_bytes();
}

// What the parent's worker was in the middle of changing is left alone.
void memory_watch::enter_child() noexcept {
    new (&reader_) memory_reader();
    close_signals();
    snapshots_.end();
    forget();
}

void memory_watch::end() noexcept {
    const std::lock_guard guard(mutex_);
    close_signals();
    snapshots_.end();
}

// They are opened again when groups are looked for.
void memory_watch::close_signals() noexcept {
    for (platform::pressure_signal* const each : {&own_events_, &tightest_events_, &manager_}) { each->close(); }
    looked_for_groups_ns_ = 0;
    signals_rest_until_ns_ = 0;
}

void memory_watch::forget() noexcept {
    looked_for_groups_ns_ = 0;
    heap_read_took_ns_ = 0;
    latest_ = {};
    curve_.clear();
    forecast_.reset();
    gauge_ = {};
    level_.store(pressure_level::none, std::memory_order_relaxed);  // relaxed: see level()
}

}  // namespace v1
}  // namespace memwatch
