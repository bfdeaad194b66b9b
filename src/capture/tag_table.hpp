// SPDX-License-Identifier: Apache-2.0
#pragma once
// Tags and their exact counters: names with small ids, and one row of counters for each thread that runs now.
//
//              tag 0   tag 1   tag 2 ...
//   row 0     | cells | cells | cells      shared: threads without a row of their own, atomic read-modify-write
//   row 1     | ...                        leased by thread 4711: plain loads and stores
//   row 2     | ...                        free; its counts stay and the next lessee goes on from them
//
// A tag's totals are the column's sum. Rows are never cleared, so a thread's end loses nothing. Memory: 32 KiB of address space
// a row, of which a program with up to 120 tags touches the first 4 KiB.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <memwatch/capture/tag.hpp>
#include "base/spin_lock.hpp"
#include "base/string_table.hpp"
#include "model/drop_reason.hpp"

namespace memwatch {
inline namespace v1 {

class tag_table {
public:
    static constexpr tag_id untagged = 0;
    static constexpr tag_id other = 1;
    static constexpr std::size_t max_name_bytes = 120;
    static constexpr std::size_t row_count = 129;  // row 0, which is shared, and 128 threads that count without atomics

    explicit tag_table(loss_counters& losses) noexcept;

    [[nodiscard]] tag_id intern(std::string_view name) noexcept;
    [[nodiscard]] std::string_view name(tag_id id) const noexcept { return names_.at(id); }
    [[nodiscard]] std::size_t size() const noexcept { return names_.size(); }  // ids are 0 .. size() - 1

    // Exact totals but for the name. Threads: any. More frees than allocations prove that a block was freed under this tag that
    // was allocated under another (or twice): cut to what was allocated, and remembered.
    [[nodiscard]] tag_totals totals(tag_id id) const noexcept;
    // Such frees: of each tag the most that were ever seen at once.
    [[nodiscard]] std::uint64_t excess_frees() const noexcept;

    // The business weight of a tag, 0..1; default_tag_weight unless stated. Stating keeps the largest. False: not a weight.
    bool state_weight(tag_id id, double weight) noexcept;
    [[nodiscard]] double weight(tag_id id) const noexcept;

    // A row for the calling thread until release_row(); null when all are taken. [hook]
    [[nodiscard]] thread_row* lease_row(std::uint32_t tid) noexcept;
    // False: lease_row() would find none, at the price of a load. relaxed: a hint.
    [[nodiscard]] bool has_free_row() const noexcept { return free_rows_.load(std::memory_order_relaxed) > 0; }
    void release_row(thread_row& row) noexcept;
    // No more rows than `most` (16 at least, row 0 included) are leased from now on: each is a page that counts against the
    // budget.
    void limit_rows(std::size_t most) noexcept;
    // In a forked child: only `survivor` (may be null) still has an owner, who is now `tid`.
    void keep_only(thread_row* survivor, std::uint32_t tid) noexcept;

    // For a thread without a row. [hook]
    void count_allocation_shared(tag_id id, std::size_t bytes) noexcept;
    void count_free_shared(tag_id id, std::size_t bytes) noexcept;

    // A trace ended on the thread that has `row` (null: none). It is counted beside the tags because rows are what a thread
    // writes without asking. [hook]
    void count_completed_trace(thread_row* row) noexcept;
    [[nodiscard]] std::uint64_t completed_traces() const noexcept;

    [[nodiscard]] std::size_t self_bytes() const noexcept;

    // For fork(), each in its rank's place.
    [[nodiscard]] spin_lock& lease_lock() noexcept { return lease_lock_; }
    [[nodiscard]] spin_lock& names_lock() noexcept { return names_.lock(); }

private:
    [[nodiscard]] std::size_t rows_in_use() const noexcept;
    void cut_excess(tag_id id, tag_totals& sum) const noexcept;

    loss_counters& losses_;
    string_table names_;
    thread_row* rows_;                                       // row_count of them; null = no memory, nothing is counted
    std::atomic<int> free_rows_;                             // rows without an owner
    std::atomic<std::size_t> used_rows_{1};                  // rows ever leased, row 0 included
    std::size_t most_rows_{row_count};                       // guarded by lease_lock_
    mutable std::atomic<std::uint64_t> excess_[max_tags]{};  // by tag; only grows
    std::atomic<double> weights_[max_tags];                  // by tag; -1 = none was stated
    spin_lock lease_lock_{lock_rank::rows};
};

}  // namespace v1
}  // namespace memwatch
