// SPDX-License-Identifier: Apache-2.0
#pragma once
// R, the mean of the next draws: the largest of what is wished for. Each party writes its own wish whenever it likes, and a
// draw takes the maximum, so that no order of writing can lose one.
//
//   configured    MEMWATCH_INTERVAL, session::set_interval    1 MiB  -+
//   load          samples a second, their cost (runtime)      4 MiB  -+--> max: the next draw has R = 4 MiB and remembers it
//   live_table    a shard at its cap (live)                   2 MiB  -+
//   restraint     memwatch as a whole costs too much          none   -+
//                                                                            |
//   page edges near their limit (edge_budget) --- judged after the draw, a block at a time: only small blocks waste a page

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace memwatch {
inline namespace v1 {

class sampling_interval {
public:
    enum class wish : std::uint8_t { configured, load, live_table, restraint, count_ };

    // 0: none; as `configured`, every block. relaxed, all: settings; any recent value will do for a draw.
    void set(wish whose, std::uint64_t bytes) noexcept {
        wishes_[static_cast<std::size_t>(whose)].store(bytes, std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t of(wish whose) const noexcept {
        return wishes_[static_cast<std::size_t>(whose)].load(std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t in_force() const noexcept {
        return std::max({of(wish::configured), of(wish::load), of(wish::live_table), of(wish::restraint)});
    }
    // What load, a full table or restraint raised R to; 0: nothing did.
    [[nodiscard]] std::uint64_t raised_floor() const noexcept {
        const std::uint64_t now = in_force();
        return now > of(wish::configured) ? now : 0;
    }

    // A preset that ends: draws from `ends_ns` (CLOCK_MONOTONIC; 0: none) on have an R of `after_bytes` at least, also where no
    // worker comes to change the preset. relaxed, all: as above; either alone does no harm.
    void set_end(std::uint64_t ends_ns, std::uint64_t after_bytes) noexcept {
        after_bytes_.store(after_bytes, std::memory_order_relaxed);
        ends_ns_.store(ends_ns, std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t in_force_at(std::uint64_t now_ns) const noexcept {
        const std::uint64_t ends_ns = ends_ns_.load(std::memory_order_relaxed);
        const std::uint64_t now = in_force();
        if (ends_ns == 0 || now_ns < ends_ns) { return now; }
        return std::max(now, after_bytes_.load(std::memory_order_relaxed));
    }

private:
    std::atomic<std::uint64_t> wishes_[static_cast<std::size_t>(wish::count_)]{};
    std::atomic<std::uint64_t> ends_ns_{0};
    std::atomic<std::uint64_t> after_bytes_{0};
};

}  // namespace v1
}  // namespace memwatch
