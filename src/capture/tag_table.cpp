// SPDX-License-Identifier: Apache-2.0
#include "capture/tag_table.hpp"

#include <algorithm>
#include <mutex>

#include <memwatch/base/log.hpp>

#include "capture/capture_state.hpp"
#include "platform/platform.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::size_t name_text_bytes = max_tags * tag_table::max_name_bytes;  // touched as names come

std::size_t names_memory() { return string_table::memory_bytes(max_tags - 1, name_text_bytes); }

}  // namespace

tag_table::tag_table(loss_counters& losses) noexcept
    : losses_(losses),
      names_(platform::reserve_memory(names_memory()), max_tags - 1, name_text_bytes),
      rows_(static_cast<thread_row*>(platform::reserve_memory(row_count * sizeof(thread_row)))) {
    // relaxed: nobody else has the table yet.
    free_rows_.store(rows_ == nullptr ? 0 : static_cast<int>(row_count) - 1, std::memory_order_relaxed);
    if (rows_ == nullptr) { losses_.count(drop_reason::no_memory); }
    for (auto& each : weights_) { each.store(-1, std::memory_order_relaxed); }  // relaxed: nobody else has the table yet
    static_cast<void>(names_.intern("other", 0));
}

tag_id tag_table::intern(std::string_view name) noexcept {
    const std::uint32_t full = max_tags;
    const std::uint32_t id = names_.intern(name.substr(0, max_name_bytes), full);
    if (id != full) { return static_cast<tag_id>(id); }
    losses_.count(drop_reason::tag_table_full);
    return other;
}

std::size_t tag_table::rows_in_use() const noexcept {
    // acquire: pairs with the release in lease_row(): rows below the count are set up.
    return rows_ == nullptr ? 0 : used_rows_.load(std::memory_order_acquire);
}

tag_totals tag_table::totals(tag_id id) const noexcept {
    tag_totals sum;
    // Frees before allocations, in two passes over all rows: who was freed was allocated before.
    const std::size_t freeing_rows = rows_in_use();
    for (std::size_t i = 0; i < freeing_rows; ++i) {
        const tag_cell& cell = rows_[i].cells[id];
        // acquire: pairs with the release in count_free().
        sum.frees += cell.frees.load(std::memory_order_acquire);
        sum.freed_bytes += cell.freed_bytes.load(std::memory_order_acquire);  // acquire: as above
    }
    const std::size_t allocating_rows = rows_in_use();  // again: a row leased meanwhile may hold what was just freed
    for (std::size_t i = 0; i < allocating_rows; ++i) {
        const tag_cell& cell = rows_[i].cells[id];
        // relaxed: ordered after the acquire loads above.
        sum.allocated_bytes += cell.allocated_bytes.load(std::memory_order_relaxed);
        sum.allocations += cell.allocations.load(std::memory_order_relaxed);  // relaxed: as above
    }
    sum.weight = weight(id);
    if (sum.frees > sum.allocations || sum.freed_bytes > sum.allocated_bytes) { cut_excess(id, sum); }
    return sum;
}

void tag_table::cut_excess(tag_id id, tag_totals& sum) const noexcept {
    // Bytes without objects: of another size under another tag; one at least.
    const std::uint64_t excess = sum.frees > sum.allocations ? sum.frees - sum.allocations : 1;
    std::uint64_t known = excess_[id].load(std::memory_order_relaxed);  // relaxed: a figure for reports
    while (known < excess && !excess_[id].compare_exchange_weak(known, excess, std::memory_order_relaxed)) {
    }  // relaxed: as above
    sum.frees = std::min(sum.frees, sum.allocations);
    sum.freed_bytes = std::min(sum.freed_bytes, sum.allocated_bytes);
}

std::uint64_t tag_table::excess_frees() const noexcept {
    std::uint64_t sum = 0;
    for (const auto& each : excess_) { sum += each.load(std::memory_order_relaxed); }  // relaxed: as above
    return sum;
}

bool tag_table::state_weight(tag_id id, double weight) noexcept {
    if (!(weight >= 0 && weight <= 1)) { return false; }
    std::atomic<double>& stated = weights_[id];
    double known = stated.load(std::memory_order_relaxed);  // relaxed: a figure for reports, nothing is published with it
    while (known < weight && !stated.compare_exchange_weak(known, weight, std::memory_order_relaxed)) {}  // relaxed: as above
    return true;
}

double tag_table::weight(tag_id id) const noexcept {
    const double stated = weights_[id].load(std::memory_order_relaxed);  // relaxed: as above
    return stated < 0 ? default_tag_weight : stated;
}

thread_row* tag_table::lease_row(std::uint32_t tid) noexcept {
    if (rows_ == nullptr) { return nullptr; }
    const std::lock_guard guard(lease_lock_);
    for (std::size_t i = 1; i < most_rows_; ++i) {
        thread_row& row = rows_[i];
        // acquire: pairs with the release in release_row(): the last owner's plain writes are over.
        if (row.owner.load(std::memory_order_acquire) != 0) { continue; }
        row.thread_index = 0;
        row.stack_end = 0;
        row.exact_lane = nullptr;
        // relaxed: only the lease lock's holders compare it.
        row.owner.store(tid, std::memory_order_relaxed);
        free_rows_.fetch_sub(1, std::memory_order_relaxed);  // relaxed: a hint
        // relaxed: written under the lock only.
        const std::size_t used = std::max(used_rows_.load(std::memory_order_relaxed), i + 1);
        // release: pairs with the acquire in rows_in_use().
        used_rows_.store(used, std::memory_order_release);
        return &row;
    }
    return nullptr;
}

void tag_table::release_row(thread_row& row) noexcept {
    // release: pairs with the acquire in lease_row().
    row.owner.store(0, std::memory_order_release);
    free_rows_.fetch_add(1, std::memory_order_relaxed);  // relaxed: a hint
}

void tag_table::limit_rows(std::size_t most) noexcept {
    if (rows_ == nullptr) { return; }
    const std::lock_guard guard(lease_lock_);
    const std::size_t limit = std::clamp<std::size_t>(most, 16, row_count);
    // relaxed: a hint; negative while more are leased than may be.
    free_rows_.fetch_add(static_cast<int>(limit) - static_cast<int>(most_rows_), std::memory_order_relaxed);
    most_rows_ = limit;
}

void tag_table::keep_only(thread_row* survivor, std::uint32_t tid) noexcept {
    // relaxed, all: the child has one thread.
    free_rows_.store(rows_ == nullptr ? 0 : static_cast<int>(most_rows_) - 1 - (survivor != nullptr ? 1 : 0),
                     std::memory_order_relaxed);
    for (std::size_t i = 1; i < rows_in_use(); ++i) {
        // relaxed: the child has one thread.
        rows_[i].owner.store(&rows_[i] == survivor ? tid : 0, std::memory_order_relaxed);
    }
}

void tag_table::count_allocation_shared(tag_id id, std::size_t bytes) noexcept {
    if (rows_ == nullptr) { return; }
    tag_cell& cell = rows_[0].cells[id];
    // relaxed: published by whatever hands the block to the thread that frees it.
    cell.allocated_bytes.fetch_add(bytes, std::memory_order_relaxed);
    cell.allocations.fetch_add(1, std::memory_order_relaxed);  // relaxed: as above
}

void tag_table::count_free_shared(tag_id id, std::size_t bytes) noexcept {
    if (rows_ == nullptr) { return; }
    tag_cell& cell = rows_[0].cells[id];
    // release: pairs with the acquire in totals().
    cell.freed_bytes.fetch_add(bytes, std::memory_order_release);
    cell.frees.fetch_add(1, std::memory_order_release);  // release: as above
}

void tag_table::count_completed_trace(thread_row* row) noexcept {
    if (row != nullptr) {
        std::atomic<std::uint64_t>& counter = row->completed_traces;
        // relaxed, both: its owner alone writes it, and nothing is published with the count.
        counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    } else if (rows_ != nullptr) {
        rows_[0].completed_traces.fetch_add(1, std::memory_order_relaxed);  // relaxed: as above
    }
}

std::uint64_t tag_table::completed_traces() const noexcept {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < rows_in_use(); ++i) {
        sum += rows_[i].completed_traces.load(std::memory_order_relaxed);  // relaxed: a figure for reports
    }
    return sum;
}

std::size_t tag_table::self_bytes() const noexcept {
    constexpr std::size_t page = 4096;
    const std::size_t row_bytes = (offsetof(thread_row, cells) + size() * sizeof(tag_cell) + page - 1) / page * page;
    return rows_in_use() * row_bytes + size() * (max_name_bytes / 2 + 2 * sizeof(std::uint64_t));
}

// --- the slow halves of capture/tag.hpp

tag::tag(std::string_view name) noexcept : id_(process_capture().tags.intern(name)) {}

tag::tag(std::string_view name, double weight) noexcept : tag(name) {
    if (process_capture().tags.state_weight(id_, weight)) { return; }
    write_log(log_level::warning,
              "memwatch level=warning event=tag_weight detail=\"a tag's weight is not a number from 0 to 1 and is ignored\"");
}

std::string_view tag::name() const noexcept {
    return id_ == tag_table::untagged ? "untagged" : process_capture().tags.name(id_);
}

tag_totals tag::totals() const {
    tag_totals sum = process_capture().tags.totals(id_);
    sum.name = name();
    return sum;
}

namespace detail {

void count_allocation_slow(tag_id owner, std::size_t bytes) noexcept {
    if (lease_row_for_this_thread()) { return count_allocation(owner, bytes); }
    process_capture().tags.count_allocation_shared(owner, bytes);
}

void count_free_slow(tag_id owner, std::size_t bytes) noexcept {
    if (lease_row_for_this_thread()) { return count_free(owner, bytes); }
    process_capture().tags.count_free_shared(owner, bytes);
}

}  // namespace detail
}  // namespace v1
}  // namespace memwatch
