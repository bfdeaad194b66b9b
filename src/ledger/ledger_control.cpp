// SPDX-License-Identifier: Apache-2.0
// The ledger's control lane: opening, leaving, chores, fork, and the gate behind which they are done.
#include <algorithm>
#include <thread>

#include "ledger/ledger.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

// This thread holds the gate: what it allocates meanwhile (other fork handlers do) is not recorded, and nobody waits.
__attribute__((tls_model("initial-exec"))) __thread bool holds_gate = false;

constexpr std::uint32_t most_pinned = thread_table::capacity / 4 * 3;

std::size_t to_lines(std::size_t bytes) noexcept { return (bytes + 63) / 64 * 64; }

}  // namespace

// --- sizes

ledger_sizes ledger_sizes::for_budget(std::uint64_t budget_bytes, std::size_t sites, std::size_t stacks) noexcept {
    ledger_sizes sizes{};
    sizes.cells_bytes = to_lines((sites + 1) * sizeof(ledger_cell));
    // Cells take at most a quarter, the memo a thirty-second; both are touched as sites and stacks appear.
    const std::uint64_t lanes = budget_bytes / 4 / (sizes.cells_bytes + sizeof(ledger_lane));
    sizes.lanes = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(lanes, 2, ledger::most_lanes));
    sizes.memo_bytes = std::clamp<std::size_t>(budget_bytes / 32, 64U << 10U, 64U << 20U);
    const std::size_t fixed = to_lines(sizes.lanes * sizeof(ledger_lane)) + sizes.lanes * sizes.cells_bytes +
                              to_lines(stack_memo::memory_bytes(sizes.memo_bytes)) + to_lines(trace_contexts::memory_bytes()) +
                              to_lines((sites + 1) * 4 * sizeof(std::uint64_t)) +
                              to_lines((stacks + 1) * sizeof(std::uint32_t));
    const std::size_t least = 1U << 20U;
    const std::size_t rest = budget_bytes > fixed + least ? budget_bytes - fixed : least;
    sizes.records = ledger_records::capacity_of(rest);
    constexpr std::size_t page = 4096;  // records begin on one, so that clear() gives all of them back
    sizes.memory_bytes = sizes.records / ledger_records::group_size * sizeof(ledger_records::group) + page + fixed;
    return sizes;
}

// `memory`: page-aligned.
void ledger::divide(std::byte* memory) noexcept {
    records_.open(memory, sizes_.records);
    memory += sizes_.records / ledger_records::group_size * sizeof(ledger_records::group);
    memory = reinterpret_cast<std::byte*>((reinterpret_cast<std::uintptr_t>(memory) + 4095) / 4096 * 4096);
    const auto take = [&memory](std::size_t bytes) {
        std::byte* const part = memory;
        memory += to_lines(bytes);
        return part;
    };
    memo_.open(take(stack_memo::memory_bytes(sizes_.memo_bytes)), sizes_.memo_bytes);
    contexts_.open(take(trace_contexts::memory_bytes()));
    site_of_stack_ = reinterpret_cast<std::atomic<std::uint32_t>*>(take((stacks_.capacity() + 1) * sizeof(std::uint32_t)));
    marks_ = reinterpret_cast<site_mark*>(take((sites_.capacity() + 1) * sizeof(site_mark)));
    lanes_ = reinterpret_cast<ledger_lane*>(take(sizes_.lanes * sizeof(ledger_lane)));
    for (std::uint32_t i = 0; i < sizes_.lanes; ++i) {
        lanes_[i].cells = reinterpret_cast<ledger_cell*>(take(sizes_.cells_bytes));
    }
    // release: pairs with the acquire in lanes_in_use().
    used_lanes_.store(1, std::memory_order_release);
}

// --- the gate

bool ledger::is_gate_mine() noexcept { return holds_gate; }

bool ledger::wait_or_give_up(std::uint32_t seen, std::uint32_t wanted) noexcept {
    if ((seen & held) == 0) { return false; }
    if (holds_gate) { return wanted == deaths && (seen & deaths) != 0; }
    // acquire: pairs with the store in set_mode().
    while ((mode_.load(std::memory_order_acquire) & held) != 0) { std::this_thread::yield(); }
    return true;
}

// After this, operations that the mode forbids are over and no new ones begin: each stores `busy` and then loads the mode, we
// store the mode and then load `busy`, with a full fence between the two on either side. Theirs is the membarrier's.
void ledger::set_mode(std::uint32_t mode, const ledger_lane* own) noexcept {
    // seq_cst: pairs with the loads in enter() and enter_shared().
    mode_.store(mode, std::memory_order_seq_cst);
    if (!needs_fence_) { platform::fence_all_threads(); }
    wait_until_idle(own);
}

void ledger::wait_until_idle(const ledger_lane* own) noexcept {
    for (std::uint32_t i = 0; i < lanes_in_use(); ++i) {
        if (&lanes_[i] == own) { continue; }
        // seq_cst: pairs with the exchange in mark_busy(); as an acquire, with the release in leave().
        while (lanes_[i].busy.load(std::memory_order_seq_cst) != 0) { std::this_thread::yield(); }
    }
    // seq_cst: pairs with the addition in enter_shared(); as an acquire, with the release in leave_shared().
    while (shared_busy_.load(std::memory_order_seq_cst) != 0) { std::this_thread::yield(); }
}

template <class Work>
void ledger::behind_gate(const ledger_lane* own, Work work) noexcept {
    // relaxed: changes under control_ only, which is held.
    const std::uint32_t before = mode_.load(std::memory_order_relaxed);
    if (lanes_ == nullptr) { return; }
    holds_gate = true;
    set_mode(before | held, own);
    work();
    // release: pairs with the loads in enter(), enter_shared() and wait_or_give_up(): the work is visible.
    mode_.store(before, std::memory_order_release);
    holds_gate = false;
}

// Before anybody looks. Of a lane that stays in an operation (its thread may be the one that asks, from a handler in the middle
// of it) nothing is completed: it is not quiet.
void ledger::complete_all_pending() noexcept {
    constexpr std::uint64_t patience_ms = 100;
    // relaxed: changes under control_ only, which is held.
    const std::uint32_t before = mode_.load(std::memory_order_relaxed);
    if (before == 0) { return; }
    holds_gate = true;
    // seq_cst: pairs with the loads in enter() and enter_shared(), as in set_mode().
    mode_.store(before | held, std::memory_order_seq_cst);
    if (!needs_fence_) { platform::fence_all_threads(); }
    const std::uint64_t begin = platform::coarse_ms();
    for (std::uint32_t i = 1; i < lanes_in_use(); ++i) {
        ledger_lane& lane = lanes_[i];
        // seq_cst, both: pair with the exchange in mark_busy() and the release in leave(), as in wait_until_idle().
        while (lane.busy.load(std::memory_order_seq_cst) != 0 && platform::coarse_ms() - begin < patience_ms) {
            std::this_thread::yield();
        }
        // seq_cst: pairs with the exchange in mark_busy(), and the release in leave().
        if (lane.busy.load(std::memory_order_seq_cst) == 0) { complete_pending(lane); }
    }
    // release: pairs with the loads in enter(), enter_shared() and wait_or_give_up().
    mode_.store(before, std::memory_order_release);
    holds_gate = false;
}

std::uint32_t ledger::lanes_in_use() const noexcept {
    // acquire: pairs with the releases in divide() and lease_lane().
    return used_lanes_.load(std::memory_order_acquire);
}

// --- open and leave

bool ledger::open(const ledger_settings& settings) noexcept {
    const std::lock_guard guard(control_);
    if (lanes_ == nullptr) {
        if (sites_.capacity() >= ledger_records::most_sites) { return false; }
        sizes_ = ledger_sizes::for_budget(settings.budget_bytes, sites_.capacity(), stacks_.capacity());
        auto* const memory = static_cast<std::byte*>(platform::reserve_memory(sizes_.memory_bytes));
        if (memory == nullptr) { return false; }
        divide(memory);
        needs_fence_ = !platform::can_fence_all_threads();
    }
    // relaxed, all: set_mode() publishes them.
    clock_.store(settings.clock, std::memory_order_relaxed);
    origin_ms_.store(settings.origin_ns / 1'000'000, std::memory_order_relaxed);
    stack_depth_.store(settings.stack_depth, std::memory_order_relaxed);
    exact_until_ms_.store(0, std::memory_order_relaxed);
    epoch_ns_ = std::max<std::uint64_t>(settings.epoch_ns, 1);
    rolled_ms_ = now_ms();
    set_mode(births | deaths, nullptr);
    return true;
}

void ledger::drain() noexcept {
    const std::lock_guard guard(control_);
    // relaxed: changes under control_ only, which is held.
    if (lanes_ != nullptr && mode_.load(std::memory_order_relaxed) != 0) { set_mode(deaths, nullptr); }
}

void ledger::close() noexcept {
    const std::lock_guard guard(control_);
    // relaxed: as in drain().
    if (lanes_ == nullptr || mode_.load(std::memory_order_relaxed) == 0) { return; }
    set_mode(0, nullptr);
    for (std::uint32_t i = 1; i < lanes_in_use(); ++i) { complete_pending(lanes_[i]); }
    abandon_records();
    records_.clear();
    contexts_.clear();
    forget_lanes();
    unpin_all();
    exact_until_ms_.store(0, std::memory_order_relaxed);  // relaxed: a mark for reports
}

void ledger::abandon_records() noexcept {
    std::uint64_t count = 0;
    const std::uint32_t end = records_.carved();
    for (std::uint32_t index = ledger_records::first_index; index < end; ++index) {
        const seen_record seen = look_at(index);
        if (seen.word == 0) { continue; }
        site_mark& mark = marks_[ledger_records::site_of(seen.word)];
        mark.abandoned_bytes += seen.bytes;
        ++mark.abandoned;
        ++count;
    }
    if (count != 0) { losses_.count(drop_reason::ledger_abandoned, count); }
}

void ledger::forget_lanes() noexcept {
    for (std::uint32_t i = 0; i < lanes_in_use(); ++i) {
        ledger_lane& lane = lanes_[i];
        lane.free_head = 0;
        lane.free_count = 0;
        lane.spare_head = 0;
        lane.last_born = 0;
        for (ledger_lane::pending_death& each : lane.pending) { each = {}; }
        for (ledger_lane::known_trace& known : lane.traces) { known.number = 0; }
    }
}

void ledger::unpin_all() noexcept {
    for (std::uint32_t i = 0; i < thread_table::capacity; ++i) {
        const std::uint64_t bit = 1ULL << i % 64;
        // relaxed, both: as in pin().
        if ((pinned_[i / 64].load(std::memory_order_relaxed) & bit) == 0) { continue; }
        pinned_[i / 64].fetch_and(~bit, std::memory_order_relaxed);  // relaxed: as above
        pinned_count_.fetch_sub(1, std::memory_order_relaxed);       // relaxed: a hint
        threads_.let_go(static_cast<std::uint16_t>(i));
    }
    // Threads that have a lane hold their index on.
    const std::lock_guard guard(lanes_lock_);
    for (std::uint32_t i = 1; i < lanes_in_use(); ++i) {
        if (lanes_[i].is_leased) { pin(static_cast<std::uint16_t>(lanes_[i].thread)); }
    }
}

// --- chores

std::uint64_t ledger::tend() noexcept {
    const std::lock_guard guard(control_);
    // relaxed: changes under control_ only, which is held.
    if (lanes_ == nullptr || mode_.load(std::memory_order_relaxed) == 0) { return never; }
    const std::uint64_t now_ns = now_ms() * 1'000'000;
    if (now_ns / epoch_ns_ != rolled_ms_ * 1'000'000 / epoch_ns_) { roll_epochs(); }
    // relaxed: a hint.
    if (contexts_.is_crowded() || pinned_count_.load(std::memory_order_relaxed) > most_pinned) { sweep(); }
    if (memo_.is_full()) {
        behind_gate(nullptr, [&] { memo_.clear(); });
    }
    constexpr std::uint64_t most_ns = 500'000'000;
    constexpr std::uint64_t tick_ns = 10'000'000;  // the coarse clock is behind by at most one
    return std::min(most_ns, epoch_ns_ - now_ns % epoch_ns_ + tick_ns);
}

void ledger::forget_code() noexcept {
    if (holds_gate) {  // another handler of this fork unloads something
        has_code_gone_ = true;
        return;
    }
    const std::lock_guard guard(control_);
    behind_gate(nullptr, [&] { memo_.clear(); });
}

// Gives the births since the last time to their epochs, as if they had come at a constant rate.
void ledger::roll_epochs() noexcept {
    const std::uint64_t now = now_ms();
    const std::uint32_t sites = sites_.size();
    for (std::uint32_t site = 0; site < sites; ++site) {
        std::uint64_t bytes = 0;
        std::uint64_t objects = 0;
        for (std::uint32_t i = 0; i < lanes_in_use(); ++i) {
            const ledger_cell& cell = lanes_[i].cells[site];
            // relaxed, both: counters that go up only.
            bytes += cell.allocated_bytes.load(std::memory_order_relaxed);
            objects += cell.allocations.load(std::memory_order_relaxed);  // relaxed: as above
        }
        site_mark& mark = marks_[site];
        if (objects == mark.epoch_objects && bytes == mark.epoch_bytes) { continue; }
        share_births(site, static_cast<double>(bytes - mark.epoch_bytes), static_cast<double>(objects - mark.epoch_objects),
                     rolled_ms_, now);
        mark.epoch_bytes = bytes;
        mark.epoch_objects = objects;
    }
    rolled_ms_ = now;
}

void ledger::share_births(std::uint32_t site, double bytes, double objects, std::uint64_t from_ms,
                          std::uint64_t to_ms) noexcept {
    const std::uint64_t last = to_ms * 1'000'000 / epoch_ns_;
    const std::uint64_t first = from_ms < to_ms ? from_ms * 1'000'000 / epoch_ns_ : last;
    if (first == last) { return sites_.add_births(site, bytes, objects, last); }
    const double length_ms = static_cast<double>(to_ms - from_ms);
    const double epoch_ms = static_cast<double>(epoch_ns_) * 1e-6;
    double shared = 0;
    // What is older than a site's cohorts is merged there anyway.
    for (std::uint64_t epoch = std::max(first, last > site_state::cohort_count ? last - site_state::cohort_count : 0);
         epoch < last; ++epoch) {
        const double until = (static_cast<double>(epoch + 1) * epoch_ms - static_cast<double>(from_ms)) / length_ms;
        const double part = std::clamp(until, shared, 1.0) - shared;
        sites_.add_births(site, bytes * part, objects * part, epoch);
        shared += part;
    }
    sites_.add_births(site, bytes * (1 - shared), objects * (1 - shared), last);
}

// Trace numbers and ended threads that no record names any more. What lanes remember is marked behind the gate, so no operation
// is between choosing a number and writing it; records are looked at while threads go on: whatever number they write meanwhile
// was marked there, or is younger than the sweep.
void ledger::sweep() noexcept {
    behind_gate(nullptr, [&] {
        sweep_.begin(contexts_);
        for (std::uint32_t i = 0; i < lanes_in_use(); ++i) {
            for (const ledger_lane::known_trace& known : lanes_[i].traces) { sweep_.mark(known.number); }
        }
    });
    std::uint64_t gone[thread_table::capacity / 64]{};
    threads_.for_each([&](std::uint16_t index, std::uint32_t, const char*, bool is_alive) {
        // relaxed: as in pin().
        if (!is_alive) { gone[index / 64] |= pinned_[index / 64].load(std::memory_order_relaxed) & 1ULL << index % 64; }
    });
    const std::uint32_t end = records_.carved();
    for (std::uint32_t index = ledger_records::first_index; index < end; ++index) {
        const seen_record seen = look_at(index);
        if (seen.word == 0) { continue; }
        sweep_.mark(static_cast<std::uint16_t>(seen.context));
        const std::uint32_t thread = seen.context >> 20U;
        gone[thread / 64] &= ~(1ULL << thread % 64);
    }
    sweep_.end(contexts_);
    for (std::uint32_t i = 0; i < thread_table::capacity; ++i) {
        if ((gone[i / 64] >> i % 64 & 1U) == 0) { continue; }
        pinned_[i / 64].fetch_and(~(1ULL << i % 64), std::memory_order_relaxed);  // relaxed: as in pin()
        pinned_count_.fetch_sub(1, std::memory_order_relaxed);                    // relaxed: a hint
        threads_.let_go(static_cast<std::uint16_t>(i));
    }
}

// --- fork

void ledger::hold_for_fork(ledger_lane* own) noexcept {
    control_.lock();
    if (lanes_ == nullptr) { return; }
    holds_gate = true;
    // relaxed: changes under control_ only, which is held.
    set_mode(mode_.load(std::memory_order_relaxed) | held, own);
    // What the forking thread put off, it completes in either process: it may be in the middle of an operation.
    for (std::uint32_t i = 1; i < lanes_in_use(); ++i) {
        if (&lanes_[i] != own) { complete_pending(lanes_[i]); }
    }
}

void ledger::lock_for_fork() noexcept {
    lanes_lock_.lock();
    shared_lock_.lock();
    memo_.lock().lock();
    records_.lock().lock();
    contexts_.lock().lock();
}

void ledger::unlock_after_fork() noexcept {
    contexts_.lock().unlock();
    records_.lock().unlock();
    memo_.lock().unlock();
    shared_lock_.unlock();
    lanes_lock_.unlock();
}

void ledger::let_go_after_fork() noexcept {
    if (lanes_ != nullptr) {
        if (has_code_gone_) { memo_.clear(); }
        has_code_gone_ = false;
        // relaxed: changes under control_ only, which is held; release: pairs with the loads in enter().
        mode_.store(mode_.load(std::memory_order_relaxed) & ~held, std::memory_order_release);
        holds_gate = false;
    }
    control_.unlock();
}

void ledger::enter_child(ledger_lane* own) noexcept {
    if (lanes_ == nullptr) { return; }
    needs_fence_ = !platform::can_fence_all_threads();
    for (std::uint32_t i = 1; i < lanes_in_use(); ++i) {
        ledger_lane& lane = lanes_[i];
        if (&lane == own || !lane.is_leased) { continue; }
        records_.give_locked({lane.spare_head, lane.spare_head == 0 ? 0 : ledger_records::chain_length});
        records_.give_locked({lane.free_head, lane.free_count});
        lane.spare_head = 0;
        lane.free_head = 0;
        lane.free_count = 0;
        lane.is_leased = false;
    }
}

}  // namespace v1
}  // namespace memwatch
