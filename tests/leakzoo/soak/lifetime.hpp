// SPDX-License-Identifier: Apache-2.0
#pragma once
// How long blocks live, as a survival function S(a) = P(life > a) in closed form, so that a stretch of time needs draws only
// for the blocks that are alive at its end. Births are Poisson of rate r; over a stretch of length x, independently,
//     alive at the end ~ Poisson(r * I(x)),  gone by then ~ Poisson(r * (x - I(x))),  I(x) = integral of S over 0..x
// and the age of one that is alive has density S(a) / I(x). Both kinds here have I and its inverse in closed form:
//     exponential  S = exp(-a/m)              I = m (1 - exp(-x/m))
//     Lomax        S = (1 + a/m)^-k, k > 1    I = m/(k-1) (1 - (1 + x/m)^(1-k))        heavy-tailed: Pareto from 0

#include <cmath>

#include "chance.hpp"

namespace soak {

class lifetime {
public:
    [[nodiscard]] static lifetime exponential(double mean_s) { return {mean_s, 0}; }
    [[nodiscard]] static lifetime lomax(double scale_s, double shape) { return {scale_s, shape}; }

    // I(x).
    [[nodiscard]] double alive_integral(double x) const {
        if (shape_ == 0) { return -scale_ * std::expm1(-x / scale_); }
        return scale_ / (shape_ - 1) * (1 - std::pow(1 + x / scale_, 1 - shape_));
    }
    // The age, at the end of a stretch of length x, of a block that is alive then.
    [[nodiscard]] double draw_age(double x, chance& random) const {
        const double part = random.unit();
        if (shape_ == 0) { return -scale_ * std::log1p(part * std::expm1(-x / scale_)); }
        const double tail = std::pow(1 + x / scale_, 1 - shape_);
        return scale_ * (std::pow(1 - part * (1 - tail), 1 / (1 - shape_)) - 1);
    }
    // How much longer a block of this age lives.
    [[nodiscard]] double draw_rest(double age, chance& random) const {
        if (shape_ == 0) { return random.exponential(scale_); }
        return (scale_ + age) * (std::pow(1 - random.unit(), -1 / shape_) - 1);
    }

private:
    lifetime(double scale_s, double shape) : scale_(scale_s), shape_(shape) {}

    double scale_;
    double shape_;  // 0 = exponential
};

}  // namespace soak
