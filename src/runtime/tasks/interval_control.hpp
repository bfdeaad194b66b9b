// SPDX-License-Identifier: Apache-2.0
#pragma once
// Adaptive R: reads what sampling costs, lets the governor decide and writes the wish `load` of capture/sampling_interval.hpp.
// Rides on the telemetry task's turns, so it wakes nobody while nothing is sampled; what was raised comes down when samples do
// come again, all steps that are due at once.

#include <cstdint>
#include <mutex>

#include <memwatch/options.hpp>
#include "capture/capture_state.hpp"
#include "runtime/tasks/interval_governor.hpp"

namespace memwatch {
inline namespace v1 {

class interval_control {
public:
    // From the configured interval on (0: every block is recorded, nothing is governed), with the targets of `wanted`.
    void begin(capture_state& capture, const options& wanted, std::uint64_t interval_bytes) noexcept;
    // One look. Worker thread.
    void turn(capture_state& capture, std::uint64_t now_ns) noexcept;
    // A budget that has to be counted more closely.
    [[nodiscard]] static constexpr bool is_small(std::uint64_t budget_bytes) noexcept { return budget_bytes < 8U << 20U; }
    // Page edges may waste what the budget has left for them: half of it at most, a quarter at least (of small
    // budgets 3/8 and a sixteenth).
    void limit_waste(capture_state& capture, std::uint64_t left_bytes) noexcept;

    void lock_for_fork() { mutex_.lock(); }
    void unlock_after_fork() { mutex_.unlock(); }

private:
    void apply(capture_state& capture) const noexcept;

    std::mutex mutex_;            // innermost: nothing is locked and nothing allocated under it
    interval_governor governor_;  // guarded by mutex_
    std::uint64_t budget_bytes_{0};
    std::uint64_t waste_limit_{0};        // guarded by mutex_, as the two above
    std::uint64_t looked_at_cpus_ns_{0};  // worker thread only
};

}  // namespace v1
}  // namespace memwatch
