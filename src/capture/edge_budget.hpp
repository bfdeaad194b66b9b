// SPDX-License-Identifier: Apache-2.0
#pragma once
// What page edges may cost. A small sample takes a page, so many live samples waste memory; all edge blocks of a process, of
// whichever door, share one limit.
//
//   waste   0 ........ half of the limit ........ the limit
//   R of a  |  as drawn        | 2R  4R  8R ...  | none: declined, and counted
//   sample  |                  | fewer pages, each standing for more: sums stay unbiased

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <memwatch/capture/sampler.hpp>
#include "model/drop_reason.hpp"

namespace memwatch {
inline namespace v1 {

class edge_budget {
public:
    explicit edge_budget(loss_counters& losses) noexcept : losses_(losses) {}

    // May this sample of `bytes` have a page? Near the limit fewer may, and `ticket` then says what each stands for. [hook]
    [[nodiscard]] bool admits(std::size_t bytes, detail::sample_ticket& ticket, std::uint64_t& random_state) noexcept;

    // As blocks come and go. relaxed, all: figures; nothing is published by them.
    void add_waste(std::size_t bytes) noexcept { waste_bytes_.fetch_add(bytes, std::memory_order_relaxed); }
    void remove_waste(std::size_t bytes) noexcept { waste_bytes_.fetch_sub(bytes, std::memory_order_relaxed); }
    [[nodiscard]] std::size_t waste_bytes() const noexcept { return waste_bytes_.load(std::memory_order_relaxed); }

    // No more waste than `most_bytes`; `base_interval` is R. `is_tight`: large blocks are asked for, too. A sample of one
    // wastes a page at most, that is little beside it, but there may be many.
    void limit_waste(std::size_t most_bytes, std::uint64_t base_interval, bool is_tight = false) noexcept;
    // relaxed: a setting. [hook]
    [[nodiscard]] bool is_tight() const noexcept { return is_tight_.load(std::memory_order_relaxed); }

    // The least R that a sample with a page is judged at by now; 0: as drawn; `declined`: none is admitted. [hook]
    static constexpr std::uint64_t declined = ~std::uint64_t{0};
    [[nodiscard]] std::uint64_t interval_floor() const noexcept;

private:
    loss_counters& losses_;
    std::atomic<std::size_t> waste_bytes_{0};
    std::atomic<std::size_t> most_waste_bytes_{8U << 20U};
    std::atomic<std::uint64_t> base_interval_{0};
    std::atomic<bool> is_tight_{false};
};

}  // namespace v1
}  // namespace memwatch
