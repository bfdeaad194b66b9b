// SPDX-License-Identifier: Apache-2.0
#include "site.hpp"

#include <algorithm>

namespace soak {
namespace {

// `blocks` alike at once.
void add(memwatch::sampled_totals& sum, std::uint64_t size_bytes, std::uint64_t interval_bytes, std::uint64_t blocks) {
    memwatch::sampled_totals one;
    one.add(size_bytes, interval_bytes);
    const auto n = static_cast<double>(blocks);
    sum.add({one.bytes * n, one.objects * n, one.bytes_variance * n, one.objects_variance * n, blocks});
}

}  // namespace

site::site(const site_traits& traits, std::uint64_t interval_bytes, chance random)
    : traits_(traits), interval_bytes_(interval_bytes), random_(std::move(random)) {}

void site::live_through(const stretch& now) {
    const double by_now = end_clock(now);
    const auto is_over = [&](const block& each) {
        if (each.death > by_now) { return false; }
        end(each);
        return true;
    };
    alive_.erase(std::remove_if(alive_.begin(), alive_.end(), is_over), alive_.end());
    give_birth(now);
}

void site::end(const block& gone) {
    add(totals_.freed, gone.size_bytes, interval_bytes_, 1);
    if (random_.with(traits_.other_thread_share)) { add(totals_.freed_by_other_thread, gone.size_bytes, interval_bytes_, 1); }
}

void site::begin(double birth_s, double death, std::uint64_t size_bytes, bool is_lost) {
    add(totals_.allocated, size_bytes, interval_bytes_, 1);
    alive_.push_back({birth_s, death, random_.with(traits_.traced_share), is_lost, size_bytes});
    lost_samples_ += is_lost ? 1 : 0;
}

void site::pass(std::uint64_t blocks) {
    if (blocks == 0) { return; }
    add(totals_.allocated, traits_.size_bytes, interval_bytes_, blocks);
    add(totals_.freed, traits_.size_bytes, interval_bytes_, blocks);
    const std::uint64_t elsewhere = std::min(blocks, random_.poisson(traits_.other_thread_share * static_cast<double>(blocks)));
    if (elsewhere > 0) { add(totals_.freed_by_other_thread, traits_.size_bytes, interval_bytes_, elsewhere); }
}

void site::begin_or_pass(const stretch& now, double birth_s, double death) {
    if (death > end_clock(now)) {
        begin(birth_s, death);
    } else {
        pass(1);
    }
}

void site::end_all() {
    for (const block& each : alive_) { end(each); }
    alive_.clear();
}

double site::sampled_share(std::uint64_t size_bytes) const {
    return memwatch::sampling_probability(size_bytes, interval_bytes_);
}

double site::sampled_rate(double bytes_per_second) const {
    return bytes_per_second / static_cast<double>(traits_.size_bytes) * sampled_share();
}

}  // namespace soak
