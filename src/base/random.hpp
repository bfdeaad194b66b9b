// SPDX-License-Identifier: Apache-2.0
#pragma once
// A small generator for sampling decisions: xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift
// generators, scrambled", 2016). One word of state, so that it fits a thread's block; not for secrets.

#include <cstdint>

namespace memwatch {
inline namespace v1 {

// `state` must not be 0 and never becomes 0.
[[nodiscard]] constexpr std::uint64_t next_random(std::uint64_t& state) noexcept {
    state ^= state >> 12U;
    state ^= state << 25U;
    state ^= state >> 27U;
    return state * 0x2545F4914F6CDD1DULL;
}

// Uniform in (0, 1], so that its logarithm is finite.
[[nodiscard]] constexpr double next_unit(std::uint64_t& state) noexcept {
    return static_cast<double>((next_random(state) >> 11U) + 1) * 0x1p-53;
}

}  // namespace v1
}  // namespace memwatch
