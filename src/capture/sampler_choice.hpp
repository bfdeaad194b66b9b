// SPDX-License-Identifier: Apache-2.0
#pragma once
// A sampler that is asked at each block, in the slow path: one block in N, or a function of the program's. Poisson sampling by
// bytes is the absence of one.
//
// A decision with probability p becomes a record of interval R' = -S / ln(1 - p), which is what weights, thinning and every
// dump know. R' is rounded to whole bytes first and the block is drawn for with p' = 1 - exp(-S / R'), so weights are exact
// and unbiased for all S and p; the rate is p to within a relative 1 / (2 R'), 100 % for p -> 1 (then R' is 0 or 1).
//   p = 1/1000: S = 1 .. R' = 1000 (rate off by 0.05 %), S = 48 .. R' = 47,976 (0.001 %);   p = 1/2: S = 1 .. R' = 1 (p' =
//   0.63)
// Where load or a full table raised R, R' is no less than what it was raised to: fewer blocks, each standing for more.
// Immutable once it is in force. Threads: any. Checked by tests/unit/capture/sampler_choice_test.cpp, 4 sigma.

#include <cmath>
#include <cstddef>
#include <cstdint>

#include <memwatch/capture/thread_block.hpp>
#include <memwatch/model/weight.hpp>
#include <memwatch/options.hpp>
#include "base/random.hpp"

namespace memwatch {
inline namespace v1 {

class sampler_choice {
public:
    static constexpr std::uint64_t most_interval = 1ULL << 40U;  // as the option's; a smaller p becomes this R'

    sampler_choice() noexcept = default;
    // One block in `one_in`; 1 is every block.
    explicit sampler_choice(std::uint32_t one_in) noexcept
        : one_in_(one_in), bytes_to_interval_(one_in < 2 ? 0 : -1 / std::log1p(-1.0 / one_in)) {}
    sampler_choice(sampler_function function, void* context) noexcept : function_(function), context_(context) {}

    // Is this block a sample? `interval_bytes` is then the R' it is weighted with; at least `raised_floor`. [hook]
    [[nodiscard]] bool decide(std::size_t bytes, tag_id owner, std::uint64_t& random_state, std::uint64_t raised_floor,
                              std::uint64_t& interval_bytes) const noexcept {
        const std::uint64_t wanted = function_ != nullptr ? interval_of(bytes, function_(bytes, owner, context_))
                                                          : rounded(static_cast<double>(bytes) * bytes_to_interval_);
        if (wanted == never) { return false; }
        interval_bytes = wanted > raised_floor ? wanted : raised_floor;
        if (interval_bytes == 0) { return true; }
        // p' <= S / R': spares most blocks the exponential.
        const double unit = next_unit(random_state);
        if (unit * static_cast<double>(interval_bytes) > static_cast<double>(bytes)) { return false; }
        return unit <= sampling_probability(bytes, interval_bytes);
    }

    [[nodiscard]] bool is_own() const noexcept { return function_ != nullptr; }
    [[nodiscard]] std::uint32_t one_in() const noexcept { return one_in_; }
    friend bool operator==(const sampler_choice& a, const sampler_choice& b) noexcept {
        return a.one_in_ == b.one_in_ && a.function_ == b.function_ && a.context_ == b.context_;
    }

    // R' of probability `p`; `never` for 0, less and what is no number; 0, every block, for 1 and more.
    static constexpr std::uint64_t never = ~std::uint64_t{0};
    [[nodiscard]] static std::uint64_t interval_of(std::size_t bytes, double p) noexcept {
        if (!(p > 0)) { return never; }
        return p >= 1 ? 0 : rounded(-static_cast<double>(bytes) / std::log1p(-p));
    }

private:
    [[nodiscard]] static std::uint64_t rounded(double interval) noexcept {
        if (interval <= 0) { return 0; }
        if (interval >= static_cast<double>(most_interval)) { return most_interval; }
        return interval < 1 ? 1 : static_cast<std::uint64_t>(interval + 0.5);
    }

    std::uint32_t one_in_{0};
    double bytes_to_interval_{0};  // -1 / ln(1 - 1/N)
    sampler_function function_{nullptr};
    void* context_{nullptr};
};

}  // namespace v1
}  // namespace memwatch
