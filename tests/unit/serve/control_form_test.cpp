// SPDX-License-Identifier: Apache-2.0
#include "serve/control_form.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace memwatch;

TEST_CASE("control form: a form and a JSON object say the same", "[serve]") {
    for (const auto& [type, body] :
         {std::pair("application/x-www-form-urlencoded", "preset=full&interval=512KiB"),
          std::pair("", "interval=512KiB&preset=full"),
          std::pair("application/json; charset=utf-8", " { \"preset\" : \"full\", \"interval\":\"512KiB\" } ")}) {
        const auto read = serve::parse_control_form(type, body);
        REQUIRE(read);
        CHECK(read->options.size() == 2);
        CHECK(read->action.empty());
        CHECK(read->lines().size() == 1);
        const std::string line = read->lines().front();
        CHECK((line == "set preset=full interval=512KiB" || line == "set interval=512KiB preset=full"));
    }
    CHECK(serve::parse_control_form("application/json", "{\"interval\": 65536}")->lines().front() == "set interval=65536");
    CHECK(serve::parse_control_form("", "action=pause")->lines() == std::vector<std::string>{"stop"});
    CHECK(serve::parse_control_form("", "preset=full&for=5m&action=baseline")->lines() ==
          std::vector<std::string>{"set preset=full for=5m", "baseline"});
}

TEST_CASE("control form: what is unknown, repeated, nested or contradictory is refused", "[serve]") {
    for (const char* const body :
         {"", "preset=on&preset=off", "interval=", "interval=1 MiB", "action=stop", "Colour=red",
          "a=1&b=1&c=1&d=1&e=1&f=1&g=1&h=1&i=1&j=1&k=1", "interval%20x=1", "action=pause&preset=on", "preset", "preset=%00"}) {
        INFO(body);
        const auto read = serve::parse_control_form("", body);
        REQUIRE_FALSE(read);
        CHECK(read.error().code == error_code::invalid_argument);
    }
    CHECK_FALSE(serve::parse_control_form("", "interval=" + std::string(65, '1')));
    for (const char* const body :
         {"", "{}", "[]", "{\"preset\":\"on\"", "{\"preset\":\"on\"}x", "{\"preset\":{}}", "{\"preset\":\"o\\u006e\"}",
          "{\"preset\":\"on\",}", "{\"preset\":\"on\",\"preset\":\"on\"}", "{\"interval\":-1}", "{\"interval\":1.5}",
          "{\"preset\":null}", "{\"A\":\"b\"}", "{\"preset\"\"on\"}"}) {
        INFO(body);
        CHECK_FALSE(serve::parse_control_form("application/json", body));
    }
}
