// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include <catch2/catch.hpp>
#include <memwatch/base/units.hpp>

using memwatch::format_bytes;
using memwatch::format_bytes_signed;
using memwatch::format_duration;
using memwatch::parse_bytes;
using memwatch::parse_duration;

TEST_CASE("units: MB is 10^6 and MiB is 2^20, in any case and spacing") {
    CHECK(parse_bytes("4096").value() == 4096);
    CHECK(parse_bytes("0").value() == 0);
    CHECK(parse_bytes("64KiB").value() == 65536);
    CHECK(parse_bytes("10MB").value() == 10'000'000);
    CHECK(parse_bytes("10MiB").value() == 10'485'760);
    CHECK(parse_bytes(" 1.5 gib ").value() == 1'610'612'736);
    CHECK(parse_bytes("1m").value() == 1'000'000);
    CHECK(parse_bytes("1Mi").value() == 1'048'576);
    CHECK(parse_bytes("512 B").value() == 512);
    CHECK(parse_bytes(".5KiB").value() == 512);
}

TEST_CASE("units: integers survive that a double would round") {
    CHECK(parse_bytes("9007199254740993").value() == 9'007'199'254'740'993);
    CHECK(parse_bytes("9223372036854775807").value() == 9'223'372'036'854'775'807);
}

TEST_CASE("units: what is not a size is refused and named") {
    for (const char* bad : {"",
                            " ",
                            "MB",
                            "ten",
                            "-1",
                            "-1MB",
                            "+1",
                            "1e3",
                            "0x10",
                            "1,5MB",
                            "1 M B",
                            "10XB",
                            "nan",
                            "inf",
                            "1..5",
                            ".",
                            "9223372036854775808",
                            "99999999999999999999999999999999999999999999",
                            "8192PiB",
                            "10MB\n"}) {
        CAPTURE(bad);
        const auto parsed = parse_bytes(bad);
        REQUIRE_FALSE(parsed.has_value());
        CHECK(parsed.error().code == memwatch::error_code::invalid_argument);
        CHECK(parsed.error().where == bad);
    }
    CHECK(parse_bytes("8191PiB").has_value());
}

TEST_CASE("units: durations need a unit") {
    CHECK(parse_duration("250ms").value() == 250'000'000);
    CHECK(parse_duration("10s").value() == 10'000'000'000);
    CHECK(parse_duration("5m").value() == 300'000'000'000);
    CHECK(parse_duration("2h").value() == 7'200'000'000'000);
    CHECK(parse_duration("1d").value() == 86'400'000'000'000);
    CHECK(parse_duration("1.5s").value() == 1'500'000'000);
    CHECK(parse_duration("0s").value() == 0);
    for (const char* bad : {"5", "", "s", "-1s", "1 fortnight", "1y", "999999999999d"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_duration(bad).has_value());
    }
}

TEST_CASE("units: sizes print in binary units with one decimal and never as 1024 of the smaller one") {
    CHECK(format_bytes(0) == "0 B");
    CHECK(format_bytes(512) == "512 B");
    CHECK(format_bytes(1023) == "1023 B");
    CHECK(format_bytes(1023.7) == "1.0 KiB");
    CHECK(format_bytes(1434) == "1.4 KiB");
    CHECK(format_bytes(52.0 * 1024 * 1024) == "52.0 MiB");
    CHECK(format_bytes(1024.0 * 1024 - 1) == "1.0 MiB");
    CHECK(format_bytes(-3) == "-3 B");
    CHECK(format_bytes(-0.2) == "0 B");
    CHECK(format_bytes(1e30) == "867361737988.4 EiB");
    CHECK(format_bytes(std::numeric_limits<double>::infinity()) == "? B");
    CHECK(format_bytes(std::numeric_limits<double>::quiet_NaN()) == "? B");
    CHECK(format_bytes_signed(1434) == "+1.4 KiB");
    CHECK(format_bytes_signed(-3) == "-3 B");
    CHECK(format_bytes_signed(0) == "0 B");
    CHECK(format_bytes_signed(0.2) == "0 B");
}

TEST_CASE("units: durations print with the two units that matter") {
    CHECK(format_duration(0) == "0 s");
    CHECK(format_duration(12) == "12 ns");
    CHECK(format_duration(12'345) == "12 us");
    CHECK(format_duration(850'000'000) == "850 ms");
    CHECK(format_duration(12'340'000'000) == "12.3 s");
    CHECK(format_duration(59'999'999'999) == "59.9 s");
    CHECK(format_duration(245'000'000'000) == "4m05s");
    CHECK(format_duration(7'380'000'000'000) == "2h03m");
    CHECK(format_duration(273'600'000'000'000) == "3d04h");
    CHECK(format_duration(std::numeric_limits<std::uint64_t>::max()) == "213503d23h");
}

TEST_CASE("units: what is printed can be typed in again") {
    for (const std::uint64_t bytes : {0ULL, 1ULL, 1024ULL, 1536ULL, 1048576ULL, 3221225472ULL}) {
        CHECK(parse_bytes(format_bytes(static_cast<double>(bytes))).value() == bytes);
    }
}
