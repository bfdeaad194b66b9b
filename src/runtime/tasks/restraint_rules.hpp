// SPDX-License-Identifier: Apache-2.0
#pragma once
// Decides how much memwatch may do when it costs more than it may: a circuit breaker with named steps. Arithmetic only: totals
// and a clock come in, a step goes out. Behind the governor (interval_governor.hpp), which keeps samples at their target: what
// gets here is what that could not hold - its cap, looks, writers, or bytes.
//
//     none --> raised_interval --> counters_only --> off        a step each window (10 s) that was above a limit
//     none <-- raised_interval <-- counters_only <-- off        a step when a step's hold is over, and there is room
//
// Room: in the whole hold less than half of the CPU limit and less than 7/8 of the byte limit. On the lower two steps next to
// nothing costs CPU, so going back is a trial: one that fails (above a limit within 10 minutes) doubles the hold, 1 minute to
// begin with, an hour at most. An hour at `none` and it is a minute again. So a cost that stays is met with ever rarer trials:
// in a day, 24 at most.
// Checked by tests/unit/runtime/restraint_test.cpp.

#include <cstddef>
#include <cstdint>

namespace memwatch {
inline namespace v1 {

enum class restraint_step : std::uint8_t {
    none,
    raised_interval,  // R is 8 times what it would be
    counters_only,    // nothing is sampled: tags, pools and what is tracked already are counted
    off,              // and nothing is looked at, written or kept either
    count_
};
inline constexpr const char* restraint_step_names[] = {"none", "raised_interval", "counters_only", "off"};
static_assert(sizeof restraint_step_names / sizeof restraint_step_names[0] == static_cast<std::size_t>(restraint_step::count_));

enum class restraint_cause : std::uint8_t { none, cpu, bytes };

class restraint_rules {
public:
    struct limits {
        std::uint64_t most_bytes{};     // what memwatch may hold; 0: no limit
        std::uint32_t most_permille{};  // of `cpus`; 0: no limit
        double cpus{1};
    };
    // Totals since any moment, the same for all readings.
    struct reading {
        std::uint64_t now_ns{};
        std::uint64_t self_bytes{};
        std::uint64_t self_ns{};  // of CPU time
    };

    static constexpr std::uint64_t window_ns = 10'000'000'000;
    static constexpr std::uint64_t first_hold_ns = 60'000'000'000;
    static constexpr std::uint64_t longest_hold_ns = 3'600'000'000'000;
    static constexpr std::uint64_t trial_ns = 600'000'000'000;

    void begin(const limits& wanted, const reading& now) noexcept;
    void set_limits(const limits& wanted) noexcept { limits_ = wanted; }
    // CPU time of before is not of what is judged: somebody asked for more for a while, or a clock began anew.
    void forget_window(const reading& now) noexcept { window_ = now; }
    // To be called every second or so. True: the step is another.
    bool update(const reading& now) noexcept;

    [[nodiscard]] restraint_step step() const noexcept { return step_; }
    [[nodiscard]] restraint_cause cause() const noexcept { return cause_; }  // of the last step up
    // Of one CPU, in the last whole window.
    [[nodiscard]] double cpu_share() const noexcept { return cpu_share_; }
    [[nodiscard]] std::uint64_t hold_ns() const noexcept { return hold_ns_; }

private:
    [[nodiscard]] restraint_cause breached(const reading& now) const noexcept;
    [[nodiscard]] bool has_room(const reading& now) const noexcept;
    void tighten(const reading& now, restraint_cause why) noexcept;
    void ease(const reading& now) noexcept;

    limits limits_;
    restraint_step step_{restraint_step::none};
    restraint_cause cause_{restraint_cause::none};
    reading window_;             // where the current window began
    double cpu_share_{0};        // of the last window
    std::uint64_t since_ns_{0};  // on this step, or without room, since
    std::uint64_t eased_ns_{0};  // when it last went down a step; 0: never
    std::uint64_t hold_ns_{first_hold_ns};
};

}  // namespace v1
}  // namespace memwatch
