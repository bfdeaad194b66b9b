// SPDX-License-Identifier: Apache-2.0
#include "footprint/memory_curve.hpp"

#include <algorithm>

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr std::uint32_t minute_s = 60;

std::uint32_t in_kib(std::uint64_t bytes) noexcept {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>((bytes + 512) / 1024, ~std::uint32_t{0}));
}

curve_point point_of(const memory_reading& reading, std::size_t group) noexcept {
    curve_point out;
    out.second = static_cast<std::uint32_t>(reading.time_ns / second_ns);
    out.resident = in_kib(reading.process.resident);
    out.anonymous = in_kib(reading.process.anonymous);
    out.address_space = in_kib(reading.process.address_space);
    out.used = in_kib(reading.cgroup.current);
    out.unreclaimable = in_kib(reading.cgroup.unreclaimable);
    out.peak = out.unreclaimable;
    out.limit = in_kib(reading.cgroup.limit);
    out.live = in_kib(reading.live_bytes);
    out.self = in_kib(reading.self_bytes);
    out.group = static_cast<std::uint32_t>(group);
    return out;
}

constexpr std::uint32_t curve_point::*averaged[] = {
    &curve_point::resident,      &curve_point::anonymous, &curve_point::address_space, &curve_point::used,
    &curve_point::unreclaimable, &curve_point::live,      &curve_point::self,
};

}  // namespace

void memory_curve::add(const memory_reading& reading, std::size_t group) noexcept {
    curve_point next = point_of(reading, group);
    if (seconds_.count != 0 && next.second <= seconds_.newest().second) {
        next.second = seconds_.newest().second;
        next.peak = std::max(next.peak, seconds_.newest().peak);
        seconds_.newest() = next;
        return;
    }
    const bool is_next_minute = in_minute_ != 0 && next.second / minute_s != seconds_.newest().second / minute_s;
    if (is_next_minute) { close_minute(); }
    seconds_.add(next);
    ++in_minute_;
}

void memory_curve::close_minute() noexcept {
    curve_point out = seconds_.newest();
    for (const auto member : averaged) {
        std::uint64_t sum = 0;
        for (std::size_t back = 0; back < in_minute_; ++back) { sum += seconds_.at(back).*member; }
        out.*member = static_cast<std::uint32_t>(sum / in_minute_);
    }
    for (std::size_t back = 0; back < in_minute_; ++back) { out.peak = std::max(out.peak, seconds_.at(back).peak); }
    out.seconds = in_minute_;
    minutes_.add(out);
    in_minute_ = 0;
}

void memory_curve::clear() noexcept {
    seconds_.next = seconds_.count = 0;
    minutes_.next = minutes_.count = 0;
    in_minute_ = 0;
}

std::vector<curve_point> memory_curve::copy(std::uint32_t span_s) const {
    std::vector<curve_point> out;
    if (seconds_.count == 0) { return out; }
    const std::uint32_t now = seconds_.at(0).second;
    const std::uint32_t since = now > span_s ? now - span_s : 0;
    const std::uint32_t first_second = seconds_.at(seconds_.count - 1).second;
    for (std::size_t back = minutes_.count; back-- > 0;) {
        const curve_point& point = minutes_.at(back);
        if (point.second >= since && point.second < first_second) { out.push_back(point); }
    }
    for (std::size_t back = seconds_.count; back-- > 0;) {
        if (seconds_.at(back).second >= since) { out.push_back(seconds_.at(back)); }
    }
    return out;
}

}  // namespace v1
}  // namespace memwatch
