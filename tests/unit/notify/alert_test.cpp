// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "notify/regression_alert.hpp"

using namespace memwatch;
using namespace memwatch::notify;

namespace {

constexpr std::uint64_t now = 1'763'766'000'250;
constexpr std::uint64_t hour = 3'600'000;
const label_set identity{{"service", "orders"}, {"slo_id", "checkout"}};

regression finding(const std::string& site = "00aa") {
    return {{{"severity", "warning"}, {"site", site}, {"function", "orders::insert"}},
            {{"summary", "s"}, {"description", "d"}},
            "http://ci/7"};
}

active_alert active(const regression& r, const label_set& who = identity) {
    active_alert a{r.found, "2025-11-21T00:00:00.000Z"};
    a.labels.insert(who.begin(), who.end());
    a.labels["alertname"] = regression_alert_name;
    return a;
}

}  // namespace

TEST_CASE("alert: times are RFC 3339 in UTC") {
    CHECK(rfc3339(now) == "2025-11-21T23:00:00.250Z");
    CHECK(rfc3339(0) == "1970-01-01T00:00:00.000Z");
}

TEST_CASE("alert: a failing run fires until an end in the future") {
    const auto plan = plan_alerts(identity, finding(), {}, now, hour);
    REQUIRE(plan.size() == 1);
    CHECK(plan[0].labels.at("alertname") == "MemoryRegressionBlock");
    CHECK(plan[0].labels.at("slo_id") == "checkout");
    CHECK(plan[0].labels.at("site") == "00aa");
    CHECK(plan[0].starts_at == rfc3339(now));
    CHECK(plan[0].ends_at == rfc3339(now + hour));
}

TEST_CASE("alert: the same finding again keeps its start") {
    const auto plan = plan_alerts(identity, finding(), {active(finding())}, now, hour);
    REQUIRE(plan.size() == 1);
    CHECK(plan[0].starts_at == "2025-11-21T00:00:00.000Z");
}

TEST_CASE("alert: a passing run ends all alerts of its gate and no other") {
    label_set other = identity;
    other["env"] = "prod";
    label_set less{{"service", "orders"}};
    const auto plan =
        plan_alerts(identity, std::nullopt,
                    {active(finding()), active(finding("00bb")), active(finding(), other), active(finding(), less)}, now, hour);
    REQUIRE(plan.size() == 2);
    for (const alert& a : plan) {
        CHECK(a.ends_at == rfc3339(now));
        CHECK(a.starts_at == "2025-11-21T00:00:00.000Z");
        CHECK(a.labels.count("env") == 0);
    }
    CHECK(plan_alerts(identity, std::nullopt, {}, now, hour).empty());
}

TEST_CASE("alert: another finding replaces the one before, whatever its severity") {
    regression worse = finding("00bb");
    worse.found["severity"] = "critical";
    const auto plan = plan_alerts(identity, worse, {active(finding())}, now, hour);
    REQUIRE(plan.size() == 2);
    CHECK(plan[0].labels.at("site") == "00bb");
    CHECK(plan[0].ends_at == rfc3339(now + hour));
    CHECK(plan[1].labels.at("site") == "00aa");
    CHECK(plan[1].ends_at == rfc3339(now));
}

TEST_CASE("alert: what was posted is recognised when it is asked for") {
    regression hostile = finding(std::string(1000, 'x') + "\xC3\xA4");
    hostile.found["function"] = "evil\xFF\"\\\n";
    const label_set who{{"service", "a\xFF\xE2\x82\xAC" + std::string(300, 'y')}};
    const auto first = plan_alerts(who, hostile, {}, now, hour);
    const std::string body = encode_alerts(first);
    const auto back = decode_alerts(body);
    REQUIRE(back.has_value());
    REQUIRE(back->size() == 1);
    CHECK(back->at(0).labels == first[0].labels);
    CHECK(plan_alerts(who, std::nullopt, *back, now, hour).size() == 1);
    for (const auto& [name, value] : first[0].labels) { CHECK(value.size() <= longest_label); }
}

TEST_CASE("alert: empty labels are no labels") {
    const auto plan = plan_alerts({{"service", "orders"}, {"env", ""}}, finding(), {}, now, hour);
    CHECK(plan[0].labels.count("env") == 0);
    CHECK(encode_alerts({{{{"a", ""}, {"b", "1"}}, {}, "", "", ""}}) ==
          "[{\"labels\": {\"b\": \"1\"}, \"annotations\": {}}]\n");
}

TEST_CASE("alert: filters quote what is in a value") {
    CHECK(filter_query({{"a", "x"}}) == "?filter=a%3D%22x%22");
    CHECK(filter_query({{"a", "x\"\\\n&"}, {"b", "1"}, {"c", ""}}) ==
          "?filter=a%3D%22x%5C%22%5C%5C%5Cn%26%22&filter=b%3D%221%22");
}

TEST_CASE("alert: answers are hostile") {
    for (const char* body :
         {"", "{}", "[1]", "[{}]", "[{\"labels\": 1}]", "[{\"labels\": {\"a\": 1}}]", "<html>", "[{\"labels\": {}"}) {
        INFO(body);
        CHECK_FALSE(decode_alerts(body).has_value());
    }
    CHECK(decode_alerts("[]")->empty());
    CHECK(decode_alerts(std::string(100'000, '[')).has_value() == false);
}

TEST_CASE("alert: label names") {
    CHECK(is_label_name("team"));
    CHECK(is_label_name("_a9"));
    CHECK_FALSE(is_label_name("9a"));
    CHECK_FALSE(is_label_name("a-b"));
    CHECK_FALSE(is_label_name(""));
    CHECK(is_reserved_label("severity"));
    CHECK_FALSE(is_reserved_label("team"));
}
