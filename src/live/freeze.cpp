// SPDX-License-Identifier: Apache-2.0
// Live -> snapshot. Control lane: allocates ordinary memory, on the thread that asked.
#include <algorithm>
#include <map>
#include <unordered_map>

#include "live/live_state.hpp"
#include "platform/platform.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

// Turns interned stacks of absolute addresses into stacks of module-relative frames, each frame once.
class frame_resolver {
public:
    explicit frame_resolver(snapshot& into) : into_(into) {
        for (std::uint32_t i = 0; i < into.modules.size(); ++i) { by_start_[into.modules[i].start] = i; }
    }

    // A stack for `interned`, made on first use.
    std::uint32_t stack_for(std::uint32_t id, const interned_stack& interned) {
        const auto [known, is_new] = stacks_.try_emplace(id, static_cast<std::uint32_t>(into_.stacks.size()));
        if (!is_new) { return known->second; }
        stack fresh;
        fresh.is_truncated = interned.is_truncated;
        fresh.frames.reserve(interned.depth);
        for (std::uint32_t i = 0; i < interned.depth; ++i) { fresh.frames.push_back(frame_for(interned.frames[i])); }
        into_.stacks.push_back(std::move(fresh));
        return known->second;
    }

private:
    std::uint32_t frame_for(std::uint64_t address) {
        const auto [known, is_new] = frames_.try_emplace(address, static_cast<std::uint32_t>(into_.frames.size()));
        if (is_new) { into_.frames.push_back(locate(address)); }
        return known->second;
    }

    [[nodiscard]] frame locate(std::uint64_t address) const {
        frame located;
        located.offset = address;
        auto after = by_start_.upper_bound(address);
        if (after == by_start_.begin()) { return located; }
        const std::uint32_t index = std::prev(after)->second;
        const module& m = into_.modules[index];
        if (address > m.limit) { return located; }  // == limit: a call that was the segment's last instruction
        located.module = index;
        located.offset = address - m.start + m.file_offset;
        return located;
    }

    snapshot& into_;
    std::map<std::uint64_t, std::uint32_t> by_start_;
    std::unordered_map<std::uint64_t, std::uint32_t> frames_;
    std::unordered_map<std::uint32_t, std::uint32_t> stacks_;
};

// Exact totals: each block stands for itself.
sampled_totals exactly(std::uint64_t bytes, std::uint64_t objects) {
    return {static_cast<double>(bytes), static_cast<double>(objects), 0, 0, objects};
}

// The operations in flight may stand in one of two counters: a difference never goes below zero.
std::uint64_t less(std::uint64_t from, std::uint64_t what) { return from > what ? from - what : 0; }

void add_exact(site& s, const exact_site_totals& exact) {
    const std::uint64_t gone = exact.frees + exact.abandoned;
    const std::uint64_t gone_bytes = exact.freed_bytes + exact.abandoned_bytes;
    const std::uint64_t live = less(exact.allocations, gone);
    if (live != 0) { s.live.add(exactly(less(exact.allocated_bytes, gone_bytes), live)); }
    s.allocated.add(exactly(exact.allocated_bytes, exact.allocations));
    s.freed.add(exactly(exact.freed_bytes, exact.frees));
    s.freed_by_other_thread.add(exactly(exact.elsewhere_bytes, exact.elsewhere_frees));
    for (std::size_t i = 0; i < lifetime_bucket_count; ++i) {
        s.lifetimes.objects[i] += static_cast<double>(exact.lifetimes[i]);
    }
    s.lifetimes.sum_seconds += static_cast<double>(exact.lifetime_ms) * 1e-3;
}

std::vector<cohort> cohorts_of(const site_state& state) {
    std::vector<cohort> cohorts(state.cohorts_used);
    for (std::size_t i = 0; i < cohorts.size(); ++i) {
        cohorts[i] = {state.cohort_epochs[i], state.born_bytes[i], state.born_objects[i], i == 0 && state.is_oldest_merged};
    }
    return cohorts;
}

// Of the traces that blocks were seen of, the youngest block of each of the youngest. Allocates nothing.
class youngest_blocks {
public:
    void see(const live_entry& e) noexcept {
        if (!e.trace.is_valid()) { return; }
        if (used_ == most && e.birth_ns <= oldest().birth_ns) { return; }
        live_entry* const same = std::find_if(kept_, kept_ + used_, [&](const live_entry& k) { return k.trace == e.trace; });
        if (same != kept_ + used_) {
            if (same->birth_ns < e.birth_ns) { *same = e; }
        } else if (used_ < most) {
            kept_[used_++] = e;
        } else {
            oldest() = e;
        }
    }
    [[nodiscard]] const live_entry* begin() const noexcept { return kept_; }
    [[nodiscard]] const live_entry* end() const noexcept { return kept_ + used_; }

private:
    static constexpr std::size_t most = live_state::most_requests;
    [[nodiscard]] live_entry& oldest() noexcept {
        return *std::min_element(kept_, kept_ + used_,
                                 [](const live_entry& a, const live_entry& b) { return a.birth_ns < b.birth_ns; });
    }

    live_entry kept_[most]{};
    std::size_t used_{};
};

// A block may have died before its site was read, which then counts one less.
void keep_counted_records(snapshot& into) {
    std::vector<std::uint64_t> records(into.sites.size());
    into.live.erase(std::remove_if(into.live.begin(), into.live.end(),
                                   [&](const live_record& r) { return ++records[r.site] > into.sites[r.site].live.samples; }),
                    into.live.end());
}

}  // namespace

std::uint32_t live_state::freeze(snapshot& into, detail how) {
    for (platform::loaded_module& m : modules_.look()) {
        into.modules.push_back({std::move(m.path), std::move(m.build_id), m.start, m.limit, m.file_offset});
    }
    if (how == detail::records) { freeze_records(into); }
    if (how == detail::requests) { freeze_requests(into); }
    std::vector<exact_site_totals> exact;
    exact_.freeze(exact, how == detail::records ? &into.live : nullptr);
    into.info.exact_until_ns = exact_.exact_until_ns();
    into.info.taken_ns = std::max(into.info.taken_ns, into.info.exact_until_ns);  // the mark may be younger
    // After the records: every record's site is among them.
    const std::uint32_t first_site = freeze_sites(into, exact, how);
    freeze_threads(into, how);  // likewise
    freeze_lifecycle(into, first_site);
    if (how == detail::requests) { keep_counted_records(into); }
    if (how == detail::summary) {
        into.lifetime_examples = lifetime_examples_.copy();
        for (lifetime_example& each : into.lifetime_examples) { each.died_ns = since_origin(each.died_ns); }
    }
    if (how != detail::records) { return first_site; }
    for (site& s : into.sites) { s.live = {}; }
    for (const live_record& r : into.live) { into.sites[r.site].live.add(r.size_bytes, r.interval_bytes); }
    return first_site;
}

live_record live_state::as_live_record(const live_entry& e) const noexcept {
    return {0, e.size_bytes, since_origin(e.birth_ns), e.interval_bytes, e.trace, e.site, e.route, e.thread};
}

site live_state::totals_of(const site_state& state, const exact_site_totals* exact) const {
    site totals;
    totals.tag = state.key.tag;
    totals.live = state.live;
    totals.allocated = state.allocated;
    totals.freed = state.freed;
    totals.freed_by_other_thread = state.freed_by_other_thread;
    totals.lifetimes = state.lifetimes;
    if (exact != nullptr) { add_exact(totals, *exact); }
    return totals;
}

void live_state::freeze_records(snapshot& into) {
    const auto make_room = [&](std::size_t most) {
        const std::size_t needed = into.live.size() + most;
        if (needed > into.live.capacity()) { into.live.reserve(std::max(needed, 2 * into.live.capacity())); }
    };
    into.live.reserve(live_.size() + live_.size() / 8);
    live_.for_each(make_room, [&](const live_entry& e) {
        into.live.push_back(as_live_record(e));
        into.live.back().sequence = e.sequence;
    });
    std::sort(into.live.begin(), into.live.end(),
              [](const live_record& a, const live_record& b) { return a.sequence < b.sequence; });
}

void live_state::freeze_requests(snapshot& into) {
    youngest_blocks youngest;
    live_.for_each([](std::size_t) {}, [&](const live_entry& e) { youngest.see(e); });
    for (const live_entry& e : youngest) {
        into.live.push_back(as_live_record(e));
        into.live.back().sequence = e.sequence;
    }
    std::sort(into.live.begin(), into.live.end(),
              [](const live_record& a, const live_record& b) { return a.sequence < b.sequence; });
}

// Returns the id of the site in row 0.
std::uint32_t live_state::freeze_sites(snapshot& into, const std::vector<exact_site_totals>& exact, detail how) {
    frame_resolver resolver(into);
    const std::uint32_t count = sites_.size();
    // The overflow site is left out until it was needed; no record can name it then.
    const bool has_overflow = sites_.copy(site_table::overflow).allocated.samples > 0 ||
                              (!exact.empty() && exact[site_table::overflow].allocations > 0);
    const std::uint32_t first = has_overflow ? site_table::overflow : site_table::overflow + 1;
    into.sites.resize(count - first);
    for (live_record& r : into.live) { r.site -= first; }
    for (std::uint32_t id = first; id < count; ++id) {
        const site_state state = sites_.copy(id);
        site& s = into.sites[id - first];
        s.stack = resolver.stack_for(state.key.stack, stacks_.at(state.key.stack));
        s.tag = state.key.tag;
        s.type = sites_.type_name(state.key.type);
        s.live = state.live;
        s.allocated = state.allocated;
        s.freed = state.freed;
        s.freed_by_other_thread = state.freed_by_other_thread;
        s.cohorts = cohorts_of(state);
        s.lifetimes = state.lifetimes;
        if (id < exact.size()) { add_exact(s, exact[id]); }
        if (how != detail::records && state.example_trace.is_valid()) {
            into.examples.push_back(
                {id - first, state.example_trace, state.example_size_bytes, since_origin(state.example_birth_ns)});
        }
    }
    return first;
}

void live_state::freeze_threads(snapshot& into, detail how) {
    into.threads.reserve(thread_table::capacity);  // for_each holds a lock: no allocation of the table under it
    threads_.for_each([&](std::uint16_t index, std::uint32_t tid, const char* name, bool is_alive) {
        into.threads.push_back({index == 0 ? "other" : name, tid, is_alive});
    });
    if (how != detail::records) { return; }     // names as they were at the thread's first sample, or at its end
    for (thread_info& thread : into.threads) {  // a thread may have been named after it
        if (!thread.is_alive || thread.tid == 0) { continue; }
        std::string current = platform::name_of_thread(static_cast<std::uint32_t>(thread.tid));
        if (!current.empty()) { thread.name = std::move(current); }
    }
}

// The ring is emptied first, so that a snapshot needs no consumer to have run.
void live_state::freeze_lifecycle(snapshot& into, std::uint32_t first_site) {
    lifecycle* const told = telemetry();
    if (told == nullptr) { return; }
    told->drain_and_read(epochs(), into.info.taken_ns / epoch_ns(), [&](const lifecycle_totals& totals) {
        into.survivals = totals.survivals();
        into.hand_offs = totals.hand_offs();
        totals.add_activity(into.activity);
    });
    // Site ids become rows; an event may name a site that was interned after those were copied.
    const auto is_unknown = [&](const survival& s) { return s.site < first_site || s.site - first_site >= into.sites.size(); };
    into.survivals.erase(std::remove_if(into.survivals.begin(), into.survivals.end(), is_unknown), into.survivals.end());
    for (survival& s : into.survivals) { s.site -= first_site; }
    std::unordered_map<std::uint64_t, std::string> names;
    for (const thread_info& thread : into.threads) {
        if (thread.is_alive) { names[thread.tid] = thread.name; }
    }
    const auto rename = [&](std::uint64_t tid, std::string& name) {
        if (const auto known = names.find(tid); tid != 0 && known != names.end()) { name = known->second; }
    };
    for (hand_off& pair : into.hand_offs) {
        rename(pair.from_tid, pair.from);
        rename(pair.to_tid, pair.to);
    }
}

}  // namespace v1
}  // namespace memwatch
