// SPDX-License-Identifier: Apache-2.0
#pragma once
// The seed of a randomised test: the same in every run, so that a red run is red again, unless MEMWATCH_TEST_SEED asks for
// another (a loop over seeds finds what one seed does not). Tests print it with INFO.

#include <cstdint>
#include <cstdlib>

namespace test_support {

[[nodiscard]] inline std::uint64_t seed() {
    static std::uint64_t calls = 0;
    const char* const wanted = std::getenv("MEMWATCH_TEST_SEED");
    return (wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 20261121) + 1'000'003 * calls++;
}

}  // namespace test_support
