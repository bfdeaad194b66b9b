// SPDX-License-Identifier: Apache-2.0
// The footprint of the test itself: what it knows of its own memory, held against what is measured. (Sanitizers have heaps of
// their own: tests/e2e/footprint goes through allocators and programs.)
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>
#include "footprint/measure.hpp"
#include "platform/platform.hpp"

using namespace memwatch;

namespace {

constexpr std::uint64_t mib = std::uint64_t{1} << 20U;

std::int64_t sum(const footprint& where) {
    std::int64_t bytes = where.unexplained_bytes;
    for (const footprint_row& each : where.rows) { bytes += static_cast<std::int64_t>(each.bytes); }
    return bytes;
}

}  // namespace

TEST_CASE("measure: rows and what is unexplained are VmRSS, in detail and cheaply") {
    footprint_facts facts;
    facts.self_in_heap = mib / 8;
    facts.self_bytes = mib;
    const footprint whole = measure_in_detail(facts);
    CHECK(whole.not_detailed.empty());
    CHECK(whole.resident_bytes > mib);
    CHECK(sum(whole) == static_cast<std::int64_t>(whole.resident_bytes));
    CHECK(whole.bytes_of(footprint_part::code) > 100'000);
    CHECK(whole.bytes_of(footprint_part::stacks) > 0);
    CHECK_FALSE(whole.modules.empty());
    const footprint cheap = measure_cheaply(facts, "asked to");
    CHECK(cheap.not_detailed == "asked to");
    CHECK(cheap.bytes_of(footprint_part::self) == mib);  // what memwatch_self_bytes says, too
    CHECK(sum(cheap) == static_cast<std::int64_t>(cheap.resident_bytes));
}

TEST_CASE("measure: what another thread touches came, though nothing is left of it") {
    const auto touch = [] {
        void* const mapped = mmap(nullptr, 4 * mib, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        REQUIRE(mapped != MAP_FAILED);
        madvise(mapped, 4 * mib, MADV_NOHUGEPAGE);
        std::memset(mapped, 1, 4 * mib);
        munmap(mapped, 4 * mib);
    };
    const std::uint64_t before = platform::bytes_touched_by_others();
    touch();
    const std::uint64_t own = platform::bytes_touched_by_others();
    CHECK(own < before + 4 * mib);  // below 4: a sanitizer's thread may touch something
    std::thread(touch).join();
    CHECK(platform::bytes_touched_by_others() >= own + 4 * mib);
}

TEST_CASE("measure: what a program maps itself is its own, as far as it has touched it") {
    const footprint_facts facts;
    const std::uint64_t before = measure_in_detail(facts).bytes_of(footprint_part::anonymous);
    void* const mapped = mmap(nullptr, 64 * mib, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(mapped != MAP_FAILED);
    std::memset(mapped, 1, 24 * mib);
    const std::uint64_t after = measure_in_detail(facts).bytes_of(footprint_part::anonymous);
    munmap(mapped, 64 * mib);
    CHECK(after >= before + 23 * mib);
    CHECK(after <= before + 48 * mib);  // below 64: a sanitizer keeps what measuring has freed, a few MiB, as nobody's
}
