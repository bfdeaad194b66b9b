// SPDX-License-Identifier: Apache-2.0
// Any bytes as what the kernel says of memory: /proc/self/status and limits, memory.stat, memory.events, files of one number.
// Numbers come out, or nothing changes; the curve and the forecast take whatever they are.

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "footprint/kernel_text.hpp"
#include "footprint/memory_curve.hpp"
#include "footprint/pressure.hpp"
#include "footprint/time_to_oom.hpp"
#include "footprint/timeline.hpp"

namespace {

using namespace memwatch;

// Aborts: what a fuzzer reports as a finding, also where assertions are off.
void require(bool holds) {
    if (!holds) { std::abort(); }
}

memory_reading read_all(std::string_view text) {
    memory_reading out;
    parse_status(text, out.process);
    out.process.address_space_limit = parse_address_space_limit(text);
    group_stat stat;
    parse_group_stat(text, stat);
    parse_events(text, out.cgroup.events);
    out.cgroup.current = stat.file_cache;
    out.cgroup.unreclaimable = stat.slab_reclaimable;
    out.cgroup.limit = parse_bytes(text, 0);
    require(out.cgroup.limit < 1ULL << 60U);
    require(out.process.resident <= 1ULL << 60U);
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    memory_reading reading = read_all(text);
    static memory_curve curve;
    curve.clear();
    pressure_gauge gauge;
    for (std::uint64_t second = 0; second < 40; ++second) {
        // From one end of what was read to the other, so that there is something to forecast.
        memory_reading now = reading;
        now.time_ns = (second + 1) * 1'000'000'000;
        now.cgroup.unreclaimable = reading.cgroup.unreclaimable / 40 * second;
        now.process.address_space = reading.process.address_space / 40 * second;
        curve.add(now, 0);
        gauge.judge(now);
        require(gauge.pause_ns() >= 100'000'000 && gauge.pause_ns() <= 1'000'000'000);
    }
    memory_timeline shown;
    shown.latest = reading;
    shown.latest.time_ns = 1;
    shown.level = gauge.level();
    shown.forecast = forecast_oom(curve, reading.process.address_space_limit);
    if (shown.forecast) {
        require(shown.forecast->least_seconds >= 0 && shown.forecast->least_seconds <= shown.forecast->most_seconds);
        require(std::isfinite(shown.forecast->seconds));
    }
    shown.points = curve.copy(40);
    require(!render_json(shown).empty() && !render_text(shown).empty());
    return 0;
}
