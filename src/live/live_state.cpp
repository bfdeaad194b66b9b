// SPDX-License-Identifier: Apache-2.0
#include "live/live_state.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/hash.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::uint64_t small_budget_bytes = 4U << 20U;

// Hands out consecutive parts of one block of memory.
class divider {
public:
    explicit divider(void* memory) noexcept : next_(static_cast<std::byte*>(memory)) {}
    void* take(std::size_t bytes) noexcept {
        std::byte* const part = next_;
        next_ += (bytes + 63) / 64 * 64;
        return part;
    }

private:
    std::byte* next_;
};

std::size_t power_of_two_below(std::size_t value) noexcept {
    std::size_t power = 1;
    while (power * 2 <= value) { power *= 2; }
    return power;
}

}  // namespace

live_sizes live_sizes::for_budget(std::uint64_t budget_bytes) noexcept {
    live_sizes sizes{};
    // A small container has few samples, and page edges need the room more.
    const std::size_t table_bytes = budget_bytes <= small_budget_bytes ? budget_bytes / 4 : budget_bytes / 2;
    const std::size_t entries = table_bytes / sizeof(live_entry) / live_table::shard_count;
    sizes.entries_per_shard = std::max<std::size_t>(16, power_of_two_below(entries));
    sizes.sites = std::max<std::size_t>(256, budget_bytes / 4 / sizeof(site_state));
    sizes.stacks = sizes.sites;
    sizes.frame_bytes = std::max<std::size_t>(64 * 1024, budget_bytes / 8);
    return sizes;
}

std::size_t live_sizes::memory_bytes() const noexcept {
    constexpr std::size_t rounding = 4 * 64;  // divider
    return live_table::memory_bytes(entries_per_shard) + stack_table::memory_bytes(stacks, frame_bytes) +
           site_table::memory_bytes(sites) + thread_table::memory_bytes() + rounding;
}

namespace {

struct parts {
    void* live;
    void* stacks;
    void* sites;
    void* threads;
};

parts divide(void* memory, const live_sizes& sizes) noexcept {
    divider next(memory);
    parts p{};
    p.live = next.take(live_table::memory_bytes(sizes.entries_per_shard));
    p.stacks = next.take(stack_table::memory_bytes(sizes.stacks, sizes.frame_bytes));
    p.sites = next.take(site_table::memory_bytes(sizes.sites));
    p.threads = next.take(thread_table::memory_bytes());
    return p;
}

}  // namespace

live_state::live_state(void* memory, const live_sizes& sizes, loss_counters& losses) noexcept
    : losses_(losses),
      live_(divide(memory, sizes).live, sizes.entries_per_shard),
      stacks_(divide(memory, sizes).stacks, sizes.stacks, sizes.frame_bytes, losses),
      sites_(divide(memory, sizes).sites, sizes.sites, losses),
      threads_(divide(memory, sizes).threads, losses),
      exact_(stacks_, sites_, threads_, losses) {}

void live_state::set_timeline(std::uint64_t origin_ns, std::uint64_t epoch_ns) noexcept {
    // relaxed: settings; sampling is switched on after them by a release store (runtime's start()).
    origin_ns_.store(origin_ns, std::memory_order_relaxed);
    epoch_ns_.store(std::max<std::uint64_t>(epoch_ns, 1), std::memory_order_relaxed);
}

void live_state::configure(std::uint64_t base_interval, interval_listener listener) noexcept {
    // relaxed: as in set_timeline().
    listener_.store(listener, std::memory_order_relaxed);
    live_.set_base_interval(base_interval);
}

std::uint64_t live_state::since_origin(std::uint64_t time_ns) const noexcept {
    const std::uint64_t origin = origin_ns();
    return time_ns > origin ? time_ns - origin : 0;
}

// Carries each change of the live table on to sites and threads, while the shard is locked.
class live_observer {
public:
    live_observer(live_state& state, std::uint16_t thread, std::uint64_t time_ns) noexcept
        : state_(state), thread_(thread), time_ns_(time_ns) {}

    void born(const live_entry& e) noexcept {
        state_.threads_.hold(e.thread);
        state_.sites_.count_birth(e.site, e.size_bytes, e.interval_bytes, state_.epoch_at(e.birth_ns), e.trace, e.birth_ns);
        tell(e, lifecycle_kind::birth);
    }
    void died(const live_entry& e) noexcept {
        tell(e, lifecycle_kind::death);
        state_.lifetime_examples_.keep(forget(e), e.trace, lifetime_of(e), time_ns_);
    }
    void displaced(const live_entry& e) noexcept {
        tell(e, lifecycle_kind::displaced);
        forget(e);
    }
    void reweighed(const live_entry& e, std::uint64_t before, std::uint64_t after, bool is_kept) noexcept {
        state_.sites_.reweigh(e.site, e.size_bytes, before, after, is_kept);
        if (!is_kept) { state_.threads_.let_go(e.thread); }
    }
    void interval_changed(std::uint64_t before, std::uint64_t after) noexcept {
        state_.losses_.count(after > before ? degradation::interval_raised : degradation::interval_lowered);
        // relaxed: a setting.
        const live_state::interval_listener listener = state_.listener_.load(std::memory_order_relaxed);
        if (listener != nullptr) { listener(state_.live_.interval_floor()); }
    }

private:
    [[nodiscard]] std::uint64_t lifetime_of(const live_entry& e) const noexcept {
        return time_ns_ > e.birth_ns ? time_ns_ - e.birth_ns : 0;
    }

    // Returns the tag.
    std::uint16_t forget(const live_entry& e) noexcept {
        const bool is_other_thread = e.thread != thread_ && e.thread != 0 && thread_ != 0;
        const std::uint16_t tag =
            state_.sites_.count_death(e.site, e.size_bytes, e.interval_bytes, lifetime_of(e), is_other_thread);
        state_.threads_.let_go(e.thread);
        return tag;
    }

    void tell(const live_entry& e, lifecycle_kind kind) noexcept {
        lifecycle* const telemetry = state_.telemetry();
        if (telemetry == nullptr) { return; }
        lifecycle_event event{};
        event.size_bytes = e.size_bytes;
        event.interval_bytes = e.interval_bytes;
        event.birth_ns = e.birth_ns;
        event.time_ns = kind == lifecycle_kind::birth ? e.birth_ns : time_ns_;
        event.site = e.site;
        event.trace_hash = e.trace.is_valid() ? static_cast<std::uint32_t>(mix_bits(e.trace.high ^ e.trace.low)) | 1U : 0;
        event.from_thread = state_.threads_.tid(e.thread);
        event.to_thread = kind == lifecycle_kind::birth ? 0 : state_.threads_.tid(thread_);
        event.kind = kind;
        telemetry->push(event);
    }

    live_state& state_;
    std::uint16_t thread_;
    std::uint64_t time_ns_;
};

void live_state::set_lifecycle(lifecycle* telemetry) noexcept {
    // relaxed: a setting, made before sampling begins.
    lifecycle_.store(telemetry, std::memory_order_relaxed);
}

std::uint64_t live_state::lifecycle_turn(std::uint64_t now_ns) {
    lifecycle* const told = telemetry();
    return told == nullptr ? lifecycle::never : told->turn(epochs(), epoch_at(now_ns));
}

std::size_t live_state::waiting_lifecycle_events() const noexcept {
    const lifecycle* const told = telemetry();
    return told == nullptr ? 0 : told->waiting();
}

void live_state::insert(const record& r, std::uint64_t& random_state) noexcept {
    live_entry entry{};
    entry.key = r.key;
    entry.size_bytes = r.size_bytes;
    // relaxed: hands out distinct numbers; their order is that of the additions.
    entry.sequence = next_sequence_.fetch_add(1, std::memory_order_relaxed);
    entry.birth_ns = r.time_ns;
    entry.interval_bytes = r.interval_bytes;
    entry.trace = r.trace;
    entry.site = sites_.intern(stacks_.intern(r.frames, r.depth, r.is_truncated), r.type, r.tag);
    entry.route = r.route;
    entry.thread = r.thread;
    live_observer observer(*this, r.thread, r.time_ns);
    switch (live_.insert(entry, random_state, observer)) {
        case live_table::outcome::kept:
        case live_table::outcome::thinned_out:
            return;  // thinned out: its weight went to the blocks that stay
        case live_table::outcome::displaced_duplicate:
            losses_.count(drop_reason::duplicate_block);
            return;
        case live_table::outcome::full:
            losses_.count(drop_reason::live_table_full);
            return;
    }
}

bool live_state::remove(block_key key, std::uint16_t thread, std::uint64_t time_ns) noexcept {
    live_observer observer(*this, thread, time_ns);
    return live_.remove(key, observer);
}

// Takes an entry out without counting it.
class silent_observer {
public:
    explicit silent_observer(live_observer& thinning) noexcept : thinning_(thinning) {}
    void born(const live_entry&) noexcept {}
    void died(const live_entry& e) noexcept { taken = e; }
    void displaced(const live_entry& e) noexcept { thinning_.displaced(e); }
    void reweighed(const live_entry& e, std::uint64_t before, std::uint64_t after, bool is_kept) noexcept {
        thinning_.reweighed(e, before, after, is_kept);
    }
    void interval_changed(std::uint64_t before, std::uint64_t after) noexcept { thinning_.interval_changed(before, after); }

    live_entry taken{};

private:
    live_observer& thinning_;
};

bool live_state::hold(block_key key, held_block& held) noexcept {
    live_observer counting(*this, 0, 0);
    silent_observer observer(counting);
    if (!live_.remove(key, observer)) { return false; }
    static_assert(sizeof held.bytes == sizeof(live_entry));
    std::memcpy(held.bytes, &observer.taken, sizeof held.bytes);
    return true;
}

void live_state::settle(const held_block& held, std::uint16_t thread, std::uint64_t time_ns) noexcept {
    live_entry entry;
    std::memcpy(&entry, held.bytes, sizeof entry);
    live_observer(*this, thread, time_ns).died(entry);
}

void live_state::abandon(const held_block& held) noexcept {
    live_entry entry;
    std::memcpy(&entry, held.bytes, sizeof entry);
    live_observer(*this, 0, 0).displaced(entry);
    losses_.count(drop_reason::sample_abandoned);
}

void live_state::restore(const held_block& held, std::uint64_t& random_state) noexcept {
    live_entry entry;
    std::memcpy(&entry, held.bytes, sizeof entry);
    live_observer counting(*this, entry.thread, entry.birth_ns);
    silent_observer observer(counting);
    const live_table::outcome outcome = live_.insert(entry, random_state, observer);
    if (outcome == live_table::outcome::thinned_out || outcome == live_table::outcome::full) { counting.died(entry); }
}

void live_state::add_self_bytes(std::vector<named_value>& into) {
    // The live table's pages are touched at random, so it counts whole once it is in use.
    into.push_back({"live_table", live_.size() == 0 ? 0 : live_.capacity() * sizeof(live_entry)});
    into.push_back({"sites", sites_.self_bytes()});
    into.push_back({"stacks", stacks_.self_bytes()});
    into.push_back({"threads", threads_.self_bytes()});
    into.push_back({"lifetime_examples", lifetime_examples_.self_bytes()});
    into.push_back({"modules", modules_.self_bytes()});
    exact_.add_self_bytes(into);
    if (const lifecycle* const told = telemetry(); told != nullptr) { into.push_back({"telemetry", told->self_bytes()}); }
}

void live_state::lock_telemetry_for_fork() noexcept {
    if (lifecycle* const told = telemetry(); told != nullptr) { told->lock_for_fork(); }
}

void live_state::unlock_telemetry_after_fork() noexcept {
    if (lifecycle* const told = telemetry(); told != nullptr) { told->unlock_after_fork(); }
}

void live_state::lock_for_fork() noexcept {
    threads_.lock().lock();
    exact_.lock_for_fork();
    live_.lock_for_fork();
    lifetime_examples_.lock().lock();
    sites_.lock_for_fork();
    stacks_.lock().lock();
}

void live_state::unlock_after_fork() noexcept {
    stacks_.lock().unlock();
    sites_.unlock_after_fork();
    lifetime_examples_.lock().unlock();
    live_.unlock_after_fork();
    exact_.unlock_after_fork();
    threads_.lock().unlock();
}

void live_state::enter_child(std::uint16_t survivor, std::uint32_t tid, ledger_lane* lane) noexcept {
    threads_.keep_only(survivor, tid);
    exact_.enter_child(lane);
    modules_.enter_child();
    if (lifecycle* const told = telemetry(); told != nullptr) { told->enter_child(); }
}

}  // namespace v1
}  // namespace memwatch
