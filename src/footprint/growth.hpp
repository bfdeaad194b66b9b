// SPDX-License-Identifier: Apache-2.0
#pragma once
// How fast something grows and where it will be, with honest bounds: a straight line seen through two kinds of scatter.
//
//   value(t) = level(t) + noise             noise: requests in flight, a collector's saw-tooth; comes and goes
//   level(t) = level(t-1) + growth + sway   sway: a leak that comes in lumps, or with the load; stays
//   sway(t)  = persistence * sway(t-1) + new
//
// How much of the scatter is noise and how much stays, and for how long sway holds on, decides how far a line can be believed
// (after a window T the error of growth is ~ T^-3/2 by noise and ~ T^-1/2 by sway), and a window of 30 values does not tell.
// So all are tried on a grid, each weighted by its likelihood (Kalman filter without a belief before the first two values,
// restricted likelihood, Student's t for the scatter's own error), and a statement about growth or about a future value is the
// mixture of theirs. One huge step makes everything uncertain rather than everything wrong: that is the robustness wanted here.
//
// Pure; nothing allocates. Checked by tests/unit/footprint/time_to_oom_test.cpp: coverage over simulated leaks.

#include <array>
#include <cstddef>

namespace memwatch {
inline namespace v1 {

class growth_fit {
public:
    static constexpr std::size_t least_values = 12;

    // Of `values`, equally spaced, oldest first; at least `least_values` of them. `grain`: what one value may be off by itself.
    growth_fit(const double* values, std::size_t count, double grain) noexcept;

    // Probability that the growth a step is at least `growth`.
    [[nodiscard]] double odds_of_growth(double growth) const noexcept;
    // Probability that `steps` after the last value it is at least `value`.
    [[nodiscard]] double odds_of_reaching(double value, double steps) const noexcept;

    // Growth a step with `odds` of being less: 0.05, 0.5, 0.95.
    [[nodiscard]] double growth_at(double odds) const noexcept;
    // Steps until `value` is reached with probability `odds`; infinity: never with that much.
    [[nodiscard]] double steps_until(double value, double odds) const noexcept;

private:
    // One point of the grid: the state after the last value. Variances are already times the scatter.
    struct state {
        double weight;
        double level, growth, sway;
        double level_level, growth_growth, sway_sway, level_growth, level_sway, growth_sway;
        double noise, fresh, persistence;
        void step() noexcept;
        void see(double value, double& squares, double& logs) noexcept;
        void scale(double scatter) noexcept;
        [[nodiscard]] double mean_after(double steps) const noexcept;
        [[nodiscard]] double variance_after(double steps) const noexcept;
        [[nodiscard]] double sway_after(double steps) const noexcept;
    };
    static constexpr std::array<double, 9> staying{0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.7, 1};  // shares of the scatter
    static constexpr std::array<double, 4> persistences{0, 0.5, 0.8, 0.95};
    [[nodiscard]] static state begin(double first, double second, double stays, double persistence) noexcept;
    std::array<state, staying.size() * persistences.size()> states_{};
    double freedom_{};  // degrees, of Student's t
};

}  // namespace v1
}  // namespace memwatch
