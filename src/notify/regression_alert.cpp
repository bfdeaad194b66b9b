// SPDX-License-Identifier: Apache-2.0
#include "notify/regression_alert.hpp"

#include <algorithm>
#include <array>

namespace memwatch::inline v1::notify {
namespace {

constexpr std::array found_labels{"severity", "site", "function", "tag"};

bool is_found_label(const std::string& name) {
    return std::any_of(found_labels.begin(), found_labels.end(), [&](const char* each) { return name == each; });
}

// Without what a run found, and as Alertmanager shows it: no empty values.
label_set identity_of(const label_set& labels) {
    label_set identity;
    for (const auto& [name, value] : labels) {
        if (!is_found_label(name) && !value.empty()) { identity[name] = value; }
    }
    return identity;
}

label_set all_labels(const label_set& identity, const label_set& found) {
    label_set labels{{"alertname", regression_alert_name}};
    for (const auto* some : {&identity, &found}) {
        for (const auto& [name, value] : *some) {
            if (!value.empty()) { labels[name] = label_value(value); }
        }
    }
    return labels;
}

}  // namespace

bool is_reserved_label(const std::string& name) { return name == "alertname" || is_found_label(name); }

std::vector<alert> plan_alerts(const label_set& identity, const std::optional<regression>& firing,
                               const std::vector<active_alert>& active, std::uint64_t now_unix_ms, std::uint64_t lasts_ms) {
    const label_set who = all_labels(identity, {});
    std::vector<alert> plan;
    label_set fires;
    if (firing) {
        fires = all_labels(identity, firing->found);
        const auto known = std::find_if(active.begin(), active.end(), [&](const active_alert& a) { return a.labels == fires; });
        plan.push_back({fires, firing->annotations, known == active.end() ? rfc3339(now_unix_ms) : known->starts_at,
                        rfc3339(now_unix_ms + lasts_ms), firing->generator_url});
    }
    for (const active_alert& each : active) {
        if (identity_of(each.labels) != who || each.labels == fires) { continue; }
        plan.push_back({each.labels,
                        {{"summary", firing ? "Another site is the worst one now" : "The memory gate passes again"}},
                        each.starts_at,
                        rfc3339(now_unix_ms),
                        firing ? firing->generator_url : std::string()});
    }
    return plan;
}

}  // namespace memwatch::inline v1::notify
