// SPDX-License-Identifier: Apache-2.0
// How one site spreads over hosts: the sketch against the truth, and how often the rule accuses an innocent host.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <random>

#include "fleet/host_spread.hpp"
#include "support/seed.hpp"

using namespace memwatch;

namespace {

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2;
}

spread spread_of(const std::vector<double>& bytes) {
    host_spread all;
    for (std::size_t i = 0; i < bytes.size(); ++i) { all.add(static_cast<std::uint32_t>(i), bytes[i], 0); }
    return all.measure(bytes.size());
}

}  // namespace

TEST_CASE("host_spread: few hosts are exact, hosts without the site count as 0") {
    host_spread all;
    all.add(0, 10, 0);
    all.add(3, 30, 0);
    all.add(4, 20, 0);
    const auto of_three = all.measure(3);
    CHECK(of_three.hosts_with == 3);
    CHECK(of_three.minimum == 10);
    CHECK(of_three.median == 20);
    CHECK(of_three.maximum == 30);
    const auto of_five = all.measure(5);
    CHECK(of_five.minimum == 0);
    CHECK(of_five.median == 10);
    CHECK(of_five.outliers.empty());
    CHECK(host_spread{}.measure(0).median == 0);
}

TEST_CASE("host_spread: the sketch is within its bound: median and scale within 6 % for any number of hosts") {
    const auto seed = test_support::seed();
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    for (const std::size_t hosts : {10U, 64U, 65U, 1000U, 5000U}) {
        for (const double sigma : {0.01, 0.5, 2.0}) {
            std::lognormal_distribution<double> amount(12, sigma);
            std::vector<double> bytes;
            for (std::size_t i = 0; i < hosts; ++i) { bytes.push_back(amount(random)); }
            const auto measured = spread_of(bytes);
            const auto truth = median(bytes);
            INFO("hosts " << hosts << " sigma " << sigma);
            CHECK(std::abs(measured.median - truth) <= 0.0626 * truth);
            auto distances = bytes;
            for (auto& each : distances) { each = std::abs(each - truth); }
            CHECK(std::abs(measured.scale - 1.4826 * median(distances)) <=
                  1.4826 * (2 * 0.0626 * truth + 0.0626 * median(distances)));
            CHECK(measured.minimum == static_cast<float>(*std::min_element(bytes.begin(), bytes.end())));
            CHECK(measured.maximum == static_cast<float>(*std::max_element(bytes.begin(), bytes.end())));
        }
    }
}

TEST_CASE("host_spread: a host far above the others is named, however many they are and in whatever order they come") {
    const auto seed = test_support::seed();
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    std::normal_distribution<double> amount(1e6, 1e5);
    for (const std::size_t hosts : {8U, 100U, 3000U}) {
        std::vector<std::uint32_t> order(hosts);
        for (std::uint32_t i = 0; i < hosts; ++i) { order[i] = i; }
        std::shuffle(order.begin(), order.end(), random);
        host_spread all;
        for (const auto host : order) { all.add(host, host == 5 ? 3e6 : std::clamp(amount(random), 5e5, 1.5e6), 1e8); }
        const auto measured = all.measure(hosts);
        INFO("hosts " << hosts);
        REQUIRE(measured.outliers.size() == 1);
        CHECK(measured.outliers[0].host == 5);
        CHECK(measured.outliers[0].bytes == 3e6);
        CHECK(measured.outliers[0].standard_error == 1e4);
        CHECK_FALSE(measured.has_more_outliers);
    }
}

TEST_CASE("host_spread: the largest hosts are kept, and more of them are said to be there") {
    host_spread all;
    for (std::uint32_t host = 0; host < 100; ++host) { all.add(host, host % 10 == 0 ? 1e6 + host : 100, 0); }
    const auto measured = all.measure(100);
    REQUIRE(measured.outliers.size() == most_outliers);
    for (std::size_t i = 0; i < most_outliers; ++i) { CHECK(measured.outliers[i].host == 90 - 10 * i); }
    CHECK(measured.has_more_outliers);
}

TEST_CASE("host_spread: a fleet that only sampling tells apart has no outliers, and other differences seldom make one") {
    const auto seed = test_support::seed();
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    // By sampling alone: n samples of weight 1 with variance n, as blocks far smaller than R are.
    std::size_t accused = 0;
    for (const double mean : {0.1, 1.0, 10.0, 100.0}) {
        for (const std::size_t hosts : {8U, 50U}) {
            std::poisson_distribution<int> samples(mean);
            for (std::size_t pairs = 0; pairs < 125'000; pairs += hosts) {
                host_spread all;
                for (std::uint32_t host = 0; host < hosts; ++host) {
                    const double count = samples(random);
                    all.add(host, count, count);
                }
                accused += all.measure(hosts).outliers.size();
            }
        }
    }
    CHECK(accused == 0);  // of a million pairs
    // Hosts that differ by 30 % for reasons of their own, measured exactly.
    for (const auto& [hosts, most] : {std::pair{8U, 1 / 2000.0}, std::pair{20U, 1 / 10'000.0}}) {
        constexpr std::size_t pairs = 400'000;
        std::normal_distribution<double> amount(1e6, 3e5);
        accused = 0;
        for (std::size_t done = 0; done < pairs; done += hosts) {
            host_spread all;
            for (std::uint32_t host = 0; host < hosts; ++host) { all.add(host, std::max(0.0, amount(random)), 0); }
            accused += all.measure(hosts).outliers.size();
        }
        const double expected = most * pairs;
        INFO("hosts " << hosts << " accused " << accused);
        CHECK(static_cast<double>(accused) < expected + 4 * std::sqrt(expected));  // 4 sigma: 1 in 30,000 seeds
    }
}

TEST_CASE("host_spread: impossible amounts do no harm") {
    host_spread all;
    for (const double bytes : {0.0, -5.0, 0.1, 1e300, std::nan("")}) { all.add(1, bytes, 1e300); }
    const auto measured = all.measure(10);
    CHECK(measured.hosts_with == 2);
    CHECK(std::isfinite(measured.median));
    CHECK(std::isfinite(measured.scale));
    CHECK(std::isfinite(measured.maximum));
}
