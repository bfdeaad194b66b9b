// SPDX-License-Identifier: Apache-2.0
// Presets for a while, with a clock that is told.
#include <catch2/catch.hpp>

#include "settings/preset_term.hpp"

using namespace memwatch;

namespace {

constexpr std::uint64_t minute = 60'000'000'000;

chosen_options running(preset_option preset, std::uint64_t interval_bytes, option_origin origin) {
    chosen_options out;
    out.preset = preset;
    out.interval_bytes = interval_bytes;
    out.set_origin(option_id::preset, origin);
    out.set_origin(option_id::interval_bytes, origin);
    return out;
}

}  // namespace

TEST_CASE("preset_term: at its end preset, interval and their origins are what they were before, and not a ns earlier") {
    const std::uint64_t began = GENERATE(0ULL, 5 * minute);
    const chosen_options before = running(preset_option::on, 4096, option_origin::environment);
    preset_term term;
    CHECK_FALSE(term.is_over(~0ULL));
    term.begin(before, began, 5 * minute);
    chosen_options now = running(preset_option::full, 1, option_origin::runtime);
    CHECK(term.is_running());
    CHECK(term.left_ns(began) == 5 * minute);
    CHECK_FALSE(term.is_over(began + 5 * minute - 1));
    CHECK(term.left_ns(began + 5 * minute - 1) == 1);
    REQUIRE(term.is_over(began + 5 * minute));
    term.end(now);
    CHECK(now.preset == preset_option::on);
    CHECK(now.interval_bytes == 4096);
    CHECK(now.origin(option_id::preset) == option_origin::environment);
    CHECK(now.origin(option_id::interval_bytes) == option_origin::environment);
    CHECK_FALSE(term.is_running());
    CHECK_FALSE(term.is_over(~0ULL));
}

TEST_CASE("preset_term: a term within a term goes back to what was before the first, at the second's end") {
    preset_term term;
    term.begin(running(preset_option::on, 4096, option_origin::code), minute, 10 * minute);
    term.begin(running(preset_option::investigate, 4096, option_origin::runtime), 2 * minute, 2 * minute);
    CHECK_FALSE(term.is_over(4 * minute - 1));
    REQUIRE(term.is_over(4 * minute));
    chosen_options now = running(preset_option::full, 4096, option_origin::runtime);
    term.end(now);
    CHECK(now.preset == preset_option::on);
}

TEST_CASE("preset_term: an interval that is chosen meanwhile stays, and a term that was cancelled ends nothing") {
    preset_term term;
    term.begin(running(preset_option::off, 4096, option_origin::code), minute, minute);
    chosen_options now = running(preset_option::full, 123, option_origin::runtime);
    term.keep_interval(now);
    term.end(now);
    CHECK(now.preset == preset_option::off);
    CHECK(now.interval_bytes == 123);
    CHECK(now.origin(option_id::interval_bytes) == option_origin::runtime);
    CHECK(now.origin(option_id::preset) == option_origin::code);
    term.begin(now, minute, minute);
    term.cancel();
    CHECK_FALSE(term.is_over(~0ULL));
    CHECK(term.ends_ns() == 0);
}
