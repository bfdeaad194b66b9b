// SPDX-License-Identifier: Apache-2.0
#include "runtime/tasks/interval_control.hpp"

#include <algorithm>

#include "platform/platform.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::uint64_t cpus_are_good_for_ns = 60'000'000'000;  // quotas change, but not often

interval_governor::reading read_cost(const capture_state& capture, std::uint64_t now_ns) noexcept {
    return {now_ns, capture.cost.samples(), capture.cost.spent_ns()};
}

double count_cpus() noexcept {
    try {
        return platform::available_cpus();
    } catch (...) {
        return 1;  // no memory to read files: the strictest reading of the target
    }
}

}  // namespace

void interval_control::begin(capture_state& capture, const options& wanted, std::uint64_t interval_bytes) noexcept {
    interval_governor::limits limits;
    limits.floor_bytes = interval_bytes;
    limits.cap_bytes = wanted.interval_cap_bytes;
    limits.samples_per_second = wanted.target_samples_per_second;
    limits.overhead_permille = wanted.target_overhead_permille;
    limits.cpus = count_cpus();
    const std::lock_guard guard(mutex_);
    if (budget_bytes_ != wanted.budget_bytes) {  // until it is known what is left
        waste_limit_ = wanted.budget_bytes / (is_small(wanted.budget_bytes) ? 4 : 2);
    }
    budget_bytes_ = wanted.budget_bytes;
    governor_.begin(limits, read_cost(capture, platform::monotonic_ns()));
    apply(capture);
}

void interval_control::turn(capture_state& capture, std::uint64_t now_ns) noexcept {
    double cpus = 0;
    if (now_ns - looked_at_cpus_ns_ > cpus_are_good_for_ns) {
        cpus = count_cpus();
        looked_at_cpus_ns_ = now_ns;
    }
    const std::lock_guard guard(mutex_);
    if (cpus > 0) { governor_.set_cpus(cpus); }
    const interval_governor::step done = governor_.update(read_cost(capture, now_ns));
    if (done == interval_governor::step::none) { return; }
    capture.losses.count(done == interval_governor::step::raised ? degradation::load_interval_raised
                                                                 : degradation::load_interval_lowered);
    apply(capture);
}

void interval_control::limit_waste(capture_state& capture, std::uint64_t left_bytes) noexcept {
    const std::lock_guard guard(mutex_);
    const bool is_tight = is_small(budget_bytes_);
    const std::uint64_t least = is_tight ? budget_bytes_ / 16 : budget_bytes_ / 4;
    const std::uint64_t most = is_tight ? budget_bytes_ / 8 * 3 : budget_bytes_ / 2;
    const std::uint64_t limit = std::clamp(left_bytes, least, most);
    if (limit == waste_limit_ || budget_bytes_ == 0) { return; }
    waste_limit_ = limit;
    apply(capture);
}

// Page edges are judged against the R in force, or a raised R would let them waste more than their limit.
void interval_control::apply(capture_state& capture) const noexcept {
    capture.interval.set(sampling_interval::wish::load, governor_.interval_bytes());
    capture.edge_waste.limit_waste(waste_limit_, governor_.interval_bytes(), is_small(budget_bytes_));
}

}  // namespace v1
}  // namespace memwatch
