// SPDX-License-Identifier: Apache-2.0
#include "attribution/onset.hpp"

#include <algorithm>
#include <cmath>

namespace memwatch::inline v1 {
namespace {

constexpr double believed_gain = 10;  // of log likelihood
constexpr double believed_ratio = 3;  // of rates
constexpr std::size_t fewest_births = 8;

double seconds(std::uint64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e9; }

double log_likelihood(double births, double time) { return births <= 0 || time <= 0 ? 0 : births * std::log(births / time); }

std::uint64_t gap_of(std::uint64_t from_ns, std::uint64_t end_ns, std::size_t births) {
    return births == 0 || end_ns <= from_ns ? 0 : (end_ns - from_ns) / births;
}

// Blocks that one call makes are born together; they are one event, or a burst would look like a change of rate.
constexpr std::uint64_t same_event_ns = 1'000'000;

std::vector<std::uint64_t> events_of(std::vector<std::uint64_t> births) {
    std::sort(births.begin(), births.end());
    std::vector<std::uint64_t> events;
    for (const std::uint64_t birth : births) {
        if (events.empty() || birth - events.back() > same_event_ns) { events.push_back(birth); }
    }
    return events;
}

struct change_point {
    std::size_t index{};
    double gain{};
};

// The best split into events [0, index) and [index, n); the change is at the later one's first event.
change_point best_split(const std::vector<std::uint64_t>& events, std::uint64_t end_ns) {
    const std::uint64_t begin_ns = events.front();
    const auto n = static_cast<double>(events.size());
    const double flat = log_likelihood(n, seconds(end_ns - begin_ns));
    change_point best;
    // The last events alone are no regime: a fresh handful that has not been freed yet.
    const std::size_t last = events.size() - events.size() / 4;
    for (std::size_t i = 1; i < last; ++i) {
        const double before = seconds(events[i] - begin_ns);
        const double after = seconds(end_ns - events[i]);
        const auto first = static_cast<double>(i);
        const double gain = log_likelihood(first, before) + log_likelihood(n - first, after) - flat;
        if (gain > best.gain && before > 0 && (n - first) / after > believed_ratio * first / before) { best = {i, gain}; }
    }
    return best;
}

}  // namespace

onset estimate_onset(std::vector<std::uint64_t> births_ns, std::uint64_t end_ns) {
    if (births_ns.empty()) { return {}; }
    const std::vector<std::uint64_t> events = events_of(std::move(births_ns));
    const std::uint64_t first = events.front();
    end_ns = std::max(end_ns, events.back() + 1);
    if (events.size() >= fewest_births) {
        const change_point split = best_split(events, end_ns);
        if (split.gain > believed_gain) {
            const std::uint64_t at = events[split.index];
            const std::size_t later = events.size() - split.index;
            return {onset_basis::change_point, at, gap_of(at, end_ns, later),
                    static_cast<double>(split.index) / seconds(at - first), static_cast<double>(later) / seconds(end_ns - at)};
        }
    }
    return {onset_basis::first_block, first, gap_of(first, end_ns, events.size()), 0, 0};
}

}  // namespace memwatch::inline v1
