// SPDX-License-Identifier: Apache-2.0
#include "fleet/host_spread.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace memwatch::inline v1 {
namespace {

constexpr std::size_t most_exact = 64;
constexpr int octaves = 56;  // 1 byte to 2^56; above and below fall into the last and the first bucket
constexpr int buckets_an_octave = 8;
constexpr std::size_t bucket_count = std::size_t{octaves} * buckets_an_octave;
constexpr double normal_consistency = 1.4826;  // sigma of a normal distribution / its median absolute deviation

// The exponent and the three highest bits of the mantissa, counted from 1.0 (bits 0x3FF0...).
std::size_t bucket_of(double value) {
    if (!(value >= 1)) { return 0; }
    const auto steps = (std::bit_cast<std::uint64_t>(value) >> 49) - (std::uint64_t{1023} << 3);
    return std::min<std::size_t>(steps, bucket_count - 1);
}

double middle_of(std::size_t bucket) {
    const auto low = std::bit_cast<double>((std::uint64_t{bucket} + (std::uint64_t{1023} << 3)) << 49);
    const auto high = std::bit_cast<double>((std::uint64_t{bucket} + 1 + (std::uint64_t{1023} << 3)) << 49);
    return (low + high) / 2;
}

// The middle value; of an even number the mean of both. `sorted` by value.
template <class Weighted>
double median_of(const std::vector<Weighted>& sorted, std::uint64_t hosts) {
    const auto at = [&](std::uint64_t rank) {
        for (const auto& each : sorted) {
            if (rank < each.hosts) { return each.value; }
            rank -= each.hosts;
        }
        return sorted.empty() ? 0 : sorted.back().value;
    };
    return hosts == 0 ? 0 : (at((hosts - 1) / 2) + at(hosts / 2)) / 2;
}

template <class Weighted>
void sort_by_value(std::vector<Weighted>& values) {
    std::sort(values.begin(), values.end(), [](const auto& a, const auto& b) { return a.value < b.value; });
}

}  // namespace

void host_spread::add(std::uint32_t host, double bytes, double variance) {
    if (!(bytes > 0)) { return; }
    const auto value = static_cast<float>(std::min(bytes, 1e30));
    minimum_ = hosts_with_ == 0 ? value : std::min(minimum_, value);
    maximum_ = std::max(maximum_, value);
    ++hosts_with_;
    keep_if_large(host, bytes, variance);
    if (counts_ == nullptr && few_.size() < most_exact) { return few_.push_back(value); }
    if (counts_ == nullptr) {
        counts_ = std::make_unique<std::uint32_t[]>(bucket_count);
        for (const float each : few_) { ++counts_[bucket_of(each)]; }
        few_ = {};
    }
    ++counts_[bucket_of(value)];
}

void host_spread::keep_if_large(std::uint32_t host, double bytes, double variance) {
    auto* const end = std::end(largest_);
    const auto value = static_cast<float>(std::min(bytes, 1e30));
    auto* const place = std::find_if(std::begin(largest_), end, [&](const large& each) { return each.bytes < value; });
    if (place == end) { return; }
    std::move_backward(place, end - 1, end);
    *place = {value, static_cast<float>(std::min(std::sqrt(variance), 1e30)), host};
}

std::vector<host_spread::weighted> host_spread::values(std::uint64_t hosts) const {
    std::vector<weighted> all;
    if (hosts > hosts_with_) { all.push_back({0, hosts - hosts_with_}); }
    for (const float each : few_) { all.push_back({each, 1}); }
    for (std::size_t i = 0; counts_ != nullptr && i < bucket_count; ++i) {
        if (counts_[i] > 0) { all.push_back({std::clamp<double>(middle_of(i), minimum_, maximum_), counts_[i]}); }
    }
    sort_by_value(all);
    return all;
}

spread host_spread::measure(std::uint64_t hosts) const {
    spread out;
    hosts = std::max(hosts, hosts_with_);
    out.hosts_with = hosts_with_;
    out.minimum = hosts_with_ == hosts ? minimum_ : 0;
    out.maximum = maximum_;
    auto distances = values(hosts);
    out.median = median_of(distances, hosts);
    for (auto& each : distances) { each.value = std::abs(each.value - out.median); }
    sort_by_value(distances);
    out.scale = normal_consistency * median_of(distances, hosts);
    if (hosts < fewest_hosts_for_outliers) { return out; }
    for (const auto& each : largest_) {
        const double error = std::hypot(out.scale, each.standard_error);
        if (each.bytes > outlier_ratio * out.median && each.bytes - out.median > outlier_sigmas * error) {
            out.outliers.push_back({each.host, each.bytes, each.standard_error});
        }
    }
    out.has_more_outliers = out.outliers.size() == most_outliers && hosts_with_ > most_outliers;
    return out;
}

}  // namespace memwatch::inline v1
