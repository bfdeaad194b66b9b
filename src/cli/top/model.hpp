// SPDX-License-Identifier: Apache-2.0
#pragma once
// What `memwatch top` knows: one board a dimension, the service's own figures, and whether it still answers. A value, fed with
// snapshots and errors; the first snapshot and each mark come with records, so that every dimension has the same mark.
//
// In: validated snapshots in the order they were taken. Out: what lines.hpp draws. Threads: one.

#include <array>
#include <cstdint>
#include <string>

#include <memwatch/base/result.hpp>

#include "cli/top/board.hpp"

namespace memwatch {
inline namespace v1 {
namespace top {

class model {
public:
    model(std::string address, dimension by) : address_(std::move(address)), by_(by) {}

    // A snapshot of another session (the service was restarted) starts over, and says so.
    void take(const snapshot& s);
    // Nobody answered, or nothing that can be read; `said` is shown until the next snapshot.
    void fail(const error& why);

    // From the next snapshot on, growth counts from it.
    void mark() noexcept { is_marking_ = true; }
    void switch_to(dimension by) noexcept { by_ = by; }

    [[nodiscard]] dimension by() const noexcept { return by_; }
    [[nodiscard]] const board& rows() const noexcept { return boards_[static_cast<std::size_t>(by_)]; }
    [[nodiscard]] const snapshot_info& info() const noexcept { return info_; }
    [[nodiscard]] const totals& sums() const noexcept { return sums_; }
    [[nodiscard]] growth total_growth() const;
    [[nodiscard]] const std::string& address() const noexcept { return address_; }  // printable

    [[nodiscard]] bool has_answered() const noexcept { return answers_ != 0; }
    [[nodiscard]] std::uint64_t answers() const noexcept { return answers_; }
    [[nodiscard]] const std::string& trouble() const noexcept { return trouble_; }  // printable; empty = none
    [[nodiscard]] bool was_restarted() const noexcept { return restarts_ != 0; }

    // What the next question has to be: a summary does not do for rows from records, and not for the first look or a mark.
    [[nodiscard]] bool needs_records() const noexcept { return is_marking_ || !has_answered() || top::needs_records(by_); }

private:
    std::string address_;
    dimension by_;
    std::array<board, dimension_count> boards_;
    board total_;  // of one row
    snapshot_info info_;
    totals sums_;
    std::string trouble_;
    std::uint64_t answers_{}, restarts_{};
    bool is_marking_{};
};

}  // namespace top
}  // namespace v1
}  // namespace memwatch
