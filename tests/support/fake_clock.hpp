// SPDX-License-Identifier: Apache-2.0
#pragma once
// Time that only moves when a test says so.

#include <atomic>
#include <cstdint>

namespace test_support {

class fake_clock {
public:
    static std::uint64_t now() noexcept { return current().load(std::memory_order_relaxed); }  // relaxed: a test's own number
    static void advance(std::uint64_t nanoseconds) noexcept {
        current().fetch_add(nanoseconds, std::memory_order_relaxed);  // relaxed: as above
    }
    static void set(std::uint64_t nanoseconds) noexcept {
        current().store(nanoseconds, std::memory_order_relaxed);  // relaxed: as above
    }

private:
    static std::atomic<std::uint64_t>& current() noexcept {
        static std::atomic<std::uint64_t> now{1'000'000'000};
        return now;
    }
};

inline constexpr std::uint64_t second = 1'000'000'000;

}  // namespace test_support
