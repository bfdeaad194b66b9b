// SPDX-License-Identifier: Apache-2.0
#include "observer.hpp"

#include <time.h>

namespace soak {
namespace {

// Time 0 of the simulation is a second after the clock's: a birth at 0 would be an unknown one.
std::uint64_t nanoseconds(double seconds) { return 1'000'000'000 + static_cast<std::uint64_t>(seconds * 1e9); }

double thread_cpu_s() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

memwatch::engine_settings settings_of(double epoch_s) {
    memwatch::engine_settings settings;
    settings.epoch_ns = static_cast<std::uint64_t>(epoch_s * 1e9);
    return settings;
}

}  // namespace

observer::observer(double epoch_s) : engine_(settings_of(epoch_s)) {}

void observer::look_at(const service& observed, double interval_bytes) {
    const double began_s = thread_cpu_s();
    const auto& sites = observed.sites();
    memwatch::look now;
    now.time_ns = nanoseconds(observed.now_s());
    now.sites = static_cast<std::uint32_t>(sites.size());
    now.completed_traces = observed.completed_traces();
    engine_.begin_look(now);
    const auto interval = static_cast<std::uint64_t>(interval_bytes);
    for (std::uint32_t i = 0; i < now.sites; ++i) {
        for (const block& each : sites[i]->alive()) {
            engine_.count_block(i, {nanoseconds(each.birth_s), each.size_bytes, interval, each.is_traced});
        }
    }
    for (std::uint32_t i = 0; i < now.sites; ++i) { engine_.count_site(i, sites[i]->totals()); }
    engine_.end_look();
    verdicts_ = engine_.verdicts();
    look_seconds_ += thread_cpu_s() - began_s;
}

}  // namespace soak
