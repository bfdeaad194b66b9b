// SPDX-License-Identifier: Apache-2.0
#include "footprint/growth.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace memwatch {
inline namespace v1 {
namespace {

constexpr int halvings = 50;

// P(T >= t) for Student's t, by the normal of Abramowitz & Stegun 26.7.8: within 0.0005 from 10 degrees on.
double upper_tail(double t, double freedom) noexcept {
    const double z = t * (1 - 1 / (4 * freedom)) / std::sqrt(1 + t * t / (2 * freedom));
    return 0.5 * std::erfc(z / std::sqrt(2.0));
}

double upper_tail(double distance, double variance, double freedom) noexcept {
    if (variance <= 0) { return distance <= 0 ? 1 : 0; }
    return upper_tail(distance / std::sqrt(variance), freedom);
}

}  // namespace

// The state that two values determine. `stays` is the variance that sway adds in a step in the long run, of 1 for both.
growth_fit::state growth_fit::begin(double first, double second, double stays, double persistence) noexcept {
    state s{};
    s.level = second;
    s.growth = second - first;
    s.noise = 1 - stays;
    s.fresh = stays * (1 - persistence) * (1 - persistence);
    s.persistence = persistence;
    s.sway_sway = s.fresh / (1 - persistence * persistence);
    s.level_level = s.level_growth = s.noise;
    s.growth_growth = s.sway_sway + 2 * s.noise;
    s.growth_sway = -s.sway_sway;
    return s;
}

void growth_fit::state::step() noexcept {
    const double p = persistence;
    level += growth + p * sway;
    sway *= p;
    const double to_level = level_growth + growth_growth + p * growth_sway;
    const double to_sway = p * (level_sway + growth_sway + p * sway_sway);
    level_level += 2 * (level_growth + p * level_sway + p * growth_sway) + growth_growth + p * p * sway_sway + fresh;
    level_growth = to_level;
    level_sway = to_sway + fresh;
    growth_sway *= p;
    sway_sway = p * p * sway_sway + fresh;
}

void growth_fit::state::see(double value, double& squares, double& logs) noexcept {
    const double surprise = value - level;
    const double expected = level_level + noise;
    const double by_level = level_level / expected;
    const double by_growth = level_growth / expected;
    const double by_sway = level_sway / expected;
    level += by_level * surprise;
    growth += by_growth * surprise;
    sway += by_sway * surprise;
    growth_growth -= by_growth * level_growth;
    sway_sway -= by_sway * level_sway;
    growth_sway -= by_growth * level_sway;
    level_growth *= 1 - by_level;
    level_sway *= 1 - by_level;
    level_level *= 1 - by_level;
    squares += surprise * surprise / expected;
    logs += std::log(expected);
}

void growth_fit::state::scale(double scatter) noexcept {
    for (double* const variance :
         {&level_level, &growth_growth, &sway_sway, &level_growth, &level_sway, &growth_sway, &noise, &fresh}) {
        *variance *= scatter;
    }
}

// What the sway of now adds to the level in so many steps, per unit.
double growth_fit::state::sway_after(double steps) const noexcept {
    return persistence * (1 - std::pow(persistence, steps)) / (1 - persistence);
}

double growth_fit::state::mean_after(double steps) const noexcept { return level + growth * steps + sway * sway_after(steps); }

double growth_fit::state::variance_after(double steps) const noexcept {
    const double p = persistence;
    const double s = sway_after(steps);
    const double known = level_level + steps * steps * growth_growth + s * s * sway_sway +
                         2 * (steps * level_growth + s * level_sway + steps * s * growth_sway);
    const double to_come = fresh / ((1 - p) * (1 - p)) * (steps - 2 * s + p * p * (1 - std::pow(p, 2 * steps)) / (1 - p * p));
    return known + std::max(0.0, to_come) + noise;
}

growth_fit::growth_fit(const double* values, std::size_t count, double grain) noexcept
    : freedom_(static_cast<double>(count) - 2) {
    double best = -std::numeric_limits<double>::infinity();
    std::size_t next = 0;
    for (const double stays : staying) {
        for (const double persistence : persistences) {
            state s = begin(values[0], values[1], stays, persistence);
            double squares = 0;
            double logs = 0;
            for (std::size_t i = 2; i < count; ++i) {
                s.step();
                s.see(values[i], squares, logs);
            }
            const double scatter = squares / freedom_ + grain * grain;
            s.weight = -0.5 * (logs + freedom_ * std::log(scatter));
            s.scale(scatter);
            best = std::max(best, s.weight);
            states_[next++] = s;
        }
    }
    double sum = 0;
    for (state& s : states_) { sum += s.weight = std::exp(s.weight - best); }
    for (state& s : states_) { s.weight /= sum; }
}

double growth_fit::odds_of_growth(double growth) const noexcept {
    double odds = 0;
    for (const state& s : states_) { odds += s.weight * upper_tail(growth - s.growth, s.growth_growth, freedom_); }
    return odds;
}

double growth_fit::odds_of_reaching(double value, double steps) const noexcept {
    double odds = 0;
    for (const state& s : states_) {
        odds += s.weight * upper_tail(value - s.mean_after(steps), s.variance_after(steps), freedom_);
    }
    return odds;
}

double growth_fit::growth_at(double odds) const noexcept {
    double low = std::numeric_limits<double>::infinity();
    double high = -low;
    for (const state& s : states_) {  // no own bound is further out than these
        const double reach = 50 * std::sqrt(s.growth_growth);
        low = std::min(low, s.growth - reach);
        high = std::max(high, s.growth + reach);
    }
    for (int i = 0; i < halvings; ++i) {
        const double middle = (low + high) / 2;
        (1 - odds_of_growth(middle) < odds ? low : high) = middle;
    }
    return (low + high) / 2;
}

double growth_fit::steps_until(double value, double odds) const noexcept {
    constexpr double soonest = 1e-3;
    constexpr double latest = 1e9;
    if (odds_of_reaching(value, 0) >= odds) { return 0; }
    if (odds_of_reaching(value, latest) < odds) { return std::numeric_limits<double>::infinity(); }
    double low = std::log(soonest);
    double high = std::log(latest);
    for (int i = 0; i < halvings; ++i) {
        const double middle = (low + high) / 2;
        (odds_of_reaching(value, std::exp(middle)) < odds ? low : high) = middle;
    }
    return std::exp((low + high) / 2);
}

}  // namespace v1
}  // namespace memwatch
