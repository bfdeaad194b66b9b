// SPDX-License-Identifier: Apache-2.0
#include "runtime/tasks/interval_governor.hpp"

#include <algorithm>
#include <cmath>

namespace memwatch {
inline namespace v1 {
namespace {

constexpr double calm_pressure = 0.25;

struct span {
    double seconds;
    double samples;
    double self_seconds;
};

span between(const interval_governor::reading& since, const interval_governor::reading& now) noexcept {
    return {static_cast<double>(now.now_ns - since.now_ns) * 1e-9, static_cast<double>(now.samples - since.samples),
            static_cast<double>(now.self_ns - since.self_ns) * 1e-9};
}

}  // namespace

void interval_governor::begin(const limits& wanted, const reading& now) noexcept {
    limits_ = wanted;
    limits_.cap_bytes = std::max(wanted.cap_bytes, wanted.floor_bytes);
    interval_ = wanted.floor_bytes;
    window_ = now;
    calm_ = now;
}

bool interval_governor::is_above_target(const reading& since, const reading& now) const noexcept {
    const span s = between(since, now);
    const auto is_above = [&](double allowed) { return s.samples > allowed + 3 * std::sqrt(allowed); };
    if (limits_.samples_per_second != 0 && is_above(s.seconds * limits_.samples_per_second)) { return true; }
    if (limits_.overhead_permille == 0 || s.self_seconds <= 0) { return false; }
    // As many samples as the allowed time is worth, at what one costs now.
    return is_above(s.seconds * limits_.cpus * limits_.overhead_permille / 1000 * s.samples / s.self_seconds);
}

double interval_governor::pressure(const reading& since, const reading& now) const noexcept {
    const span s = between(since, now);
    double highest = 0;
    if (limits_.samples_per_second != 0) { highest = s.samples / (s.seconds * limits_.samples_per_second); }
    if (limits_.overhead_permille != 0) {
        highest = std::max(highest, s.self_seconds * 1000 / (s.seconds * limits_.cpus * limits_.overhead_permille));
    }
    return highest;
}

interval_governor::step interval_governor::update(const reading& now) noexcept {
    if (limits_.floor_bytes == 0 || now.now_ns < window_.now_ns + window_ns) { return step::none; }
    const bool is_too_much = is_above_target(window_, now);
    window_ = now;
    if (is_too_much) {
        calm_ = now;
        if (interval_ >= limits_.cap_bytes) { return step::none; }
        interval_ = std::min(2 * interval_, limits_.cap_bytes);
        return step::raised;
    }
    if (now.now_ns < calm_.now_ns + calm_ns) { return step::none; }
    double pressed = pressure(calm_, now);
    std::uint64_t calm_stretches = (now.now_ns - calm_.now_ns) / calm_ns;  // nobody looked while nothing was sampled
    calm_ = now;
    step done = step::none;
    for (; calm_stretches > 0 && pressed < calm_pressure && interval_ > limits_.floor_bytes; --calm_stretches) {
        interval_ = std::max(interval_ / 2, limits_.floor_bytes);
        pressed *= 2;
        done = step::lowered;
    }
    return done;
}

}  // namespace v1
}  // namespace memwatch
