// SPDX-License-Identifier: Apache-2.0
#pragma once
// A against B on a noisy machine: both run in turn within one process, many short rounds, and what is compared are medians of
// the per-round differences, with their spread. Drift and other tenants hit both alike.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

namespace bench {

struct summary {
    double median;
    double low;   // 10th percentile
    double high;  // 90th
};

[[nodiscard]] inline summary summarize(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const auto at = [&](double q) { return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))]; };
    return {at(0.5), at(0.1), at(0.9)};
}

template <class Action>
[[nodiscard]] double nanoseconds_per(std::size_t operations, Action action) {
    const auto start = std::chrono::steady_clock::now();
    action(operations);
    const std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - start;
    return elapsed.count() / static_cast<double>(operations);
}

struct comparison {
    summary a;  // ns an operation
    summary b;
    summary difference;  // b - a, round by round
};

// `operations` a round should take about a millisecond: long beside the clock, short beside a time slice.
template <class A, class B>
[[nodiscard]] comparison compare(std::size_t rounds, std::size_t operations, A a, B b) {
    std::vector<double> of_a;
    std::vector<double> of_b;
    std::vector<double> differences;
    for (std::size_t i = 0; i < rounds + 3; ++i) {
        // Which goes first alternates, so that neither profits from the other's warm caches.
        double ns_a = 0;
        double ns_b = 0;
        if (i % 2 == 0) { ns_a = nanoseconds_per(operations, a); }
        ns_b = nanoseconds_per(operations, b);
        if (i % 2 != 0) { ns_a = nanoseconds_per(operations, a); }
        if (i < 3) { continue; }  // warm-up
        of_a.push_back(ns_a);
        of_b.push_back(ns_b);
        differences.push_back(ns_b - ns_a);
    }
    return {summarize(of_a), summarize(of_b), summarize(differences)};
}

}  // namespace bench
