// SPDX-License-Identifier: Apache-2.0
#pragma once
// How live bytes of one site spread over the hosts of a fleet, in memory that does not grow with the number of hosts.
//
// A host without the site counts as 0: sampling misses small amounts on most hosts and overstates them on the others, and only
// together they are unbiased. Up to 64 values are kept as they are; beyond, they are counted in buckets an eighth of an octave
// wide, so that the median is within 6 % (tests/unit/fleet, "the sketch is within its bound"). Minimum, maximum and the hosts
// with the largest values stay exact (float: 7 digits).
//
//   hosts     998 x about 1 MiB, 1 x 1.2 MiB, 1 x 60 MiB
//   spread    median 1 MiB, scale 0.1 MiB (1.4826 x the median distance from the median: a normal's sigma)
//   outlier   60 MiB is more than twice the median, and (60 - 1) MiB is more than 5 x sqrt(scale^2 + own sampling error^2)
//
// Odds, drawn by tests/unit/fleet, "a fleet that only sampling tells apart has no outliers": none of a million host-and-site
// pairs that differ by sampling alone; where hosts also differ by 30 % for reasons of their own (load, shards), one in 2,000 in
// a fleet of 8 and one in 10,000 in one of 20. A named host is one to look at. With fewer than 8 hosts none is named.
//
// Threads: one.

#include <cstdint>
#include <memory>
#include <vector>

namespace memwatch::inline v1 {

inline constexpr std::size_t fewest_hosts_for_outliers = 8;
inline constexpr double outlier_sigmas = 5;
inline constexpr double outlier_ratio = 2;
inline constexpr std::size_t most_outliers = 4;  // kept of one site; more of them are a group, not outliers

struct outlier {
    std::uint32_t host;
    double bytes;
    double standard_error;
};

struct spread {
    std::uint64_t hosts_with{};  // a live byte of it
    double minimum{};
    double median{};
    double maximum{};
    double scale{};                 // robust standard deviation
    std::vector<outlier> outliers;  // largest first
    bool has_more_outliers{};       // the smallest that was kept is one, so others may be
};

class host_spread {
public:
    // Each host once, with what all its processes hold.
    void add(std::uint32_t host, double bytes, double variance);

    // Over `hosts` in all, of which those never added hold nothing.
    [[nodiscard]] spread measure(std::uint64_t hosts) const;

private:
    struct weighted {
        double value;
        std::uint64_t hosts;
    };
    struct large {
        float bytes;
        float standard_error;
        std::uint32_t host;
    };

    void keep_if_large(std::uint32_t host, double bytes, double variance);
    [[nodiscard]] std::vector<weighted> values(std::uint64_t hosts) const;

    std::vector<float> few_;                   // until there are more than fit
    std::unique_ptr<std::uint32_t[]> counts_;  // then these
    std::uint64_t hosts_with_{};
    float minimum_{};
    float maximum_{};
    large largest_[most_outliers]{};  // by bytes, largest first
};

}  // namespace memwatch::inline v1
