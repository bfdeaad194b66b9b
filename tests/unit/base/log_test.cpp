// SPDX-License-Identifier: Apache-2.0
// The log: a flood of one event is cut, says how much was held back, and silences no other event.
#include <string>
#include <string_view>
#include <vector>

#include <catch2/catch.hpp>

#include <memwatch/base/log.hpp>

using namespace memwatch;

namespace {

std::vector<std::string> heard;

std::size_t heard_with(std::string_view words) {
    std::size_t count = 0;
    for (const std::string& line : heard) { count += line.find(words) != std::string::npos ? 1 : 0; }
    return count;
}

}  // namespace

TEST_CASE("log: a flood of one event is cut and counted, another one is heard all the same") {
    heard.clear();
    set_log_sink([](log_level, std::string_view line) { heard.emplace_back(line); });
    for (int i = 0; i < 1000; ++i) { write_log(log_level::warning, "memwatch level=warning event=flood detail=\"x\""); }
    // 10 in the minute, and as many again when the minute ended meanwhile.
    CHECK(heard_with("event=flood") >= 10);
    CHECK(heard_with("event=flood") <= 20);
    write_log(log_level::warning, "memwatch level=warning event=verdict class=leak_retained");
    REQUIRE(heard_with("event=verdict") == 1);
    CHECK(heard.back().find("held_back=9") != std::string::npos);  // 980 or 990 of them
    set_log_sink(nullptr);
}
