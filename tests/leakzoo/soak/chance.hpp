// SPDX-License-Identifier: Apache-2.0
#pragma once
// Seeded draws of the simulation: the same seed, the same day, on every machine with the same standard library.

#include <cmath>
#include <cstdint>
#include <random>

namespace soak {

class chance {
public:
    explicit chance(std::uint64_t seed) : engine_(seed) {}

    // In [0, 1), 53 bits.
    [[nodiscard]] double unit() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }
    [[nodiscard]] bool with(double probability) { return unit() < probability; }
    [[nodiscard]] double between(double low, double high) { return low + (high - low) * unit(); }
    // Each factor of two is as likely as any other: sizes, rates and periods have no scale of their own.
    [[nodiscard]] double log_between(double low, double high) { return low * std::pow(high / low, unit()); }
    [[nodiscard]] double exponential(double mean) { return -mean * std::log1p(-unit()); }
    [[nodiscard]] double normal() { return std::normal_distribution<double>{}(engine_); }
    [[nodiscard]] std::uint64_t poisson(double mean) {
        if (!(mean > 0)) { return 0; }
        if (mean > 12) { return std::poisson_distribution<std::uint64_t>{mean}(engine_); }
        // The product of uniforms falls below exp(-mean) after one more factor than there are events.
        const double floor = std::exp(-mean);
        std::uint64_t events = 0;
        for (double product = unit(); product > floor; product *= unit()) { ++events; }
        return events;
    }
    // A generator of its own, so that one site's draws do not move another's.
    [[nodiscard]] chance fork() { return chance{engine_()}; }

private:
    std::mt19937_64 engine_;
};

}  // namespace soak
