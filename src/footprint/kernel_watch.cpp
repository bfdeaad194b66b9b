// SPDX-License-Identifier: Apache-2.0
#include "footprint/kernel_watch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

namespace memwatch {
inline namespace v1 {
namespace {

// Median of the slopes between all pairs, bytes a second.
double theil_sen(const std::vector<kernel_point>& points) {
    std::vector<double> slopes;
    slopes.reserve(points.size() * (points.size() - 1) / 2);
    for (std::size_t i = 0; i < points.size(); ++i) {
        for (std::size_t j = i + 1; j < points.size(); ++j) {
            const double seconds = static_cast<double>(points[j].time_ns - points[i].time_ns) / 1e9;
            const double grown = static_cast<double>(points[j].bytes) - static_cast<double>(points[i].bytes);
            if (seconds > 0) { slopes.push_back(grown / seconds); }
        }
    }
    if (slopes.empty()) { return 0; }
    const auto middle = slopes.begin() + static_cast<std::ptrdiff_t>(slopes.size() / 2);
    std::nth_element(slopes.begin(), middle, slopes.end());
    return *middle;
}

// Ranks from 1 on; equal values share the mean of theirs.
std::vector<double> ranks_of(const std::vector<double>& values) {
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
    std::vector<double> ranks(values.size());
    for (std::size_t i = 0; i < order.size();) {
        std::size_t end = i + 1;
        while (end < order.size() && values[order[end]] <= values[order[i]]) { ++end; }
        for (std::size_t each = i; each < end; ++each) { ranks[order[each]] = static_cast<double>(i + end + 1) / 2; }
        i = end;
    }
    return ranks;
}

// Pearson's of the ranks. 0 where one of them never changes.
double spearman(const std::vector<double>& a, const std::vector<double>& b) {
    const std::vector<double> ranks_a = ranks_of(a);
    const std::vector<double> ranks_b = ranks_of(b);
    const double mean = (static_cast<double>(a.size()) + 1) / 2;
    double both = 0;
    double only_a = 0;
    double only_b = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        both += (ranks_a[i] - mean) * (ranks_b[i] - mean);
        only_a += (ranks_a[i] - mean) * (ranks_a[i] - mean);
        only_b += (ranks_b[i] - mean) * (ranks_b[i] - mean);
    }
    return only_a <= 0 || only_b <= 0 ? 0 : both / std::sqrt(only_a * only_b);
}

double correlation_of_steps(const std::vector<kernel_point>& points) {
    std::vector<double> own;
    std::vector<double> live;
    for (std::size_t i = 1; i < points.size(); ++i) {
        own.push_back(static_cast<double>(points[i].bytes) - static_cast<double>(points[i - 1].bytes));
        live.push_back(static_cast<double>(points[i].live_bytes) - static_cast<double>(points[i - 1].live_bytes));
    }
    return spearman(own, live);
}

}  // namespace

bool kernel_watch::wants(kernel_part part, std::uint64_t time_ns) const noexcept {
    const series& of = parts_[static_cast<std::size_t>(part)];
    return of.points.empty() || time_ns >= of.points.back().time_ns + of.pause_ns;
}

void kernel_watch::note(kernel_part part, const kernel_point& point) {
    series& of = parts_[static_cast<std::size_t>(part)];
    // When somebody asks, points may come as often as they like: nothing else tells what is mapped.
    const std::uint64_t pause_ns = part == kernel_part::mapped ? of.pause_ns - least_pause_ns + 1 : of.pause_ns;
    if (!of.points.empty() && point.time_ns < of.points.back().time_ns + pause_ns) { return; }
    if (of.points.size() >= most_points) {
        for (std::size_t i = 0; 2 * i < of.points.size(); ++i) { of.points[i] = of.points[2 * i]; }
        of.points.resize((of.points.size() + 1) / 2);
        of.pause_ns *= 2;
    }
    of.points.push_back(point);
}

void kernel_watch::see_regions(std::uint64_t time_ns, std::vector<mapped_region>& regions,
                               const std::vector<std::uint64_t>& begins) {
    std::vector<seen_region> now;
    for (std::size_t i = 0; i < regions.size() && i < begins.size(); ++i) {
        const auto known = std::lower_bound(regions_.begin(), regions_.end(), begins[i],
                                            [](const seen_region& a, std::uint64_t begin) { return a.begin < begin; });
        const bool is_known = known != regions_.end() && known->begin == begins[i];
        regions[i].first_seen_ns = is_known ? known->first_ns : time_ns;
        if (now.size() < most_regions) { now.push_back({begins[i], regions[i].first_seen_ns}); }
    }
    std::sort(now.begin(), now.end(), [](const seen_region& a, const seen_region& b) { return a.begin < b.begin; });
    regions_ = std::move(now);
}

void kernel_watch::forget() noexcept {
    for (series& each : parts_) {
        each.points.clear();
        each.pause_ns = least_pause_ns;
    }
    regions_.clear();
}

std::vector<kernel_growth> kernel_watch::growth() const {
    std::vector<kernel_growth> out;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
        const std::vector<kernel_point>& points = parts_[i].points;
        if (points.size() < least_points) { continue; }
        kernel_growth row;
        row.part = static_cast<kernel_part>(i);
        row.is_of_group = row.part == kernel_part::sockets || row.part == kernel_part::slab;
        row.bytes = points.back().bytes;
        row.watched_ns = points.back().time_ns - points.front().time_ns;
        row.bytes_per_second = theil_sen(points);
        row.correlation = correlation_of_steps(points);
        row.steps = static_cast<std::uint32_t>(points.size() - 1);
        out.push_back(row);
    }
    return out;
}

std::size_t kernel_watch::self_bytes() const noexcept {
    std::size_t bytes = regions_.capacity() * sizeof(seen_region);
    for (const series& each : parts_) { bytes += each.points.capacity() * sizeof(kernel_point); }
    return bytes;
}

}  // namespace v1
}  // namespace memwatch
