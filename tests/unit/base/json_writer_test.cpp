// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <limits>
#include <string>

#include "base/json_writer.hpp"

using memwatch::json_writer;

TEST_CASE("json_writer: what is not UTF-8 or not printable leaves as an escape") {
    json_writer json;
    json.value(std::string("a\"\\\n\x80\xE2\x80\xAE\xF3\xA0\x80\x81\xC3\xA9"));
    CHECK(json.take() == "\"a\\\"\\\\\\u000a\\ufffd\\u202e\\udb40\\udc01\xC3\xA9\"\n");
}

TEST_CASE("json_writer: numbers are JSON, however large, and no number is null") {
    json_writer json;
    json.begin_array();
    json.value(-0.0);
    json.value(1.5);
    json.value(1e300);
    json.value(std::numeric_limits<double>::infinity());
    json.value(std::numeric_limits<std::uint64_t>::max());
    json.value(std::numeric_limits<std::int64_t>::min());
    json.end_array();
    CHECK(json.take() == "[0.000, 1.500, 1e+300, null, 18446744073709551615, -9223372036854775808]\n");
}
