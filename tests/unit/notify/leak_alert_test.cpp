// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "notify/alertmanager_url.hpp"
#include "notify/leak_alert.hpp"

using namespace memwatch;
using namespace memwatch::notify;

namespace {

constexpr std::uint64_t now = 1'763'766'000'250;
constexpr std::uint64_t minute = 60'000;
constexpr alert_book::pace pace{minute, 3 * minute};

alert_book::moment both(std::uint64_t ms) { return {ms, ms}; }

alert firing(const std::string& site) {
    alert one;
    one.labels = {{"alertname", leak_alert_name}, {"site", site}};
    one.annotations = {{"summary", "s"}};
    return one;
}

snapshot judged(std::initializer_list<verdict_class> kinds) {
    snapshot s;
    s.tags.push_back({"order-cache"});
    s.stacks.emplace_back();
    std::uint32_t row = 0;
    for (const verdict_class kind : kinds) {
        site one;
        one.type = "T" + std::to_string(row);
        s.sites.push_back(one);
        verdict said;
        said.index = row++;
        said.kind = kind;
        said.severity = verdict_severity::warning;
        said.retained_bytes = row;
        s.verdicts.push_back(said);
    }
    return s;
}

std::string words(const verdict&, const snapshot&) { return "it keeps all of it"; }

}  // namespace

TEST_CASE("leak_alert: what leaks fires, what is suspect does not") {
    const snapshot s = judged({verdict_class::suspect_growth, verdict_class::leak_retained, verdict_class::cache});
    const auto alerts = leak_alerts(s, {{{"service", "orders"}, {"instance", "a:9467"}}, "http://a:9467/"}, words);
    REQUIRE(alerts.size() == 1);
    CHECK(alerts[0].labels.at("alertname") == "MemwatchLeak");
    CHECK(alerts[0].labels.at("tag") == "order-cache");
    CHECK(alerts[0].labels.at("severity") == "warning");
    CHECK(alerts[0].labels.at("class") == "leak_retained");
    CHECK(alerts[0].labels.at("service") == "orders");
    CHECK(alerts[0].labels.at("site").size() == 16);
    CHECK(alerts[0].annotations.at("description") == "it keeps all of it");
    CHECK(alerts[0].generator_url == "http://a:9467/");
}

TEST_CASE("leak_alert: a pool is named as in the metrics, and pools of one name are one alert") {
    snapshot s = judged({});
    for (int i = 0; i < 2; ++i) {
        s.pools.emplace_back();
        s.pools.back().name = "connections";
        verdict said;
        said.subject = verdict_subject::pool;
        said.index = static_cast<std::uint32_t>(i);
        said.kind = verdict_class::pool_leak;
        s.verdicts.push_back(said);
    }
    const auto alerts = leak_alerts(s, {}, words);
    REQUIRE(alerts.size() == 1);
    CHECK(alerts[0].labels.at("site") == "pool");
    CHECK(alerts[0].labels.at("function") == "connections");
}

TEST_CASE("leak_alert: of many leaks the worst are told, and labels stay short") {
    snapshot s = judged({});
    for (std::uint32_t i = 0; i < 100; ++i) {
        site one;
        one.type = "T" + std::to_string(i);
        s.sites.push_back(one);
        verdict said;
        said.index = i;
        said.kind = verdict_class::leak_retained;
        said.retained_bytes = i;
        s.verdicts.push_back(said);
    }
    s.tags[0].name = std::string(1000, 'x') + "\xFF";
    const auto alerts = leak_alerts(s, {{{"service", "evil\xFF\""}}, ""}, words);
    CHECK(alerts.size() == most_leak_alerts);
    for (const alert& each : alerts) {
        for (const auto& [name, value] : each.labels) { CHECK(value.size() <= longest_label); }
    }
    CHECK(decode_alerts(encode_alerts(alerts)).has_value());
}

TEST_CASE("alert_book: an alert is posted once, again when it is due, and ended once") {
    alert_book book(pace);
    const auto first = book.due({firing("a")}, both(now));
    REQUIRE(first.size() == 1);
    CHECK(first[0].starts_at == rfc3339(now));
    CHECK(first[0].ends_at == rfc3339(now + 3 * minute));
    book.keep(first, both(now));
    CHECK(book.due({firing("a")}, both(now + minute - 1)).empty());

    const auto again = book.due({firing("a"), firing("b")}, both(now + minute));
    REQUIRE(again.size() == 2);
    CHECK(again[0].starts_at == rfc3339(now));
    CHECK(again[0].ends_at == rfc3339(now + 4 * minute));
    book.keep(again, both(now + minute));

    const auto over = book.due({firing("b")}, both(now + minute + 1));
    REQUIRE(over.size() == 1);
    CHECK(over[0].labels.at("site") == "a");
    CHECK(over[0].starts_at == rfc3339(now));
    CHECK(over[0].ends_at == rfc3339(now + minute + 1));
    book.keep(over, both(now + minute + 1));
    CHECK(book.due({firing("b")}, both(now + minute + 2)).empty());
    CHECK_FALSE(book.is_empty());
}

TEST_CASE("alert_book: what was not taken is due at once, and an end that nobody took is forgotten when it has lapsed") {
    alert_book book(pace);
    CHECK(book.due({firing("a")}, both(now)).size() == 1);
    const auto second = book.due({firing("a")}, both(now + 1));
    REQUIRE(second.size() == 1);
    CHECK(second[0].starts_at == rfc3339(now + 1));
    book.keep(second, both(now + 1));
    CHECK(book.due({}, both(now + 2)).size() == 1);
    CHECK(book.due({}, both(now + 3)).size() == 1);
    CHECK(book.due({}, both(now + 1 + 3 * minute)).empty());
    CHECK(book.is_empty());
}

TEST_CASE("alert_book: what fires again after its end is a new alert") {
    alert_book book(pace);
    book.keep(book.due({firing("a")}, both(now)), both(now));
    book.keep(book.due({}, both(now + 1)), both(now + 1));
    CHECK(book.is_empty());
    const auto anew = book.due({firing("a")}, both(now + 2));
    REQUIRE(anew.size() == 1);
    CHECK(anew[0].starts_at == rfc3339(now + 2));
}

TEST_CASE("alert_book: a severity that goes to and fro is one alert, a higher one is told at once") {
    alert_book book(pace);
    const auto of = [](const char* severity) {
        alert one = firing("1");
        one.labels["severity"] = severity;
        return std::vector<alert>{one};
    };
    const auto post = [&](const char* severity, std::uint64_t at) {
        std::vector<alert> due = book.due(of(severity), both(at));
        book.keep(due, both(at));
        return due;
    };
    REQUIRE(post("info", now).size() == 1);
    const auto raised = post("warning", now + 1000);
    REQUIRE(raised.size() == 2);  // the new one, and the end of the lower one
    CHECK(raised[0].labels.at("severity") == "warning");
    CHECK(post("info", now + 2000).empty());
    CHECK(post("warning", now + 3000).empty());
    CHECK(post("info", now + 4000).empty());
    const auto again = post("info", now + 9 * minute);
    REQUIRE(again.size() == 1);
    CHECK(again[0].labels.at("severity") == "warning");
    const auto fallen = post("info", now + 11 * minute);
    REQUIRE(fallen.size() == 2);
    CHECK(fallen[0].labels.at("severity") == "info");
}

TEST_CASE("alert_book: a clock that is set back delays no post, and nothing ends before it began") {
    alert_book book(pace);
    book.keep(book.due({firing("a")}, both(now)), both(now));
    const alert_book::moment later{now - 60 * minute, now + minute};
    const auto again = book.due({firing("a")}, later);
    REQUIRE(again.size() == 1);
    CHECK(again[0].ends_at == rfc3339(now - 57 * minute));
    CHECK(again[0].starts_at == rfc3339(now - 60 * minute));
    const auto over = book.due({}, {now - 59 * minute, now + 2 * minute});
    REQUIRE(over.size() == 1);
    CHECK(over[0].starts_at <= over[0].ends_at);
}

TEST_CASE("alert_book: what must have been so for a while is told after it, and a gap begins anew") {
    alert_book book(pace);
    alert slow = firing("a");
    slow.after_ms = 5 * minute;
    CHECK(book.due({slow}, both(now)).empty());
    CHECK(book.due({slow}, both(now + 4 * minute)).empty());
    CHECK(book.due({}, both(now + 4 * minute + 1)).empty());
    CHECK(book.due({slow}, both(now + 5 * minute)).empty());
    const auto told = book.due({slow}, both(now + 10 * minute));
    REQUIRE(told.size() == 1);
    book.keep(told, both(now + 10 * minute));
    CHECK(book.due({slow}, both(now + 11 * minute)).size() == 1);  // again, without waiting
    CHECK(book.due({}, both(now + 11 * minute)).size() == 1);
}

TEST_CASE("leak_alert: the nearer the end of memory, the more severities") {
    const auto severities = [](std::uint64_t left_ms) {
        snapshot s;
        s.activity.push_back({"time_to_oom_ms", left_ms});
        std::string all;
        for (const alert& each : oom_alerts(s, {{{"service", "orders"}}, ""})) {
            CHECK(each.labels.at("alertname") == "MemwatchTimeToOom");
            CHECK(each.after_ms >= minute);
            all += each.labels.at("severity") + " ";
        }
        return all;
    };
    CHECK(oom_alerts({}, {}).empty());
    CHECK(severities(24 * 60 * minute) == "");
    CHECK(severities(23 * 60 * minute) == "info ");
    CHECK(severities(239 * minute) == "info warning ");
    CHECK(severities(29 * minute) == "info warning critical ");
    CHECK(severities(0) == "info warning critical ");
}

TEST_CASE("leak_alert: labels of the user's own") {
    const auto labels = read_labels("env=prod,team=a=b");
    REQUIRE(labels.has_value());
    CHECK(*labels == label_set{{"env", "prod"}, {"team", "a=b"}});
    CHECK(read_labels("")->empty());
    for (const char* bad : {"env", "=x", "9a=x", "severity=critical", "a=1,,b=2"}) {
        INFO(bad);
        CHECK_FALSE(read_labels(bad).has_value());
    }
}

TEST_CASE("alertmanager_url: a list of peers") {
    const auto urls = alertmanager_urls("http://a:9093,http://b:9093/am/,unix:/run/am.sock");
    REQUIRE(urls.has_value());
    REQUIRE(urls->size() == 3);
    CHECK(urls->at(0).target == "/api/v2/alerts");
    CHECK(urls->at(1).target == "/am/api/v2/alerts");
    CHECK(urls->at(2).socket == "/run/am.sock");
    for (const char* bad : {"https://a:9093", "http://a:9093,b c", "http://a?x=1"}) {
        INFO(bad);
        CHECK_FALSE(alertmanager_urls(bad).has_value());
    }
}
