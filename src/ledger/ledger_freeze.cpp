// SPDX-License-Identifier: Apache-2.0
// Ledger -> totals and live records, while threads go on. Frees are read first, then records, then allocations: a birth counts
// before its record appears, a death takes its record away before it counts, so freed + live <= allocated in every snapshot.
#include <algorithm>

#include "ledger/ledger.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::uint64_t exact_mark = 1ULL << 63U;  // apart from the numbers of the live table
constexpr unsigned index_bits = 27;

// What of a record is kept until it is in order: 24 bytes, for a snapshot may have millions.
struct collected {
    std::uint64_t sequence;
    std::uint64_t bytes;
    std::uint32_t site;
    std::uint32_t context;
};

}  // namespace

// All fields are read until two looks in a row agree. What mixes two blocks would need both to be recorded in this slot between
// two reads, at the same address by the same site, and the same again during the second look.
ledger::seen_record ledger::look_at(std::uint32_t index) noexcept {
    const ledger_slot& slot = records_.slot(index);
    const auto read = [&] {
        // acquire, all: pair with the releases in publish() and give_free().
        const std::uint64_t word = slot.word.load(std::memory_order_acquire);
        const std::uint64_t size = slot.size.load(std::memory_order_acquire);                   // acquire: as above
        const std::uint64_t time = slot.time.load(std::memory_order_acquire);                   // acquire: as above
        const std::uint32_t context = records_.context(index).load(std::memory_order_acquire);  // acquire: as above
        return seen_record{word, size, time | (context >> 16U & 15ULL) << 32U, context};
    };
    // acquire: as in read().
    if (slot.word.load(std::memory_order_acquire) == 0) { return {}; }
    seen_record seen = read();
    for (;;) {
        if (seen.word == 0) { return {}; }
        const seen_record again = read();
        const bool is_same = again.word == seen.word && again.bytes == seen.bytes && again.context == seen.context &&
                             again.time_ms == seen.time_ms;
        if (is_same) { break; }
        seen = again;
    }
    if (seen.bytes == ledger_records::large_size) { seen.bytes = records_.large_size_of(index); }
    return seen;
}

live_record ledger::as_live_record(const seen_record& seen) const noexcept {
    live_record record;
    record.size_bytes = seen.bytes;
    record.birth_ns = seen.time_ms * 1'000'000;
    record.site = ledger_records::site_of(seen.word);
    const trace_label& label = contexts_.at(static_cast<std::uint16_t>(seen.context));
    record.trace = label.trace;
    record.route = label.route;
    record.thread = seen.context >> 20U;
    return record;
}

void ledger::sum_frees(std::vector<exact_site_totals>& totals) const {
    for (std::uint32_t i = 0; i < lanes_in_use(); ++i) {
        for (std::size_t site = 0; site < totals.size(); ++site) {
            const ledger_cell& cell = lanes_[i].cells[site];
            exact_site_totals& sum = totals[site];
            // acquire, all: pair with the releases in death(): the records of these frees are gone.
            for (std::size_t bucket = 0; bucket < lifetime_bucket_count; ++bucket) {
                const std::uint64_t frees = cell.frees[bucket].load(std::memory_order_acquire);  // acquire: as above
                sum.lifetimes[bucket] += frees;
                sum.frees += frees;
            }
            sum.elsewhere_frees += cell.elsewhere_frees.load(std::memory_order_acquire);  // acquire: as above
            sum.elsewhere_bytes += cell.elsewhere_bytes.load(std::memory_order_acquire);  // acquire: as above
            sum.lifetime_ms += cell.lifetime_ms.load(std::memory_order_acquire);          // acquire: as above
            sum.freed_bytes += cell.freed_bytes.load(std::memory_order_acquire);          // acquire: as above
        }
    }
}

void ledger::sum_allocations(std::vector<exact_site_totals>& totals) const {
    for (std::uint32_t i = 0; i < lanes_in_use(); ++i) {
        for (std::size_t site = 0; site < totals.size(); ++site) {
            const ledger_cell& cell = lanes_[i].cells[site];
            // relaxed, both: ordered after the acquire loads of frees and records.
            totals[site].allocated_bytes += cell.allocated_bytes.load(std::memory_order_relaxed);
            totals[site].allocations += cell.allocations.load(std::memory_order_relaxed);  // relaxed: as above
        }
    }
    for (std::size_t site = 0; site < totals.size(); ++site) {
        totals[site].abandoned_bytes = marks_[site].abandoned_bytes;
        totals[site].abandoned = marks_[site].abandoned;
    }
}

// Blocks born before the cut. Whatever is born from now on gets a later time, so that a record that is reused within the
// clock's resolution is not taken for the block that was seen in it.
void ledger::collect(std::vector<live_record>& live) {
    // relaxed: written by freezes only, one at a time.
    const std::uint64_t cut = std::max(now_ms(), floor_ms_.load(std::memory_order_relaxed)) + 1;
    // seq_cst: with the fence on all threads, births that begin now see it.
    floor_ms_.store(cut, std::memory_order_seq_cst);
    if (!needs_fence_) { platform::fence_all_threads(); }

    const std::uint32_t end = records_.carved();
    std::vector<collected> found;
    found.reserve(end / 2);
    for (std::uint32_t index = ledger_records::first_index; index < end; ++index) {
        const seen_record seen = look_at(index);
        if (seen.word == 0 || seen.time_ms >= cut) { continue; }
        found.push_back(
            {exact_mark | seen.time_ms << index_bits | index, seen.bytes, ledger_records::site_of(seen.word), seen.context});
    }
    std::sort(found.begin(), found.end(), [](const collected& a, const collected& b) { return a.sequence < b.sequence; });
    live.reserve(live.size() + found.size());
    for (const collected& each : found) {
        live_record& record = live.emplace_back();
        record.sequence = each.sequence;
        record.size_bytes = each.bytes;
        record.birth_ns = (each.sequence & ~exact_mark) >> index_bits;
        record.birth_ns *= 1'000'000;
        record.interval_bytes = 0;
        record.site = each.site;
        const trace_label& label = contexts_.at(static_cast<std::uint16_t>(each.context));
        record.trace = label.trace;
        record.route = label.route;
        record.thread = each.context >> 20U;
    }
}

// Under control_, as end_totals(). The capacity lasts for the records of sites that come meanwhile.
void ledger::begin_totals(std::vector<exact_site_totals>& totals) {
    totals.assign(sites_.capacity() + 1, {});
    totals.resize(sites_.size());
    complete_all_pending();
    sum_frees(totals);
}

void ledger::end_totals(std::vector<exact_site_totals>& totals) {
    totals.resize(sites_.size());
    sum_allocations(totals);
    roll_epochs();
}

void ledger::freeze(std::vector<exact_site_totals>& totals, std::vector<live_record>* live) {
    const std::lock_guard guard(control_);
    if (lanes_ == nullptr) { return; }
    begin_totals(totals);
    if (live != nullptr) { collect(*live); }
    end_totals(totals);
}

std::uint64_t ledger::exact_until_ns() const noexcept {
    // relaxed: a mark for reports.
    const std::uint64_t mark = exact_until_ms_.load(std::memory_order_relaxed);
    return mark == 0 ? 0 : std::max<std::uint64_t>((mark - 1) * 1'000'000, 1);
}

void ledger::add_self_bytes(std::vector<named_value>& into) {
    const std::lock_guard guard(control_);
    if (lanes_ == nullptr) { return; }
    into.push_back({"ledger_records", records_.used_bytes()});
    into.push_back({"ledger_cells", lanes_in_use() * (sites_.size() * sizeof(ledger_cell) + sizeof(ledger_lane)) +
                                        sites_.size() * sizeof(site_mark)});
    into.push_back({"stack_memo", memo_.used_bytes() + (stacks_.capacity() + 1) * sizeof(std::uint32_t)});
    into.push_back({"trace_contexts", contexts_.used_bytes()});
}

}  // namespace v1
}  // namespace memwatch
