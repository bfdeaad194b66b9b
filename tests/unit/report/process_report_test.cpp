// SPDX-License-Identifier: Apache-2.0
#include "report/process_report.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace memwatch;

namespace {

// Two sites with live blocks and one without; frame 2 belongs to the empty one only.
snapshot made_snapshot() {
    snapshot s;
    s.info.executable = "/usr/bin/\x1b[31mprogram";
    s.info.pid = 7;
    s.modules.push_back({"/usr/bin/program", "ab", 0x1000, 0x2000, 0});
    s.frames = {{0, 0x10, {{"outer", "a.cpp", 3}}}, {0, 0x20, {{"inner", {}, 0}}}, {0, 0x30, {}}};
    s.stacks = {{{0}, false}, {{1, 0}, false}, {{2}, true}};
    s.tags.resize(1);
    s.tags[0].name = "untagged";
    s.sites.resize(3);
    for (std::uint32_t i = 0; i < 3; ++i) { s.sites[i].stack = i; }
    s.sites[0].live.add(100, 0);
    s.sites[1].live.add(5000, 0);
    s.live.resize(2);
    return s;
}

}  // namespace

TEST_CASE("process report: sites stand by live bytes, those without any nowhere, and what is left out is counted", "[report]") {
    process_report r;
    r.command = {"program", "--flag"};
    r.status = 3;
    r.top = 1;
    r.processes.push_back({made_snapshot(), false});
    const std::string json = render_json(r);
    CHECK(json.find("\"kind\": \"memwatch.report\"") != std::string::npos);
    CHECK(json.find("\"status\": 3") != std::string::npos);
    CHECK(json.find("\"sites_total\": 2") != std::string::npos);
    CHECK(json.find("\"other_sites_bytes\": 100.000") != std::string::npos);
    CHECK(json.find("\"name\": \"inner\"") != std::string::npos);
    CHECK(json.find("\"name\": \"outer\"") == std::string::npos);
    CHECK(largest_live_sites(r.processes[0].value, 0).size() == 2);
    CHECK(live_sum(r.processes[0].value).bytes == 5100);
}

TEST_CASE("process report: text shows no control characters and says what is hidden", "[report]") {
    process_report r;
    r.top = 1;
    r.remarks = {"a\x07remark"};
    for (int i = 0; i < 30; ++i) { r.processes.push_back({made_snapshot(), i % 2 == 0}); }
    const std::string words = render_text(r, {2, 4, false});
    CHECK(words.find('\x1b') == std::string::npos);
    CHECK(words.find('\x07') == std::string::npos);
    CHECK(words.find("and 1 more sites") != std::string::npos);
    CHECK(words.find("and 8 more processes") != std::string::npos);
    CHECK(words.find("still running") != std::string::npos);
}

TEST_CASE("process report: keeping the largest sites keeps the figures and forgets where the others were", "[report]") {
    snapshot s = made_snapshot();
    keep_largest_sites(s, 1);
    CHECK(live_sum(s).bytes == 5100);
    CHECK(s.live.empty());
    CHECK(s.frames[2].module == no_module);
    CHECK(s.frames[1].module == 0);
    CHECK(validate(s));
}

TEST_CASE("process report: of a stack the user's own frames are shown, not memwatch's door around main nor what libc calls",
          "[report]") {
    snapshot s = made_snapshot();
    s.modules.push_back({"/usr/lib/libmemwatch-preload.so", "cd", 0x3000, 0x4000, 0});
    s.frames.push_back({1, 0x10, {{"(anonymous namespace)::run_main(int, char**, char**)", "process_life.cpp", 48}}});
    s.stacks[1].frames.push_back(3);
    process_report r;
    r.processes.push_back({s, false});
    const std::string words = render_text(r, {});
    CHECK(words.find("outer") != std::string::npos);
    CHECK(words.find("run_main") == std::string::npos);
}
