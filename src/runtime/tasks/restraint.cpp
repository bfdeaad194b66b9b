// SPDX-License-Identifier: Apache-2.0
#include "runtime/tasks/restraint.hpp"

#include <algorithm>
#include <iterator>
#include <new>
#include <utility>

#include <fmt/format.h>

#include <memwatch/base/log.hpp>
#include <memwatch/base/units.hpp>

#include "blackbox/event.hpp"
#include "platform/platform.hpp"
#include "runtime/process_state.hpp"
#include "runtime/self_bytes.hpp"
#include "runtime/steering.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::uint64_t turn_every_ns = 5'000'000'000;
constexpr std::uint64_t small_turn_every_ns = 1'000'000'000;    // little is left, and soon taken
constexpr std::uint64_t cpus_are_good_for_ns = 60'000'000'000;  // quotas change, but not often
constexpr double throttled_divisor = 4;

// What all parts may come to by limits of their own (docs/budgets.md). Above it one of them has broken its promise: page edges,
// which can be had more cheaply, were given what the others leave long before.
std::uint64_t tolerated(std::uint64_t budget_bytes) noexcept { return 2 * budget_bytes; }

// Somebody asked for every block, for a time; what that costs is no reason to give it less.
bool is_every_block_wanted(const capture_state& capture) noexcept {
    // relaxed: settings.
    return capture.preset.load(std::memory_order_relaxed) == preset_option::full ||
           capture.interval.of(sampling_interval::wish::configured) == 0;
}

constexpr const char* what_is_less[] = {"", "R is raised 8 times", "nothing is sampled, tags and pools are counted",
                                        "nothing is sampled, judged, written or kept; tags and pools are counted"};

std::uint64_t task_bit(worker_task which) noexcept { return std::uint64_t{1} << static_cast<unsigned>(which); }

// What memwatch does for its own part; draining rings, ending presets and what an attached library needs go on.
std::uint64_t tasks_to_suspend(restraint_step step) noexcept {
    if (step != restraint_step::off) { return 0; }
    return task_bit(worker_task::verdicts) | task_bit(worker_task::memory_watch) | task_bit(worker_task::flight_recorder) |
           task_bit(worker_task::history) | task_bit(worker_task::remedies);
}

}  // namespace

void restraint_keeper::begin(const options& chosen) noexcept {
    set_limits(chosen);
    const std::lock_guard guard(mutex_);
    is_begun_ = false;
    step_.store(restraint_step::none, std::memory_order_relaxed);  // relaxed: as step()
}

void restraint_keeper::set_limits(const options& chosen) noexcept {
    const std::lock_guard guard(mutex_);
    // Who wants no target for samples wants no limit that they would run into.
    limits_ = {chosen.budget_bytes, chosen.target_overhead_permille == 0 ? 0 : chosen.max_overhead_permille};
}

void restraint_keeper::bind(process_state& state) noexcept {
    state.worker.bind(
        worker_task::restraint,
        [](void* all, std::uint64_t now_ns) {
            auto& of = *static_cast<process_state*>(all);
            return of.restraint.turn(of, now_ns);
        },
        &state);
}

bool restraint_keeper::enter_child() noexcept {
    is_begun_ = false;
    thread_ns_ = 0;
    new (&parts_) std::vector<named_value>();  // the parent's worker may have been in the middle of changing it
    return step_.exchange(restraint_step::none, std::memory_order_relaxed) != restraint_step::none;  // relaxed: one thread
}

restraint_keeper::cost restraint_keeper::measure(process_state& state, std::uint64_t now_ns) {
    const std::uint64_t clock_ns = platform::thread_cpu_ns();
    worker_ns_ += clock_ns - (clock_ns < thread_ns_ ? 0 : thread_ns_);
    thread_ns_ = clock_ns;
    parts_.clear();
    add_self_bytes(state, parts_);
    const capture_state& capture = state.capture;
    cost out{};
    out.totals = {now_ns, budgeted_bytes(parts_),
                  worker_ns_ + capture.cost.foreground_ns() + capture.escalation.cost.foreground_ns()};
    out.edge_bytes = capture.edge_waste.waste_bytes();
    return out;
}

void restraint_keeper::look_at_cpus(process_state& state, std::uint64_t now_ns) {
    if (looked_at_cpus_ns_ != 0 && now_ns - looked_at_cpus_ns_ < cpus_are_good_for_ns) { return; }
    looked_at_cpus_ns_ = now_ns;
    const double cpus = platform::available_cpus();
    const std::uint64_t throttled = platform::throttled_periods();
    const bool is_throttled = throttled > std::exchange(throttled_, throttled);
    state.worker.set_paced_cpus(is_throttled ? cpus / throttled_divisor : cpus);
    const std::lock_guard guard(mutex_);
    cpus_ = cpus;
}

bool restraint_keeper::decide_locked(const cost& now, restraint_step& before) noexcept {
    const bool is_cpu_judged = !is_every_block_wanted(process().capture);
    const restraint_rules::limits in_force{tolerated(limits_.budget_bytes), is_cpu_judged ? limits_.permille : 0, cpus_};
    last_ = now.totals;
    before = rules_.step();
    if (!std::exchange(is_begun_, true)) {
        rules_.begin(in_force, now.totals);
        return false;
    }
    rules_.set_limits(in_force);
    return rules_.update(now.totals);
}

std::uint64_t restraint_keeper::turn(process_state& state, std::uint64_t now_ns) noexcept {
    std::uint64_t budget_bytes = 0;
    try {
        look_at_cpus(state, now_ns);
        const cost now = measure(state, now_ns);
        restraint_step before{};
        bool has_changed = false;
        {
            const std::lock_guard guard(mutex_);
            has_changed = decide_locked(now, before);
            budget_bytes = limits_.budget_bytes;
            step_.store(rules_.step(), std::memory_order_relaxed);  // relaxed: as step()
        }
        const std::uint64_t others = now.totals.self_bytes - std::min(now.totals.self_bytes, now.edge_bytes);
        state.capture.edges.release_empty_pages();
        state.capture.heap_edges.release_empty_pages();
        state.interval_control.limit_waste(state.capture, budget_bytes - std::min(budget_bytes, others));
        if (has_changed) { apply(state, before); }
    } catch (...) {}  // no memory to measure with: the next turn
    return interval_control::is_small(budget_bytes) ? small_turn_every_ns : turn_every_ns;
}

void restraint_keeper::apply(process_state& state, restraint_step before) const {
    const restraint_step now = step();
    state.capture.losses.count(now > before ? degradation::restraint_tightened : degradation::restraint_eased);
    {
        const std::lock_guard steering(state.steering);
        {
            const std::lock_guard guard(state.session_mutex);
            state.session.restraint = now;
        }
        apply_switches_locked(state);
    }
    state.worker.suspend(tasks_to_suspend(now));
    const bool is_less = now > before;
    const std::string why = now == restraint_step::none ? "all is done again" : sentence();
    state.recorder.note(blackbox::event_names::restraint, why);
    write_log(is_less ? log_level::warning : log_level::info,
              fmt::format("memwatch level={} event=restraint step={} was={} detail=\"{}\"", is_less ? "warning" : "info",
                          restraint_step_names[static_cast<std::size_t>(now)],
                          restraint_step_names[static_cast<std::size_t>(before)], why));
}

std::string restraint_keeper::sentence() const {
    const std::lock_guard guard(mutex_);
    const restraint_step now = step();
    if (now == restraint_step::none) { return {}; }
    const std::string why = rules_.cause() == restraint_cause::bytes
                                ? fmt::format("memwatch held more than twice its budget of {}",
                                              format_bytes(static_cast<double>(limits_.budget_bytes)))
                                : fmt::format("memwatch took more than {} permille of {:.4g} CPUs", limits_.permille, cpus_);
    return fmt::format("restraint: {}, because {}", what_is_less[static_cast<std::size_t>(now)], why);
}

void restraint_keeper::copy_into(const process_state& state, snapshot& into) const {
    for (std::size_t i = 0; i < std::size(worker_task_names); ++i) {
        const std::uint64_t spent_ns = state.worker.spent_ns(static_cast<worker_task>(i));
        if (spent_ns != 0) { into.activity.push_back({std::string("worker_ns_") + worker_task_names[i], spent_ns}); }
    }
    const std::lock_guard guard(mutex_);
    into.activity.push_back({"restraint_step", static_cast<std::uint64_t>(step())});
    into.activity.push_back({"own_budget_bytes", limits_.budget_bytes});
    into.activity.push_back({"own_budgeted_bytes", last_.self_bytes});
    into.activity.push_back({"own_cpu_ns", last_.self_ns});
    into.activity.push_back({"own_cpu_ppm", static_cast<std::uint64_t>(rules_.cpu_share() * 1e6)});  // of one CPU
    into.activity.push_back({"own_cpu_limit_ppm", static_cast<std::uint64_t>(cpus_ * limits_.permille * 1000)});
}

}  // namespace v1
}  // namespace memwatch
