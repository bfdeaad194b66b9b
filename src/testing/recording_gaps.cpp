// SPDX-License-Identifier: Apache-2.0
#include "testing/recording_gaps.hpp"

#include "capture/capture_state.hpp"
#include "capture/own_work.hpp"
#include "capture/thread_copies.hpp"

namespace memwatch {
inline namespace v1 {
namespace testing {

recording_gaps recording_gaps::now() noexcept {
    const loss_counters& losses = process_capture().losses;
    recording_gaps gaps;
    for (const drop_reason each : {drop_reason::live_table_full, drop_reason::duplicate_block, drop_reason::thread_table_full,
                                   drop_reason::edge_waste_full, drop_reason::no_memory, drop_reason::sample_abandoned}) {
        gaps.of_records += losses.of(each);
    }
    for (const degradation each : {degradation::interval_raised, degradation::shared_thread_row,
                                   degradation::edge_interval_raised, degradation::load_interval_raised}) {
        gaps.of_records += losses.of(each);
    }
    for (const drop_reason each :
         {drop_reason::ledger_full, drop_reason::ledger_abandoned, drop_reason::ledger_reentered, drop_reason::no_memory}) {
        gaps.of_heap_doors += losses.of(each);
    }
    gaps.ignore_scopes = v1::detail::own_work::times_ignored();
    return gaps;
}

own_allocations own_allocations::now() {
    own_allocations all;
    if (!v1::detail::lease_row_for_this_thread()) { return all; }
    const thread_row& row = *v1::detail::home_block().row;
    all.row_ = &row;
    all.by_tag_.resize(process_capture().tags.size());
    for (std::size_t id = 0; id < all.by_tag_.size(); ++id) {
        // relaxed, both: written by this thread alone.
        all.by_tag_[id] = {row.cells[id].allocations.load(std::memory_order_relaxed),
                           row.cells[id].allocated_bytes.load(std::memory_order_relaxed)};
    }
    return all;
}

block_count own_allocations::since(const own_allocations& earlier, std::size_t tag) const noexcept {
    const block_count after = tag < by_tag_.size() ? by_tag_[tag] : block_count{};
    // A tag that is younger: nothing was counted under it.
    const block_count before = tag < earlier.by_tag_.size() ? earlier.by_tag_[tag] : block_count{};
    return {after.objects - before.objects, after.bytes - before.bytes};
}

}  // namespace testing
}  // namespace v1
}  // namespace memwatch
