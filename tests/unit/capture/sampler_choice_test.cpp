// SPDX-License-Identifier: Apache-2.0
// Samplers that are asked at each block. Estimates are compared with the truth at 4 standard errors: under the null a check
// fails by chance once in 15,800; there are some 60 with fixed seeds, so a failure is a defect.
#include "capture/sampler_choice.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include <memwatch/capture/sampler.hpp>
#include "capture/capture_state.hpp"
#include "capture/own_work.hpp"

using namespace memwatch;

namespace {

struct tally {
    sampled_totals estimate;
    double true_bytes{};
    double true_objects{};
    double bytes_variance{};  // by the sampler's own p, not by what was drawn
    double objects_variance{};

    void add_block(std::size_t bytes, double p) {
        true_bytes += static_cast<double>(bytes);
        true_objects += 1;
        bytes_variance += static_cast<double>(bytes) * static_cast<double>(bytes) * (1 - p) / p;
        objects_variance += (1 - p) / p;
    }
    void check_unbiased() const {
        CAPTURE(estimate.samples, estimate.bytes, true_bytes, std::sqrt(bytes_variance));
        CHECK(std::abs(estimate.bytes - true_bytes) <= 4 * std::sqrt(bytes_variance) + 1e-6 * true_bytes);
        CHECK(std::abs(estimate.objects - true_objects) <= 4 * std::sqrt(objects_variance) + 1e-6 * true_objects);
    }
};

// What is drawn for a block: the p that its R' has.
double drawn_probability(std::size_t bytes, double p) {
    return sampling_probability(bytes, sampler_choice::interval_of(bytes, p));
}

}  // namespace

TEST_CASE("sampler_choice: one in N is unbiased for tiny, mixed and huge blocks, for small N and large", "[capture]") {
    const std::uint32_t n = GENERATE(1U, 2U, 3U, 10U, 1000U);
    const std::size_t size = GENERATE(1U, 2U, 7U, 48U, 4096U, 1U << 30U);
    CAPTURE(n, size);
    const sampler_choice sampler(n);
    std::uint64_t random = 20261122 + n * 31 + size;
    tally t;
    for (int i = 0; i < 200'000; ++i) {
        const std::size_t bytes = size + static_cast<std::size_t>(i % 3);
        std::uint64_t interval = 0;
        t.add_block(bytes, drawn_probability(bytes, 1.0 / n));
        if (sampler.decide(bytes, 0, random, 0, interval)) { t.estimate.add(bytes, interval); }
    }
    t.check_unbiased();
    if (n == 1) { CHECK(t.estimate.samples == 200'000); }
}

TEST_CASE("sampler_choice: the rate is p to within the rounding of R' that the header states", "[capture]") {
    for (const double p : {1e-6, 1e-3, 0.01, 0.1}) {
        for (const std::size_t bytes : {1U, 8U, 48U, 1000U}) {
            const auto interval = static_cast<double>(sampler_choice::interval_of(bytes, p));
            CAPTURE(p, bytes, interval);
            CHECK(std::abs(drawn_probability(bytes, p) / p - 1) <= 0.51 / (interval - 0.5));
        }
    }
    CHECK(sampler_choice::interval_of(1, 0.001) == 999);
    CHECK(sampler_choice::interval_of(48, 0.001) == 47'976);
    CHECK(drawn_probability(1, 0.5) == Approx(0.632).epsilon(0.001));
    CHECK(sampler_choice::interval_of(1ULL << 40U, 1e-12) == sampler_choice::most_interval);
}

TEST_CASE("sampler_choice: what a function answers beyond 0 .. 1 is never and always, and no number is never", "[capture]") {
    CHECK(sampler_choice::interval_of(48, 0) == sampler_choice::never);
    CHECK(sampler_choice::interval_of(48, -1) == sampler_choice::never);
    CHECK(sampler_choice::interval_of(48, std::numeric_limits<double>::quiet_NaN()) == sampler_choice::never);
    CHECK(sampler_choice::interval_of(48, 1) == 0);
    CHECK(sampler_choice::interval_of(48, 17) == 0);
    CHECK(sampler_choice::interval_of(48, std::numeric_limits<double>::infinity()) == 0);
    CHECK(sampler_choice::interval_of(48, std::nextafter(1.0, 0.0)) >= 1);
    CHECK(sampler_choice::interval_of(48, std::numeric_limits<double>::denorm_min()) == sampler_choice::most_interval);
}

TEST_CASE("sampler_choice: the program's own function is unbiased whatever it depends on, also where load raised R",
          "[capture]") {
    const std::uint64_t floor = GENERATE(0ULL, 1ULL << 16U);
    const auto rarely_small = [](std::size_t bytes, std::uint16_t tag, void* factor) noexcept {
        return *static_cast<const double*>(factor) * static_cast<double>(bytes) / 100'000 * (tag == 3 ? 0.1 : 1.0);
    };
    double factor = 0.5;
    const sampler_choice sampler(rarely_small, &factor);
    std::uint64_t random = 7 + floor;
    for (const std::uint16_t tag : {std::uint16_t{0}, std::uint16_t{3}}) {
        tally t;
        for (int i = 0; i < 300'000; ++i) {
            const std::size_t bytes = 16 + static_cast<std::size_t>(i) * 37 % 20'000;
            const std::uint64_t wanted = sampler_choice::interval_of(bytes, rarely_small(bytes, tag, &factor));
            t.add_block(bytes, sampling_probability(bytes, std::max(wanted, floor)));
            std::uint64_t interval = 0;
            if (sampler.decide(bytes, tag, random, floor, interval)) {
                CHECK(interval >= floor);
                t.estimate.add(bytes, interval);
            }
        }
        CHECK(t.estimate.samples > 500);
        t.check_unbiased();
    }
}

namespace {

struct sampler_on {
    sampler_on() {
        process_capture().interval.set(sampling_interval::wish::configured, 64U << 10U);
        process_capture().is_sampling = true;
        detail::this_thread.countdown = 0;
        detail::this_thread.random_state = 0;
        static_cast<void>(detail::take_sample(0));
        detail::this_thread.random_state = 4711;
    }
    ~sampler_on() {
        use(nullptr);
        process_capture().min_size_bytes = 0;
        process_capture().is_sampling = false;
        detail::this_thread.countdown = 0;
    }
    static void use(const sampler_choice* sampler) { process_capture().sampler = sampler; }
};

void allocate(tally& t, std::size_t bytes, double p) {
    t.add_block(bytes, p);
    if (!detail::countdown_borrows(bytes)) { return; }
    if (const auto ticket = detail::take_sample(bytes); ticket.is_taken) { t.estimate.add(bytes, ticket.interval_bytes); }
}

}  // namespace

TEST_CASE("sampler: changing between Poisson and one in N all the time leaves sums unbiased", "[capture]") {
    const sampler_on on;
    static const sampler_choice one_in(40);
    tally t;
    for (int i = 0; i < 400'000; ++i) {
        if (i % 997 == 0) { sampler_on::use(i / 997 % 2 == 0 ? &one_in : nullptr); }
        const std::size_t bytes = 100 + static_cast<std::size_t>(i % 7) * 300;
        // The worse of the two chances bounds the variance from above.
        allocate(t, bytes, std::min(drawn_probability(bytes, 1.0 / 40), sampling_probability(bytes, 64U << 10U)));
    }
    CHECK(t.estimate.samples > 2000);
    t.check_unbiased();
}

TEST_CASE("sampler: below min_size nothing is a sample, and sums of the others are unbiased, with either sampler",
          "[capture]") {
    const sampler_on on;
    static const sampler_choice one_in(40);
    const bool is_poisson = GENERATE(true, false);
    sampler_on::use(is_poisson ? nullptr : &one_in);
    process_capture().min_size_bytes = 1000;
    tally large;
    for (int i = 0; i < 200'000; ++i) {
        tally small;
        allocate(small, 999, 1);
        CHECK(small.estimate.samples == 0);
        const std::size_t bytes = 1000 + static_cast<std::size_t>(i % 5) * 700;
        allocate(large, bytes, is_poisson ? sampling_probability(bytes, 64U << 10U) : drawn_probability(bytes, 1.0 / 40));
    }
    CHECK(large.estimate.samples > 1000);
    large.check_unbiased();
}

TEST_CASE("sampler: what the program's function allocates against the rules is no sample and does not recurse", "[capture]") {
    const sampler_on on;
    static int calls = 0;
    static int borrowed = 0;
    const sampler_choice greedy(
        [](std::size_t, std::uint16_t, void*) noexcept {
            ++calls;
            borrowed += detail::countdown_borrows(1U << 20U) ? 1 : 0;
            return 1.0;
        },
        nullptr);
    sampler_on::use(&greedy);
    detail::this_thread.countdown = 0;
    tally t;
    for (int i = 0; i < 100; ++i) { allocate(t, 10, 1); }
    CHECK(calls >= 99);  // the first may be the end of a draw that was made before
    CHECK(borrowed == 0);
    CHECK(t.estimate.samples >= 99);
    sampler_on::use(nullptr);
}

TEST_CASE("sampler: skipping a block that is another door's leaves the next ones their chances", "[capture]") {
    const sampler_on on;
    static const sampler_choice one_in(40);
    const bool is_poisson = GENERATE(true, false);
    sampler_on::use(is_poisson ? nullptr : &one_in);
    tally t;
    for (int i = 0; i < 200'000; ++i) {
        if (detail::countdown_borrows(5000)) { detail::skip_sample(5000); }
        allocate(t, 800, is_poisson ? sampling_probability(800, 64U << 10U) : drawn_probability(800, 1.0 / 40));
    }
    CHECK(t.estimate.samples > 1000);
    t.check_unbiased();
}
