// SPDX-License-Identifier: Apache-2.0
#include "footprint/time_to_oom.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>

#include "footprint/growth.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::size_t parts = 30;
constexpr double kib = 1024;
constexpr double grain_kib = 64;  // kernels count in batches: 32 to 64 pages a CPU, and what is read is some of them old
constexpr double least_odds = 0.05;
constexpr double most_odds = 0.95;
constexpr int tide_returns = 2;                    // what came back twice is a tide
constexpr double longest_sight_s = 30 * 86'400.0;  // beyond a month nothing goes on as it has for a day

struct window {
    std::uint32_t part_s;  // 30 of these
    bool is_of_minutes;
};
constexpr window windows[] = {{1, false}, {4, false}, {10, false}, {30, false}, {120, true}, {720, true}, {2880, true}};

using member = std::uint32_t curve_point::*;

// A window's parts, oldest first, and how far peaks are above them: the middle one and the highest.
struct parted {
    std::array<double, parts> medians;
    std::array<double, parts> peaks;
};

// The mean of the two in the middle, or an even number would be half a point late.
double median_of(double* begin, double* end) noexcept {
    double* const middle = begin + (end - begin) / 2;
    std::nth_element(begin, middle, end);
    return (end - begin) % 2 != 0 ? *middle : (*middle + *std::max_element(begin, middle)) / 2;
}

// False: it does not reach back that far without a gap, or another group or no limit was the tightest in between.
bool cut(const memory_curve& curve, const window& how, member of, parted& into) noexcept {
    constexpr std::size_t most_points = 64;
    std::array<double, most_points> values;
    const std::size_t count = how.is_of_minutes ? curve.minute_count() : curve.second_count();
    const auto point = [&](std::size_t back) -> const curve_point& {
        return how.is_of_minutes ? curve.minute(back) : curve.second(back);
    };
    if (count == 0) { return false; }
    const curve_point& newest = point(0);
    std::size_t back = 0;
    for (std::size_t part = 0; part < parts; ++part) {
        std::size_t found = 0;
        double peak = 0;
        for (; back < count && found < most_points; ++back) {
            const curve_point& each = point(back);
            if (newest.second - each.second >= (part + 1) * how.part_s) { break; }
            if (each.group != newest.group) { return false; }
            values[found++] = each.*of;
            peak = std::max(peak, static_cast<double>(of == &curve_point::unreclaimable ? each.peak : each.*of));
        }
        if (found == 0) { return false; }
        into.medians[parts - 1 - part] = median_of(values.data(), values.data() + found);
        into.peaks[parts - 1 - part] = peak - into.medians[parts - 1 - part];
    }
    return true;
}

// What one window says. Of the curve: KiB, and seconds by `part_s`.
struct said {
    growth_fit fit;
    double part_s;
    double age_s;       // of the middle of the last part
    double usual_peak;  // above the line
    double highest_peak;
    double least;  // growth a second
    double most;
};

said ask(const memory_curve& curve, const window& how, parted& values) noexcept {
    const growth_fit fit(values.medians.data(), parts, grain_kib);
    const double part_s = how.part_s;
    // A part's last second is that much above its median, without any noise.
    const double rise = fit.growth_at(0.5) * (part_s - 1) / part_s / 2;
    const double highest = *std::max_element(values.peaks.begin(), values.peaks.end()) - rise;
    const double usual = median_of(values.peaks.data(), values.peaks.data() + parts) - rise;
    const std::uint32_t ends_at = how.is_of_minutes ? curve.minute(0).second : curve.second(0).second;
    const double age_s = (part_s - 1) / 2 + (curve.second(0).second - ends_at);
    return {fit,
            part_s,
            age_s,
            std::max(0.0, usual),
            std::max(0.0, highest),
            fit.growth_at(least_odds) / part_s,
            fit.growth_at(most_odds) / part_s};
}

// Growth as one window has it, KiB a second.
struct span {
    double least;
    double most;
    [[nodiscard]] double middle() const noexcept { return (least + most) / 2; }
    [[nodiscard]] bool holds(double growth) const noexcept { return growth >= least && growth <= most; }
};

// Either might be true by what the other says.
bool agree(const span& a, const span& b) noexcept { return a.holds(b.middle()) || b.holds(a.middle()); }

// How often it was as high as now and came back.
int returns_from(double level, const parted& values) noexcept {
    int returns = 0;
    for (std::size_t i = 1; i < parts; ++i) { returns += values.medians[i - 1] >= level && values.medians[i] < level; }
    return returns;
}

bool is_older_than(const memory_curve& curve, const window& how) noexcept {
    const std::size_t count = curve.second_count();
    return count != 0 && curve.second(0).second - curve.second(count - 1).second + 1 >= parts * how.part_s;
}

// The longest window that rules out that there is no growth, among those that do not contradict a shorter one.
std::optional<said> longest_sure_window(const memory_curve& curve, member of) noexcept {
    std::optional<said> found;
    std::optional<span> agreed;
    bool is_contradicted = false;
    double level = 0;
    parted values;
    for (const window& each : windows) {
        // The shortest is for processes that are younger than the next one.
        if ((&each == std::begin(windows) && is_older_than(curve, windows[1])) || !cut(curve, each, of, values)) { continue; }
        if (!agreed) { level = values.medians.back(); }
        const said here = ask(curve, each, values);
        const span grown{here.least, here.most};
        is_contradicted = is_contradicted || (agreed && !agree(*agreed, grown));
        if (is_contradicted) {
            if (returns_from(level, values) >= tide_returns) { return {}; }
            continue;
        }
        agreed = agreed ? span{std::max(agreed->least, grown.least), std::min(agreed->most, grown.most)} : grown;
        if (here.least > 0) { found = here; }
    }
    return found;
}

std::optional<oom_forecast> forecast_of(const memory_curve& curve, member of, double limit_kib) noexcept {
    const std::optional<said> found = longest_sure_window(curve, of);
    if (!found) { return {}; }
    const auto seconds_until = [&](double reached_kib, double odds) {
        return std::max(0.0, found->fit.steps_until(reached_kib, odds) * found->part_s - found->age_s);
    };
    oom_forecast out;
    out.is_of_address_space = of == &curve_point::address_space;
    out.limit_bytes = static_cast<std::uint64_t>(limit_kib * kib);
    out.headroom_bytes = static_cast<std::uint64_t>(std::max(0.0, limit_kib - curve.second(0).*of) * kib);
    out.growth_bytes_per_s = found->fit.growth_at(0.5) / found->part_s * kib;
    // The highest peak may come again at any moment, and need not.
    out.least_seconds = seconds_until(limit_kib - found->highest_peak, least_odds);
    out.seconds = seconds_until(limit_kib - (found->usual_peak + found->highest_peak) / 2, 0.5);
    out.most_seconds = seconds_until(limit_kib - found->usual_peak, most_odds);
    if (out.seconds > longest_sight_s) { return {}; }
    return out;
}

}  // namespace

std::optional<oom_forecast> forecast_oom(const memory_curve& curve, std::uint64_t address_space_limit) noexcept {
    if (curve.second_count() == 0) { return {}; }
    std::optional<oom_forecast> out;
    const double limit_kib = curve.second(0).limit;
    if (limit_kib > 0) { out = forecast_of(curve, &curve_point::unreclaimable, limit_kib); }
    if (address_space_limit == 0) { return out; }
    const auto other = forecast_of(curve, &curve_point::address_space, static_cast<double>(address_space_limit) / kib);
    return !out || (other && other->seconds < out->seconds) ? other : out;
}

}  // namespace v1
}  // namespace memwatch
