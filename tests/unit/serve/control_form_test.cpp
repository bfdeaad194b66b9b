// SPDX-License-Identifier: Apache-2.0
#include "serve/control_form.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace memwatch;

TEST_CASE("control form: a form and a JSON object say the same", "[serve]") {
    for (const auto& [type, body] :
         {std::pair("application/x-www-form-urlencoded", "preset=full&interval=512KiB"),
          std::pair("", "interval=512KiB&preset=full"),
          std::pair("application/json; charset=utf-8", " { \"preset\" : \"full\", \"interval\":\"512KiB\" } ")}) {
        const auto read = serve::parse_control_form(type, body);
        REQUIRE(read);
        CHECK(read->preset == "full");
        CHECK(read->interval == "512KiB");
        CHECK(read->action.empty());
    }
    CHECK(serve::parse_control_form("application/json", "{\"interval\": 65536}")->interval == "65536");
    CHECK(serve::parse_control_form("", "action=pause")->action == "pause");
}

TEST_CASE("control form: what is unknown, repeated, nested or contradictory is refused", "[serve]") {
    for (const char* const body : {"", "preset=most", "preset=on&preset=off", "interval=", "interval=1 MiB", "action=stop",
                                   "colour=red", "action=pause&preset=on", "preset", "preset=%00"}) {
        INFO(body);
        const auto read = serve::parse_control_form("", body);
        REQUIRE_FALSE(read);
        CHECK(read.error().code == error_code::invalid_argument);
    }
    CHECK_FALSE(serve::parse_control_form("", "interval=" + std::string(65, '1')));
    for (const char* const body :
         {"", "{}", "[]", "{\"preset\":\"on\"", "{\"preset\":\"on\"}x", "{\"preset\":{}}", "{\"preset\":\"o\\u006e\"}",
          "{\"preset\":\"on\",}", "{\"preset\":\"on\",\"preset\":\"on\"}", "{\"interval\":-1}", "{\"interval\":1.5}",
          "{\"preset\":null}", "{\"a\":\"b\"}", "{\"preset\"\"on\"}"}) {
        INFO(body);
        CHECK_FALSE(serve::parse_control_form("application/json", body));
    }
}
