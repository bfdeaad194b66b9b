// SPDX-License-Identifier: Apache-2.0
#pragma once
// A router over a memwatch that answers with what it was asked, on a clock that moves when told to.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "serve/routes.hpp"
#include "unit/serve/made_snapshot.hpp"

namespace memwatch_test {

namespace serve = memwatch::serve;

inline std::uint64_t fake_now = 0;
inline std::uint64_t fake_clock() noexcept { return fake_now; }
inline void fake_sleep(std::uint64_t for_ns) { fake_now += for_ns; }

inline constexpr const char* token = "0123456789abcdef";

// A memwatch that answers with what it was asked.
struct fixture {
    int freezes{};
    int summaries{};
    int controls{};
    int footprints{};
    std::string health_detail;
    std::string summary_text{"summary"};
    std::string encoded{"dump"};
    bool is_down{};
    std::uint64_t baseline_ns{};

    serve::service_view view() {
        serve::service_view v;
        v.freeze = [this](std::string_view label) -> memwatch::result<memwatch::snapshot> {
            ++freezes;
            if (is_down) { return memwatch::fail(memwatch::error_code::unavailable, "memwatch never started"); }
            memwatch::snapshot s = made_snapshot();
            s.info.label = std::string(label);
            s.info.baseline_ns = baseline_ns;
            return s;
        };
        v.summarize = [this]() -> memwatch::result<memwatch::snapshot> {
            ++summaries;
            if (is_down) { return memwatch::fail(memwatch::error_code::unavailable, "memwatch never started"); }
            return made_snapshot();
        };
        v.name_functions = [](memwatch::snapshot&, std::size_t) {};
        v.cut_to_baseline = [](memwatch::snapshot s) -> memwatch::result<memwatch::snapshot> {
            if (s.info.baseline_ns == 0) { return memwatch::fail(memwatch::error_code::invalid_argument, "no mark"); }
            s.info.label = "since baseline";
            return s;
        };
        v.cut_window = [](const memwatch::snapshot& start, memwatch::snapshot end) -> memwatch::result<memwatch::snapshot> {
            end.info.label += "[from " + std::to_string(start.info.taken_ns) + "]";
            return end;
        };
        v.encode = [this](const memwatch::snapshot& s, std::string_view format) -> memwatch::result<std::string> {
            return encoded + " " + std::string(format) + " " + s.info.label;
        };
        v.decode = [](std::string_view dump) -> memwatch::result<memwatch::snapshot> {
            if (dump.empty()) { return memwatch::fail(memwatch::error_code::unreadable, "empty"); }
            memwatch::snapshot s = made_snapshot();
            s.info.label = "decoded(" + std::string(dump) + ")";
            return s;
        };
        v.render_diff = [](const memwatch::snapshot& before, const memwatch::snapshot&,
                           const serve::diff_request& r) -> memwatch::result<std::string> {
            return before.info.label + " by=" + r.by + " threshold=" + std::to_string(r.threshold_bytes) + " focus=" + r.focus +
                   " top=" + std::to_string(r.top) + (r.as_text ? " text" : " json");
        };
        v.render_summary = [this](const memwatch::snapshot&, std::size_t top) -> memwatch::result<std::string> {
            return summary_text + " top=" + std::to_string(top);
        };
        v.render_table = [](const memwatch::snapshot&, const serve::table_request& r) -> memwatch::result<std::string> {
            if (r.by == "nonsense") { return memwatch::fail(memwatch::error_code::invalid_argument, "no such column", "by"); }
            const std::string only = r.epochs == 0 && r.depth == 0
                                         ? ""
                                         : " epochs=" + std::to_string(r.epochs) + " depth=" + std::to_string(r.depth);
            return r.name + " by=" + r.by + " cursor=" + r.cursor + " top=" + std::to_string(r.top) + only +
                   (r.as_text ? " text" : " json");
        };
        v.render_verdicts = [](const memwatch::snapshot&, const serve::verdict_request& r) -> memwatch::result<std::string> {
            return r.format + " level=" + std::string(word_of(r.least)) +
                   " class=" + (r.only ? std::string(word_of(*r.only)) : "any") + " top=" + std::to_string(r.top);
        };
        v.measure_footprint = [this](serve::footprint_detail how) -> memwatch::result<memwatch::footprint> {
            ++footprints;
            if (is_down) { return memwatch::fail(memwatch::error_code::unavailable, "memwatch never started"); }
            memwatch::footprint where;
            where.pid = static_cast<std::uint64_t>(how);
            return where;
        };
        v.render_footprint = [](const memwatch::footprint& where, std::string_view format) -> memwatch::result<std::string> {
            return std::string(format) + " detail=" + std::to_string(where.pid);
        };
        v.render_config = [](bool as_text) -> memwatch::result<std::string> {
            return std::string(as_text ? "config text" : "{}");
        };
        v.health = [this] { return health_detail; };
        v.history = []() -> memwatch::result<serve::history_page> {
            serve::history_page page{{}, 30, 4096, "/var/lib/shop", {}};
            page.rows.push_back({"20261122T150000Z-00000001", 10, 7, 7'200'000'000'000, "damaged: torn"});
            page.rows.push_back({"20261122T160000Z-00000001", 20, 8, 3'600'000'000'000, {}});
            return page;
        };
        v.past_dump = [](std::string_view name) -> memwatch::result<std::string> {
            if (name == "20261122T160000Z-00000001") { return std::string("past"); }
            if (name == "20261122T150000Z-00000001") { return memwatch::fail(memwatch::error_code::unreadable, "torn"); }
            return memwatch::fail(memwatch::error_code::not_found, "no such name");
        };
        v.past_dump_from = [](std::uint64_t age_ns) -> memwatch::result<std::string> {
            if (age_ns <= 3'600'000'000'000) { return std::string("past"); }
            return memwatch::fail(memwatch::error_code::not_found, "the history begins 1h00m ago");
        };
        v.render_timeline = [](std::uint64_t span_ns, bool as_text) -> memwatch::result<std::string> {
            return "timeline " + std::to_string(span_ns / 1'000'000'000) + (as_text ? " text" : " json");
        };
        v.name_site = [](const memwatch::snapshot&, const memwatch::site&) { return std::string("f"); };
        v.control = [this](const serve::control_request& r) -> memwatch::result<std::string> {
            ++controls;
            if (is_down) { return memwatch::fail(memwatch::error_code::unavailable, "no session is running"); }
            std::string all;
            for (const std::string& line : r.lines()) { all += line + ";"; }
            return all;
        };
        return v;
    }

    serve::router router(serve::router_options options = with_token()) {
        options.clock = &fake_clock;
        options.sleep = &fake_sleep;
        return serve::router(view(), options, std::make_shared<serve::kept_snapshots>());
    }

    static serve::router_options with_token() {
        serve::router_options options;
        options.access = {serve::exposure::loopback, token};
        return options;
    }
};

inline memwatch::http_request ask(const std::string& method, const std::string& target,
                                  std::vector<std::pair<std::string, std::string>> headers = {}) {
    headers.emplace_back("Host", "127.0.0.1:9467");
    return {method, target, std::move(headers), {}};
}

inline memwatch::http_request get(const std::string& target) { return ask("GET", target); }

inline memwatch::http_request post(const std::string& target) {
    return ask("POST", target, {{"Authorization", std::string("Bearer ") + token}});
}

inline std::string header_of(const memwatch::http_response& r, const std::string& name) {
    const auto it = std::find_if(r.headers.begin(), r.headers.end(), [&](const auto& h) { return h.first == name; });
    return it == r.headers.end() ? std::string() : it->second;
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace memwatch_test
