// SPDX-License-Identifier: Apache-2.0
// Any bytes as what the gate reads from a repository or a server: a policy, suppressions, a baseline, Alertmanager's answer;
// and the options that say whom a service tells. They are refused with a reason, or become values that the gate can use.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <memwatch/diff/diff.hpp>

#include "gate/baseline.hpp"
#include "gate/judgement.hpp"
#include "gate/render.hpp"
#include "notify/alertmanager_url.hpp"
#include "notify/leak_alert.hpp"
#include "notify/regression_alert.hpp"

namespace {

using namespace memwatch;

// Aborts: what a fuzzer reports as a finding, also where assertions are off.
void require(bool holds) {
    if (!holds) { std::abort(); }
}

delta compared(const snapshot& base, const snapshot& head, dimension by) {
    diff_options how;
    how.by = by;
    how.include_unchanged = true;
    auto d = diff(base, head, how);
    require(d.has_value());
    return std::move(*d);
}

void judge_and_render(const gate::policy& rules, const snapshot& base, const snapshot& head) {
    const delta sites = compared(base, head, dimension::site);
    const delta tags = compared(base, head, dimension::tag);
    const gate::judgement judged = gate::judge(rules, sites, tags);
    const gate::gate_report report{rules, judged, sites, tags, "base", "head", "", "/repo"};
    require(gate::render_markdown(report).size() <= gate::most_markdown_bytes);
    require(!gate::render_text(report, 5, false).empty());
    require(!gate::render_json(report).empty() && !gate::render_junit(report).empty() && !gate::render_sarif(report).empty());
    require(gate::render_annotations(report).empty() != judged.is_breached());
}

void try_baseline(std::string_view bytes, const gate::policy& rules) {
    const auto known = gate::read_baseline(bytes);
    if (!known) {
        require(!known.error().what.empty());
        return;
    }
    require(validate(*known).has_value());
    const std::string text = gate::write_baseline(*known);
    const auto again = gate::read_baseline(text);
    require(again.has_value());
    require(gate::write_baseline(*again) == text);
    judge_and_render(rules, snapshot{}, *known);
    judge_and_render(rules, *known, *again);
}

void try_alerts(std::string_view bytes) {
    const auto active = notify::decode_alerts(bytes);
    if (!active) { return; }
    const auto plan = notify::plan_alerts({{"service", "orders"}}, std::nullopt, *active, 1'000'000, 1000);
    require(plan.size() <= active->size());
    require(notify::decode_alerts(notify::encode_alerts(plan)).has_value());
}

void try_alert_options(std::string_view bytes) {
    if (const auto urls = notify::alertmanager_urls(bytes)) {
        for (const http_url& each : *urls) {
            require(each.target.front() == '/' && each.target.find_first_of(" \r\n") == std::string::npos);
            require(each.authority().find_first_of(" \r\n/") == std::string::npos);
        }
    }
    if (const auto labels = notify::read_labels(bytes)) {
        for (const auto& [name, value] : *labels) {
            require(notify::is_label_name(name) && value.size() <= notify::longest_label);
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    gate::policy rules;
    if (auto p = gate::read_policy(bytes, "fuzz.yml")) {
        rules = std::move(*p);
    } else {
        require(!p.error().what.empty() && !p.error().where.empty());
    }
    if (auto some = gate::parse_suppressions(bytes, "fuzz.supp")) { rules.suppressions = std::move(*some); }
    try_baseline(bytes, rules);
    try_alerts(bytes);
    try_alert_options(bytes);
    return 0;
}
