// SPDX-License-Identifier: Apache-2.0
#include "footprint/pressure.hpp"

#include <algorithm>

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr std::uint64_t remembered_ns = 30 * second_ns;
constexpr std::uint64_t starved_for_ns = 60 * second_ns;
constexpr std::uint64_t calm_ns = 30 * second_ns;
constexpr double some_share = 0.2;
constexpr double critical_share = 0.05;
constexpr std::uint64_t shortest_pause_ns = second_ns / 10;
constexpr std::uint64_t short_pause_ns = second_ns / 4;
constexpr double readings_before_the_end = 20;  // at the growth of the last second

bool is_recent(std::uint64_t event_ns, std::uint64_t now_ns, std::uint64_t for_ns) noexcept {
    return event_ns != 0 && now_ns - event_ns <= for_ns;
}

std::uint64_t left(const cgroup_memory& group) noexcept {
    return group.limit > group.unreclaimable ? group.limit - group.unreclaimable : 0;
}

}  // namespace

void pressure_gauge::note_events(const memory_reading& reading) noexcept {
    if (!before_) { return; }
    const pressure_events& now = reading.cgroup.events;
    const pressure_events& before = before_->cgroup.events;
    if (now.high > before.high || now.max > before.max) { met_ns_ = reading.time_ns; }
    if (now.oom > before.oom || now.oom_kill > before.oom_kill) { starved_ns_ = reading.time_ns; }
}

pressure_level pressure_gauge::level_of(const memory_reading& reading) const noexcept {
    const cgroup_memory& group = reading.cgroup;
    const double limit = static_cast<double>(group.limit);
    const bool is_limited = group.limit != 0;
    const double free = static_cast<double>(left(group));
    if ((is_limited && free <= limit * critical_share) || is_recent(starved_ns_, reading.time_ns, starved_for_ns)) {
        return pressure_level::critical;
    }
    const bool is_cheap = group.unreclaimable <= group.current / 2;
    if ((is_limited && free <= limit * some_share) || is_recent(heard_ns_, reading.time_ns, remembered_ns) ||
        (!is_cheap && is_recent(met_ns_, reading.time_ns, remembered_ns))) {
        return pressure_level::some;
    }
    return pressure_level::none;
}

// So that some 20 readings are left at the present speed.
void pressure_gauge::choose_pause(const memory_reading& reading) noexcept {
    pause_ns_ = level_ == pressure_level::critical ? shortest_pause_ns
                : level_ == pressure_level::some   ? short_pause_ns
                                                   : second_ns;
    if (!before_ || reading.cgroup.limit == 0 || reading.cgroup.unreclaimable <= before_->cgroup.unreclaimable) { return; }
    const double grown = static_cast<double>(reading.cgroup.unreclaimable - before_->cgroup.unreclaimable);
    const double took_ns = static_cast<double>(reading.time_ns - before_->time_ns);
    const double end_ns = static_cast<double>(left(reading.cgroup)) / grown * took_ns;
    const double wanted_ns = std::max(end_ns / readings_before_the_end, static_cast<double>(shortest_pause_ns));
    if (wanted_ns < static_cast<double>(pause_ns_)) { pause_ns_ = static_cast<std::uint64_t>(wanted_ns); }
}

pressure_level pressure_gauge::judge(const memory_reading& reading) noexcept {
    note_events(reading);
    const pressure_level now = level_of(reading);
    if (now > level_) {
        for (auto each = static_cast<std::size_t>(level_) + 1; each <= static_cast<std::size_t>(now); ++each) {
            ++risen_[each];
        }
    }
    if (now >= level_) {
        level_ = now;
        below_since_ns_ = 0;
    } else if (below_since_ns_ == 0) {
        below_since_ns_ = reading.time_ns;
    } else if (reading.time_ns - below_since_ns_ >= calm_ns) {
        level_ = now;
        below_since_ns_ = 0;
    }
    choose_pause(reading);
    before_ = reading;
    return level_;
}

}  // namespace v1
}  // namespace memwatch
