// SPDX-License-Identifier: Apache-2.0
#pragma once
// The second draw: a block that was sampled at interval `from` stays with probability p(S, to) / p(S, from) and is weighted
// with `to` from then on. Both draws together are one draw at `to`, so sums stay unbiased (Horvitz-Thompson over their
// product).

#include <cstdint>

#include <memwatch/model/weight.hpp>
#include "base/random.hpp"

namespace memwatch {
inline namespace v1 {

// For from <= to.
[[nodiscard]] inline bool survives_thinning(std::uint64_t size_bytes, std::uint64_t from, std::uint64_t to,
                                            std::uint64_t& random_state) noexcept {
    return next_unit(random_state) * sampling_probability(size_bytes, from) <= sampling_probability(size_bytes, to);
}

}  // namespace v1
}  // namespace memwatch
