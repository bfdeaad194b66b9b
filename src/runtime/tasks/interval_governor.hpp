// SPDX-License-Identifier: Apache-2.0
#pragma once
// Decides how far R has to be raised so that samples stay within a rate and a cost. Arithmetic only: totals and a clock come
// in, R goes out.
//
//   pressure = max( samples a second / target , self time a second / (CPUs x target) )
//
//   above 1, by more than chance     R doubles, a step a window (250 ms)                       quickly up
//   below 1/4 in a stretch of 10 s   R halves, and pressure is still below 1/2 then            slowly down
//
// Between the two nothing moves, so a steady load meets at most one R that it stays at: no oscillation. The configured interval
// is the floor. `By more than chance`: a Poisson count of mean n is above n + 3 sqrt(n) once in 740 windows; such a step too
// many costs resolution for 10 s, and no bias: each draw remembers its own R.
// Checked by tests/unit/runtime/interval_governor_test.cpp.

#include <cstdint>

namespace memwatch {
inline namespace v1 {

class interval_governor {
public:
    struct limits {
        std::uint64_t floor_bytes{};         // 0: every block is recorded, and nothing is governed
        std::uint64_t cap_bytes{};           // raised no further; below the floor it is the floor
        std::uint32_t samples_per_second{};  // 0: no target
        std::uint32_t overhead_permille{};   // of `cpus`; 0: no target
        double cpus{1};
        friend bool operator==(const limits& a, const limits& b) noexcept {
            return a.floor_bytes == b.floor_bytes && a.cap_bytes == b.cap_bytes &&
                   a.samples_per_second == b.samples_per_second && a.overhead_permille == b.overhead_permille &&
                   a.cpus == b.cpus;
        }
    };
    // Totals since the process' start.
    struct reading {
        std::uint64_t now_ns{};
        std::uint64_t samples{};
        std::uint64_t self_ns{};
    };
    enum class step { none, raised, lowered };

    static constexpr std::uint64_t window_ns = 250'000'000;
    static constexpr std::uint64_t calm_ns = 10'000'000'000;

    // Starts over at the floor.
    void begin(const limits& wanted, const reading& now) noexcept;
    void set_cpus(double cpus) noexcept { limits_.cpus = cpus; }
    // To be called now and then while samples are taken: windows are as long as the time between calls, 250 ms at least.
    step update(const reading& now) noexcept;

    [[nodiscard]] std::uint64_t interval_bytes() const noexcept { return interval_; }

private:
    [[nodiscard]] bool is_above_target(const reading& since, const reading& now) const noexcept;
    [[nodiscard]] double pressure(const reading& since, const reading& now) const noexcept;

    limits limits_;
    std::uint64_t interval_{0};
    reading window_;  // where the current window began
    reading calm_;    // where the current stretch without a raise began
};

}  // namespace v1
}  // namespace memwatch
