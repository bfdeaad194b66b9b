// SPDX-License-Identifier: Apache-2.0
#include "runtime/tasks/verdicts.hpp"

#include <algorithm>
#include <utility>

#include "capture/own_work.hpp"
#include "model/verdict_checks.hpp"
#include "platform/platform.hpp"
#include "runtime/process_state.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

// A twentieth of a CPU at most: what a look took is waited for twenty times. CPU time: on a loaded machine a look that had to
// wait for its turn would cost the epochs after it, too.
constexpr std::uint64_t pause_share = 20;
// Of an epoch: when a history that began anew has its first look. A child that is about to exec is spared it.
constexpr std::uint64_t soon_share = 20;

// Shows the engine what live_state::visit() comes by. Sites that came during the look are the next one's.
struct onlooker {
    engine& judge;
    escalation_keeper& escalated;
    std::uint32_t sites;

    void see(const live_record& block) noexcept {
        if (block.site >= sites) { return; }
        escalated.see(block);
        judge.count_block(block.site, {block.birth_ns, block.size_bytes, block.interval_bytes, block.trace.is_valid()});
    }
    void see(std::uint32_t id, const site& totals, std::uint32_t depth) noexcept {
        if (id >= sites) { return; }
        site_totals counted{totals.allocated, totals.freed, totals.freed_by_other_thread, depth};
        escalated.replace_totals(id, counted);
        judge.count_site(id, counted);
    }
};

std::uint64_t lost_records(const loss_counters& losses) noexcept {
    std::uint64_t sum = 0;
    for (const drop_reason reason : {drop_reason::live_table_full, drop_reason::duplicate_block, drop_reason::edge_waste_full,
                                     drop_reason::ledger_full, drop_reason::ledger_reentered, drop_reason::sample_abandoned}) {
        sum += losses.of(reason);
    }
    return sum;
}

bool is_every_block_recorded(const capture_state& capture) noexcept {
    // relaxed: a look at the border between two presets belongs to either.
    return capture.preset.load(std::memory_order_relaxed) == preset_option::full || capture.interval.in_force() == 0;
}

engine_settings settings_for(const options& chosen) noexcept {
    engine_settings settings;
    settings.epoch_ns = chosen.epoch_ns;
    settings.judgement.warning_bytes = chosen.leak_warning_bytes;
    settings.judgement.critical_bytes = chosen.leak_critical_bytes;
    settings.judgement.shallow_bytes = chosen.leak_shallow_bytes;
    return settings;
}

constexpr std::uint64_t end_of_epoch(std::uint64_t now_ns, std::uint64_t epoch_ns) noexcept {
    return (now_ns / epoch_ns + 1) * epoch_ns;
}

std::uint64_t session_time(const process_state& state, const live_state& live) noexcept {
    const std::uint64_t now = state.capture.now_ns();
    return now > live.origin_ns() ? now - live.origin_ns() : 0;
}

look look_at(const process_state& state, const live_state& live) noexcept {
    look now;
    now.time_ns = session_time(state, live);
    now.sites = live.site_count();
    now.is_exact = is_every_block_recorded(state.capture);
    now.completed_traces = state.capture.tags.completed_traces();
    now.lost_records = lost_records(state.capture.losses);
    now.interval_bytes = state.capture.interval.in_force();
    const std::uint64_t at_edges = state.capture.edge_waste.interval_floor();
    now.small_interval_bytes = std::max(now.interval_bytes, at_edges);
    if (state.capture.edge_waste.is_tight()) { now.interval_bytes = now.small_interval_bytes; }
    return now;
}

}  // namespace

void verdict_keeper::begin(const options& chosen, std::uint64_t now_ns, bool is_first) noexcept {
    const std::lock_guard guard(mutex_);
    bool is_wanted = chosen.verdicts != verdicts_option::off;
    try {
        engine_ = is_wanted ? std::make_unique<engine>(settings_for(chosen)) : nullptr;
    } catch (...) { is_wanted = false; }  // no memory
    pools_.clear();
    is_on_.store(is_wanted, std::memory_order_relaxed);  // relaxed: a setting
    process().worker.set_verdicts_asked_for(chosen.verdicts == verdicts_option::on);
    escalated_.begin(process().capture, chosen);
    epoch_ns_ = std::max<std::uint64_t>(chosen.epoch_ns, 1);
    due_ns_ = end_of_epoch(now_ns, epoch_ns_);
    if (!is_first) { begin_anew_locked(now_ns); }
}

// Nothing is freed: this may run in a forked child.
void verdict_keeper::begin_anew_locked(std::uint64_t now_ns) noexcept {
    if (engine_ != nullptr) { engine_->reset(); }
    escalated_.end_all(process().capture);
    std::fill(told_sites_.begin(), told_sites_.end(), told{});
    std::fill(told_pools_.begin(), told_pools_.end(), told{});
    due_ns_ = std::min(now_ns + epoch_ns_ / soon_share, end_of_epoch(now_ns, epoch_ns_));
}

void verdict_keeper::enter_child(std::uint64_t now_ns) noexcept { begin_anew_locked(now_ns); }

std::uint64_t verdict_keeper::turn(process_state& state) noexcept {
    // acquire: pairs with the release in build_live().
    live_state* const live = state.live.load(std::memory_order_acquire);
    if (live == nullptr || !is_on()) { return worker::never; }
    const std::uint64_t left_ns = due_in(state, *live);
    if (left_ns != 0) { return left_ns; }
    const std::uint64_t before_ns = platform::thread_cpu_ns();
    std::vector<verdict_change> changes;
    const bool has_looked = try_look(state, &changes);
    const std::uint64_t took_ns = platform::thread_cpu_ns() - before_ns;
    if (has_looked) {
        try {
            tell(state, std::move(changes));
        } catch (...) {}  // no memory for words; snapshots have the verdicts
    }
    return std::max(due_in(state, *live), took_ns * pause_share);
}

std::uint64_t verdict_keeper::due_in(const process_state& state, const live_state& live) const noexcept {
    const std::lock_guard guard(mutex_);
    const std::uint64_t now_ns = session_time(state, live);
    return due_ns_ > now_ns ? due_ns_ - now_ns : 0;
}

void verdict_keeper::look_now(process_state& state) noexcept { static_cast<void>(try_look(state, nullptr)); }

// False: there was nothing to look at, or no memory to.
bool verdict_keeper::try_look(process_state& state, std::vector<verdict_change>* changes) noexcept {
    // acquire: pairs with the release in build_live().
    live_state* const live = state.live.load(std::memory_order_acquire);
    if (live == nullptr || !is_on()) { return false; }
    const detail::own_work ours;
    try {
        const std::vector<pool_reading> pools = state.pools.read();  // calls the program's functions
        const std::lock_guard guard(mutex_);
        due_ns_ = end_of_epoch(session_time(state, *live), epoch_ns_);
        // relaxed: a look at the border of a pause belongs to either side.
        if (engine_ == nullptr || !state.capture.is_sampling.load(std::memory_order_relaxed)) { return false; }
        const std::uint64_t began_ns = platform::monotonic_ns();
        look_locked(state, *live, pools);
        done_ = {done_.looks + 1, session_time(state, *live), platform::monotonic_ns() - began_ns};
        if (changes != nullptr) { *changes = take_changes_locked(); }
        // Afterwards: a site whose term begins or ends has a history that is empty.
        escalated_.turn(state.capture, *live, *engine_, engine_->last_look_ns());
        return true;
    } catch (...) { return false; }  // no memory: the next look sees what this one did not
}

void verdict_keeper::look_locked(process_state& state, live_state& live, const std::vector<pool_reading>& pools) {
    // Full mode was left, and its records with it: they did not die.
    const std::uint64_t abandoned = state.capture.losses.of(drop_reason::ledger_abandoned);
    if (std::exchange(abandoned_, abandoned) != abandoned) { begin_anew_locked(session_time(state, live)); }
    const look now = look_at(state, live);
    // The engine begins anew, and the sites' totals are their own again from the first look on.
    if (now.is_exact) { escalated_.end_all(state.capture); }
    engine_->begin_look(now);
    onlooker eyes{*engine_, escalated_, now.sites};
    escalated_.begin_look(state.capture);
    live.visit(eyes, scratch_);
    count_pools_locked(pools);
    engine_->end_look();
}

void verdict_keeper::count_pools_locked(const std::vector<pool_reading>& pools) {
    std::vector<std::string> names;
    for (const pool_reading& pool : pools) { names.push_back(pool.totals.name); }
    pools_.add(names);
    const std::vector<std::uint32_t> numbers = pools_.numbers_of(names);
    for (std::size_t row = 0; row < pools.size(); ++row) {
        if (numbers[row] != judged_pools::none) { engine_->count_pool(numbers[row], pools[row].totals); }
    }
}

// Only what is accused, or was, is described: in most looks that is nothing.
std::vector<verdict_change> verdict_keeper::take_changes_locked() {
    std::vector<verdict> now = engine_->verdicts(verdict_level::suspect);
    const auto add_cleared = [&](const std::vector<told>& all, verdict_subject subject) {
        for (std::uint32_t i = 0; i < all.size(); ++i) {
            if (level_of(all[i].kind) == verdict_level::none) { continue; }
            verdict said = engine_->verdict_of(subject, i);
            if (level_of(said.kind) == verdict_level::none) { now.push_back(std::move(said)); }
        }
    };
    add_cleared(told_sites_, verdict_subject::site);
    add_cleared(told_pools_, verdict_subject::pool);
    std::vector<verdict_change> changes;
    for (verdict& said : now) {
        std::vector<told>& all = said.subject == verdict_subject::site ? told_sites_ : told_pools_;
        if (said.index >= all.size()) { all.resize(said.index + std::size_t{1}); }
        told& before = all[said.index];
        if (before.kind == said.kind && said.severity <= before.severity) { continue; }
        const verdict_class kind_before = std::exchange(before.kind, said.kind);
        before.severity = said.severity;
        changes.push_back({std::move(said), kind_before});
    }
    return changes;
}

std::uint64_t verdict_keeper::looks() const noexcept {
    const std::lock_guard guard(mutex_);
    return engine_ == nullptr ? 0 : engine_->looks();
}

void verdict_keeper::copy_into(snapshot& into, std::uint32_t first_site, const std::vector<std::string>& pool_names) const {
    if (!is_on()) { return; }
    const std::lock_guard guard(mutex_);
    if (engine_ == nullptr) { return; }
    into.activity.push_back({"verdict_looks", done_.looks});
    into.activity.push_back({"verdict_looked_at_ns", done_.last_ns});
    into.activity.push_back({"verdict_look_ns", done_.took_ns});
    into.activity.push_back({"verdict_pause_ns", std::max(epoch_ns_, process().worker.rest_ns(worker_task::verdicts))});
    const std::vector<std::uint32_t> numbers = pools_.numbers_of(pool_names);
    for (verdict& each : engine_->verdicts()) {
        if (move_to_row(each, into, first_site, numbers)) { into.verdicts.push_back(std::move(each)); }
    }
    keep_whole_verdicts(into);  // pools come in the order of their numbers, not of their rows
}

void verdict_keeper::set_listener(const verdict_listener& listener) noexcept {
    const std::lock_guard guard(mutex_);
    listener_ = listener;
}

std::size_t verdict_keeper::self_bytes() const noexcept {
    const std::lock_guard guard(mutex_);
    const std::size_t engine_bytes = engine_ == nullptr ? 0 : engine_->self_bytes();
    return engine_bytes + (told_sites_.capacity() + told_pools_.capacity()) * sizeof(told) +
           scratch_.capacity() * sizeof(exact_site_totals);
}

void verdict_keeper::tell(process_state& state, std::vector<verdict_change> changes) const {
    if (changes.empty()) { return; }
    judged_pools pools;
    verdict_listener listener;
    {
        const std::lock_guard guard(mutex_);
        pools = pools_;
        listener = listener_;
    }
    tell_verdicts(state, std::move(changes), pools, listener);
}

}  // namespace v1
}  // namespace memwatch
