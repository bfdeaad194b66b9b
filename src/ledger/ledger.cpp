// SPDX-License-Identifier: Apache-2.0
// Births and deaths. What runs on the application's threads; the control lane is in ledger_control.cpp and ledger_freeze.cpp.
#include "ledger/ledger.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <thread>

// A piece of birth() or death(): one function each, or calls cost more than what they do.
#define MEMWATCH_HOT __attribute__((always_inline)) inline

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::uint64_t time_mask = (1ULL << 36U) - 1;  // 2.2 years of milliseconds
constexpr unsigned index_bits = 27;
static_assert(ledger_records::most_records == 1U << index_bits);

// This thread holds the shared lane's lock: a signal handler that allocates must not wait for it.
__attribute__((tls_model("initial-exec"))) __thread bool is_in_shared_lane = false;

// Bounds 1, 4, 16 ... ms (lifetime_bounds_ns), included.
std::size_t lifetime_bucket_ms(std::uint64_t lifetime_ms) noexcept {
    const auto bits = static_cast<std::size_t>(std::bit_width(lifetime_ms - (lifetime_ms != 0 ? 1 : 0)));
    const std::size_t bucket = (bits + 1) / 2;
    return bucket < lifetime_bucket_count ? bucket : lifetime_bucket_count - 1;
}
static_assert(lifetime_bounds_ns[0] == 1'000'000 && lifetime_bounds_ns[10] == 1'000'000ULL << 20U);

std::uint32_t pack_context(std::uint32_t thread, std::uint64_t time_ms, std::uint16_t number) noexcept {
    return thread << 20U | static_cast<std::uint32_t>(time_ms >> 32U & 15U) << 16U | number;
}

}  // namespace

MEMWATCH_HOT std::uint64_t ledger::birth_ms() const noexcept {
    // relaxed: collect() makes all threads pass a fence after it raised the floor.
    const std::uint64_t floor = floor_ms_.load(std::memory_order_relaxed);
    const std::uint64_t now = now_ms();
    return now > floor ? now : floor;
}

// --- free records

MEMWATCH_HOT std::uint32_t ledger::take_free(ledger_lane& lane) noexcept {
    const std::uint32_t index = lane.free_head;
    if (!records_.contains(index)) { return take_free_slow(lane); }
    const ledger_slot& slot = records_.slot(index);
    // relaxed, both: the record is this lane's. A link is believed only of a free record (ledger_records.hpp, "Corruption").
    if (slot.word.load(std::memory_order_relaxed) != 0) { return take_free_slow(lane); }
    lane.free_head = slot.size.load(std::memory_order_relaxed);  // relaxed: as above
    --lane.free_count;
    return index;
}

// The list ended, or does not make sense: then it is let go.
std::uint32_t ledger::take_free_slow(ledger_lane& lane) noexcept {
    for (;;) {
        ledger_records::chain next{lane.spare_head, ledger_records::chain_length};
        lane.spare_head = 0;
        if (next.head == 0) { next = records_.take(); }
        lane.free_head = 0;
        lane.free_count = 0;
        if (next.head == 0) {  // the budget is used up, but for what this thread gave back just now
            complete_pending(lane);
            next = {lane.free_head, lane.free_count};
        }
        if (!records_.contains(next.head)) { return 0; }
        const ledger_slot& slot = records_.slot(next.head);
        if (slot.word.load(std::memory_order_relaxed) != 0) { continue; }  // relaxed: as in take_free()
        lane.free_head = slot.size.load(std::memory_order_relaxed);        // relaxed: as in take_free()
        lane.free_count = next.count - 1;
        return next.head;
    }
}

MEMWATCH_HOT void ledger::give_free(ledger_lane& lane, std::uint32_t index) noexcept {
    if (__builtin_expect(lane.free_count == ledger_records::chain_length, 0)) { give_free_slow(lane); }
    // release: pairs with the acquire in look_at(): who sees the link sees that the record is free.
    records_.slot(index).size.store(lane.free_head, std::memory_order_release);
    lane.free_head = index;
    ++lane.free_count;
}

void ledger::give_free_slow(ledger_lane& lane) noexcept {
    records_.give({lane.spare_head, lane.spare_head == 0 ? 0 : ledger_records::chain_length});
    lane.spare_head = lane.free_head;
    lane.free_head = 0;
    lane.free_count = 0;
}

// --- what a record says

MEMWATCH_HOT std::uint16_t ledger::number_of(ledger_lane& lane, const trace_label& label) noexcept {
    if (!label.trace.is_valid() && label.route == 0) { return 0; }
    ledger_lane::known_trace& known = lane.traces[(label.trace.low ^ label.route) % ledger_lane::known_traces];
    if (known.number != 0 && known.label == label) { return known.number; }
    return number_of_slow(known, label);
}

std::uint16_t ledger::number_of_slow(ledger_lane::known_trace& known, const trace_label& label) noexcept {
    known.label = label;
    known.number = contexts_.add(label);
    if (known.number == 0) { losses_.count(drop_reason::trace_context_full); }
    return known.number;
}

// What goes into the record for `bytes`. False: more than 4 GiB, and no room to say so.
MEMWATCH_HOT bool ledger::fit_size(std::uint32_t index, std::size_t bytes, std::uint32_t& size) noexcept {
    const bool is_small = bytes < ledger_records::large_size;
    size = is_small ? static_cast<std::uint32_t>(bytes) : ledger_records::large_size;
    return __builtin_expect(is_small, 1) || records_.set_large_size(index, bytes);
}

MEMWATCH_HOT void ledger::publish(std::uint32_t index, const void* block, std::uint32_t size, std::uint32_t site,
                                  std::uint32_t thread, std::uint16_t number) noexcept {
    ledger_slot& slot = records_.slot(index);
    const std::uint64_t time_ms = birth_ms();
    // release, all: pair with the acquires in look_at(): who sees one of these no longer sees the record's earlier word.
    slot.size.store(size, std::memory_order_release);
    slot.time.store(static_cast<std::uint32_t>(time_ms), std::memory_order_release);                  // release: as above
    records_.context(index).store(pack_context(thread, time_ms, number), std::memory_order_release);  // release: as above
    // release: pairs with the acquire in look_at() and end_record(): the record is complete.
    slot.word.store(ledger_records::make_word(block, site), std::memory_order_release);
}

MEMWATCH_HOT bool ledger::end_record(std::uint32_t index, const void* block, std::uint64_t died_ms, ended& record) noexcept {
    ledger_slot& slot = records_.slot(index);
    // acquire: pairs with the release in publish().
    const std::uint64_t word = slot.word.load(std::memory_order_acquire);
    if (!ledger_records::names(word, block)) { return false; }
    // relaxed, all: the block is its owner's, and so is its record.
    record.bytes = slot.size.load(std::memory_order_relaxed);
    const std::uint32_t context = records_.context(index).load(std::memory_order_relaxed);  // relaxed: as above
    const std::uint64_t time_ms = slot.time.load(std::memory_order_relaxed) | (context >> 16U & 15ULL)
                                                                                  << 32U;  // relaxed: as above
    // relaxed: the frees counted from here on are stores with release.
    slot.word.store(0, std::memory_order_relaxed);
    record.lifetime_ms = died_ms > time_ms ? died_ms - time_ms : 0;
    record.site = ledger_records::site_of(word);
    record.thread = context >> 20U;
    if (__builtin_expect(record.bytes == ledger_records::large_size, 0)) {
        record.bytes = records_.large_size_of(index);
        records_.forget_large_size(index);
    }
    return true;
}

// --- sites

MEMWATCH_HOT std::uint32_t ledger::known_site(const ledger_lane& lane, const void* entry,
                                              std::uint64_t frame_pointer) const noexcept {
    const std::uint64_t above_begin = reinterpret_cast<std::uint64_t>(entry) - lane.stack_begin;
    if (above_begin >= lane.stack_bytes) { return no_site; }  // on a fiber's or a signal handler's stack
    return memo_.find({static_cast<const std::uint64_t*>(entry), frame_pointer, lane.stack_bytes - above_begin});
}

// What the DWARF unwinder says of the same stack: its frames from the caller at `entry` on. Does not know the caller: keeps
// what the rules found.
void ledger::unwind_from(platform::captured_stack& stack, const void* entry, std::uint32_t most) noexcept {
    std::uint64_t caller = 0;
    std::memcpy(&caller, entry, sizeof caller);
    platform::captured_stack whole;
    platform::unwind_dwarf(whole, platform::max_stack_depth);
    const std::uint64_t* const end = whole.frames + whole.depth;
    const std::uint64_t* const first = std::find<const std::uint64_t*>(whole.frames, end, caller);
    if (end - first <= static_cast<std::ptrdiff_t>(stack.depth)) { return; }
    stack.depth = static_cast<std::uint32_t>(std::min<std::ptrdiff_t>(end - first, most));
    std::copy_n(first, stack.depth, stack.frames);
    stack.is_truncated = whole.is_truncated || first + stack.depth != end;
}

// Outside of the gate: unwinding may wait for the loader.
std::uint32_t ledger::walk_to_site(ledger_lane* lane, const void* entry, std::uint64_t frame_pointer) noexcept {
    platform::captured_stack stack;
    // relaxed: a setting.
    const std::uint32_t most = stack_depth_.load(std::memory_order_relaxed);
    const auto end = platform::walk_by_rules(stack, nullptr, most, entry, frame_pointer, nullptr);
    const bool is_by_rules = end != platform::walk_end::no_rule;
    if (!is_by_rules) {
        losses_.count(degradation::unwinder_fallback);
        unwind_from(stack, entry, most);
    }
    if (stack.is_truncated) { losses_.count(degradation::stack_truncated); }
    bool is_new = false;
    const std::uint32_t site = site_of_stack(stacks_.intern(stack.frames, stack.depth, stack.is_truncated), is_new);
    if (lane != nullptr && is_by_rules && !is_new) {  // many a stack comes once: it need not be remembered
        remember(*lane, {static_cast<const std::uint64_t*>(entry), frame_pointer, 0}, stack, most, site);
    }
    return site;
}

std::uint32_t ledger::site_of_stack(std::uint32_t stack, bool& is_new) noexcept {
    std::atomic<std::uint32_t>& known = site_of_stack_[stack];
    // acquire: pairs with the release below: who sees the site also sees it counted in sites_.size().
    const std::uint32_t site = known.load(std::memory_order_acquire);
    is_new = site == 0;
    if (!is_new) { return site - 1; }
    const std::uint32_t fresh = sites_.intern(stack, {}, 0);
    known.store(fresh + 1, std::memory_order_release);  // release: pairs with the acquire above
    return fresh;
}

// Unless the memo has seen enough of its like, or one of its places is not on the thread's stack. Walks once more, for the
// places: most walks are of stacks that are not remembered.
void ledger::remember(ledger_lane& lane, stack_memo::place at, platform::captured_stack& stack, std::uint32_t most,
                      std::uint32_t site) noexcept {
    const std::uint64_t above_begin = reinterpret_cast<std::uint64_t>(at.entry) - lane.stack_begin;
    if (above_begin >= lane.stack_bytes || stack.depth == 0) { return; }
    at.distance = lane.stack_bytes - above_begin;
    if (!memo_.admits(at)) { return; }
    std::uint32_t slots[platform::max_stack_depth];
    std::uint32_t bases[platform::max_stack_depth];
    const std::uint32_t depth = stack.depth;
    const auto end = platform::walk_by_rules(stack, slots, most, at.entry, at.frame_pointer, bases);
    if (end == platform::walk_end::no_rule || stack.depth != depth) { return; }  // its code is being unloaded
    const auto is_inside = [&](std::uint32_t place) { return place % 8 == 0 && place + 8ULL <= at.distance; };
    for (std::uint32_t i = 0; i < stack.depth; ++i) {
        if (!is_inside(slots[i])) { return; }  // no_slot is odd
        if (i > 0 && bases[i] < stack_memo::in_register && !is_inside(bases[i])) { return; }
    }
    if (!enter(lane, births)) { return; }
    const bool is_kept = memo_.add(at, {stack.frames, slots, bases, stack.depth}, site);
    leave(lane);
    if (!is_kept) { losses_.count(degradation::stack_memo_full); }
}
static_assert(stack_memo::no_base == platform::no_slot && stack_memo::in_register == platform::in_register);

// --- the operations

std::uint32_t ledger::not_recorded(drop_reason reason) noexcept {
    losses_.count(reason);
    std::uint64_t exact = 0;
    // relaxed: a mark for reports, set once.
    exact_until_ms_.compare_exchange_strong(exact, now_ms() + 1, std::memory_order_relaxed);
    return 0;
}

std::uint32_t ledger::birth(ledger_lane* lane, std::uint16_t thread, const void* block, std::size_t bytes, const void* entry,
                            std::uint64_t frame_pointer, const trace_label& label) noexcept {
    if (__builtin_expect(lane == nullptr, 0)) {
        if (!takes_births()) { return 0; }
        return birth_shared(thread, block, bytes, walk_to_site(nullptr, entry, frame_pointer), label);
    }
    // relaxed: only this thread sets it; a signal handler that finds it set has interrupted an operation.
    if (__builtin_expect(lane->busy.load(std::memory_order_relaxed) != 0, 0)) {
        return not_recorded(drop_reason::ledger_reentered);
    }
    if (!enter(*lane, births)) { return 0; }
    std::uint32_t site = known_site(*lane, entry, frame_pointer);
    if (__builtin_expect(site == no_site, 0)) {
        leave(*lane);
        site = walk_to_site(lane, entry, frame_pointer);
        if (!enter(*lane, births)) { return 0; }
    }
    return record_and_leave(*lane, block, bytes, site, label);
}

std::uint32_t ledger::birth_at(ledger_lane* lane, std::uint16_t thread, const void* block, std::size_t bytes,
                               std::uint32_t site, const trace_label& label) noexcept {
    if (lane == nullptr) { return birth_shared(thread, block, bytes, site, label); }
    // relaxed: as in birth().
    if (lane->busy.load(std::memory_order_relaxed) != 0) { return not_recorded(drop_reason::ledger_reentered); }
    return enter(*lane, births) ? record_and_leave(*lane, block, bytes, site, label) : 0;
}

MEMWATCH_HOT std::uint32_t ledger::record_and_leave(ledger_lane& lane, const void* block, std::size_t bytes, std::uint32_t site,
                                                    const trace_label& label) noexcept {
    if (__builtin_expect(!ledger_records::is_recordable(block), 0)) {
        leave(lane);
        return 0;
    }
    const std::uint32_t index = take_free(lane);
    std::uint32_t size = 0;
    if (__builtin_expect(index == 0 || !fit_size(index, bytes, size), 0)) {
        if (index != 0) { give_free(lane, index); }
        leave(lane);
        return not_recorded(drop_reason::ledger_full);
    }
    ledger_cell& cell = lane.cells[site];
    // relaxed, both: published with the record; freeze() reads them after the records.
    count_owned(cell.allocated_bytes, bytes, std::memory_order_relaxed);
    count_owned(cell.allocations, 1, std::memory_order_relaxed);  // relaxed: as above
    publish(index, block, size, site, lane.thread, number_of(lane, label));
    lane.last_born = index;
    leave(lane);
    return index;
}

MEMWATCH_HOT bool ledger::complete(ledger_lane& lane, std::uint32_t index, const void* block, std::uint64_t died_ms) noexcept {
    ended record{};
    if (__builtin_expect(!end_record(index, block, died_ms, record), 0)) { return false; }
    ledger_cell& cell = lane.cells[record.site];
    // release, all: pair with the acquires in sum_frees(): who sees this free no longer sees the record.
    count_owned(cell.freed_bytes, record.bytes, std::memory_order_release);
    count_owned(cell.lifetime_ms, record.lifetime_ms, std::memory_order_release);  // release: as above
    if (record.thread != lane.thread && record.thread != 0 && lane.thread != 0) {
        count_owned(cell.elsewhere_bytes, record.bytes, std::memory_order_release);  // release: as above
        count_owned(cell.elsewhere_frees, 1, std::memory_order_release);             // release: as above
    }
    count_owned(cell.frees[lifetime_bucket_ms(record.lifetime_ms)], 1, std::memory_order_release);  // release: as above
    give_free(lane, index);
    return true;
}

MEMWATCH_HOT void ledger::complete(ledger_lane& lane, const ledger_lane::pending_death& death) noexcept {
    if (death.due == 0) { return; }
    complete(lane, static_cast<std::uint32_t>(death.due % ledger_records::most_records),
             reinterpret_cast<const void*>(death.block), death.due >> index_bits);
}

void ledger::complete_pending(ledger_lane& lane) noexcept {
    for (std::size_t i = 0; i < ledger_lane::most_pending; ++i) {
        ledger_lane::pending_death& next = lane.pending[(lane.next_pending + i) % ledger_lane::most_pending];
        const ledger_lane::pending_death death = next;
        next = {};
        complete(lane, death);
    }
}

void ledger::death(ledger_lane* lane, std::uint16_t thread, std::uint32_t index, const void* block) noexcept {
    // relaxed: as in birth(). A handler that interrupted its own thread's operation uses what all may use at once.
    if (__builtin_expect(lane == nullptr || lane->busy.load(std::memory_order_relaxed) != 0, 0)) {
        death_shared(thread, index, block);
        return;
    }
    if (!records_.contains(index) || !enter(*lane, deaths)) { return; }
    const std::uint64_t died_ms = now_ms() & time_mask;
    if (index == lane->last_born) {
        complete(*lane, index, block, died_ms);
    } else {
        __builtin_prefetch(&records_.slot(index), 1);
        __builtin_prefetch(&records_.context(index), 1);
        ledger_lane::pending_death& oldest = lane->pending[lane->next_pending % ledger_lane::most_pending];
        ++lane->next_pending;
        const ledger_lane::pending_death death = oldest;
        oldest = {reinterpret_cast<std::uint64_t>(block), died_ms << index_bits | index};
        complete(*lane, death);
    }
    leave(*lane);
}

bool ledger::death_now(ledger_lane* lane, std::uint16_t thread, std::uint32_t index, const void* block) noexcept {
    if (lane == nullptr) { return death_shared(thread, index, block); }
    if (!records_.contains(index) || !enter(*lane, deaths)) { return false; }
    const bool is_ended = complete(*lane, index, block, now_ms() & time_mask);
    leave(*lane);
    return is_ended;
}

// --- without a lane of one's own: counters by read-modify-write, free records under a lock

bool ledger::enter_shared(std::uint32_t wanted) noexcept {
    for (;;) {
        // seq_cst, both: pair with set_mode()'s store and look at the counter: one of us sees the other.
        shared_busy_.fetch_add(1, std::memory_order_seq_cst);
        const std::uint32_t seen = mode_.load(std::memory_order_seq_cst);  // seq_cst: as above
        if ((seen & (wanted | held)) == wanted) { return true; }
        if ((seen & held) != 0 && is_gate_mine() && wanted == deaths) { return true; }
        leave_shared();
        if (!wait_or_give_up(seen, wanted)) { return false; }
    }
}

std::uint32_t ledger::birth_shared(std::uint16_t thread, const void* block, std::size_t bytes, std::uint32_t site,
                                   const trace_label& label) noexcept {
    if (is_in_shared_lane) { return not_recorded(drop_reason::ledger_reentered); }
    if (!ledger_records::is_recordable(block) || !enter_shared(births)) { return 0; }
    losses_.count(degradation::shared_ledger_lane);
    pin(thread);
    is_in_shared_lane = true;
    shared_lock_.lock();
    std::uint32_t index = take_free(shared_lane());
    std::uint32_t size = 0;
    if (index != 0 && !fit_size(index, bytes, size)) {
        give_free(shared_lane(), index);
        index = 0;
    }
    const std::uint16_t number = number_of(shared_lane(), label);
    shared_lock_.unlock();
    is_in_shared_lane = false;
    if (index != 0) {
        ledger_cell& cell = shared_lane().cells[site];
        // relaxed, both: as in birth_at().
        cell.allocated_bytes.fetch_add(bytes, std::memory_order_relaxed);
        cell.allocations.fetch_add(1, std::memory_order_relaxed);  // relaxed: as above
        publish(index, block, size, site, thread, number);
    }
    leave_shared();
    return index != 0 ? index : not_recorded(drop_reason::ledger_full);
}

bool ledger::death_shared(std::uint16_t thread, std::uint32_t index, const void* block) noexcept {
    if (!enter_shared(deaths)) { return false; }
    ended record{};
    const bool is_ended = records_.contains(index) && end_record(index, block, now_ms() & time_mask, record);
    if (is_ended) {
        ledger_cell& cell = shared_lane().cells[record.site];
        // release, all: pair with the acquires in sum_frees(), as in death().
        cell.freed_bytes.fetch_add(record.bytes, std::memory_order_release);
        cell.lifetime_ms.fetch_add(record.lifetime_ms, std::memory_order_release);  // release: as above
        if (record.thread != thread && record.thread != 0 && thread != 0) {
            cell.elsewhere_bytes.fetch_add(record.bytes, std::memory_order_release);  // release: as above
            // release: pairs with the acquires in sum_frees().
            cell.elsewhere_frees.fetch_add(1, std::memory_order_release);  // release: as above
        }
        cell.frees[lifetime_bucket_ms(record.lifetime_ms)].fetch_add(1, std::memory_order_release);
        if (!is_in_shared_lane) {  // else the record stays unused until the ledger is closed
            is_in_shared_lane = true;
            shared_lock_.lock();
            give_free(shared_lane(), index);
            shared_lock_.unlock();
            is_in_shared_lane = false;
        }
    }
    leave_shared();
    return is_ended;
}

// The thread table must not give `thread` to another while our records name it.
void ledger::pin(std::uint16_t thread) noexcept {
    if (thread == 0) { return; }
    std::atomic<std::uint64_t>& bits = pinned_[thread / 64];
    const std::uint64_t bit = 1ULL << thread % 64;
    // relaxed, all: the thread is alive, and only threads that ended are looked at by who lets go.
    if ((bits.load(std::memory_order_relaxed) & bit) != 0) { return; }
    if ((bits.fetch_or(bit, std::memory_order_relaxed) & bit) != 0) { return; }  // relaxed: as above
    pinned_count_.fetch_add(1, std::memory_order_relaxed);                       // relaxed: as above
    threads_.hold(thread);
}

// --- lanes

ledger_lane* ledger::lease_lane(std::uint16_t thread, const platform::address_range& stack) noexcept {
    if (!takes_births()) { return nullptr; }
    const std::lock_guard guard(lanes_lock_);
    for (std::uint32_t i = 1; i < sizes_.lanes; ++i) {
        ledger_lane& lane = lanes_[i];
        if (lane.is_leased) { continue; }
        lane.is_leased = true;
        lane.thread = thread;
        lane.stack_begin = stack.begin;
        lane.stack_bytes = stack.end - stack.begin;
        // relaxed: changes under the lock only.
        if (i >= used_lanes_.load(std::memory_order_relaxed)) {
            // release: pairs with the acquire in lanes_in_use().
            used_lanes_.store(i + 1, std::memory_order_release);
        }
        pin(thread);
        return &lane;
    }
    return nullptr;
}

void ledger::release_lane(ledger_lane& lane) noexcept {
    if (enter(lane, deaths)) {  // else the ledger is closed and the lists are empty
        complete_pending(lane);
        records_.give({lane.spare_head, lane.spare_head == 0 ? 0 : ledger_records::chain_length});
        records_.give({lane.free_head, lane.free_count});
        lane.spare_head = 0;
        lane.free_head = 0;
        lane.free_count = 0;
        leave(lane);
    }
    const std::lock_guard guard(lanes_lock_);
    lane.is_leased = false;
}

}  // namespace v1
}  // namespace memwatch
