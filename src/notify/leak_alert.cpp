// SPDX-License-Identifier: Apache-2.0
#include "notify/leak_alert.hpp"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

#include <memwatch/model/site_name.hpp>

namespace memwatch::inline v1::notify {
namespace {

std::vector<const verdict*> worst_leaks(const snapshot& s) {
    std::vector<const verdict*> leaks;
    for (const verdict& each : s.verdicts) {
        if (level_of(each.kind) == verdict_level::leak) { leaks.push_back(&each); }
    }
    std::stable_sort(leaks.begin(), leaks.end(), [](const verdict* a, const verdict* b) {
        return std::tuple(a->severity, a->retained_bytes) > std::tuple(b->severity, b->retained_bytes);
    });
    leaks.resize(std::min(leaks.size(), most_leak_alerts));
    return leaks;
}

// As in the labels of memwatch_verdict.
void add_subject(label_set& labels, const snapshot& s, const verdict& of) {
    if (of.subject == verdict_subject::site) {
        const site& where = s.sites[of.index];
        labels["site"] = site_key(s, where);
        labels["function"] = label_value(site_name(s, where));
        labels["tag"] = label_value(s.tags[where.tag].name);
    } else {
        labels["site"] = "pool";
        labels["function"] = label_value(s.pools[of.index].name);
        labels["tag"] = label_value(s.pools[of.index].tag);
    }
}

int rank_of(std::string_view severity) { return severity == "critical" ? 3 : severity == "warning" ? 2 : 1; }

bool is_over(const alert& a, const std::vector<alert>& firing) {
    return std::none_of(firing.begin(), firing.end(), [&](const alert& each) { return each.labels == a.labels; });
}

}  // namespace

result<label_set> read_labels(std::string_view list) {
    static constexpr std::string_view own[] = {"alertname", "severity", "class", "site", "function", "tag"};
    label_set labels;
    while (!list.empty()) {
        const std::size_t end = std::min(list.find(','), list.size());
        const std::string_view text = list.substr(0, end);
        const std::string_view name = text.substr(0, text.find('='));
        list.remove_prefix(std::min(end + 1, list.size()));
        if (!is_label_name(name) || name.size() == text.size()) {
            return fail(error_code::invalid_argument, "not a label NAME=VALUE", std::string(text));
        }
        if (std::find(std::begin(own), std::end(own), name) != std::end(own)) {
            return fail(error_code::invalid_argument, "this label is memwatch's own", std::string(text));
        }
        labels[std::string(name)] = label_value(text.substr(name.size() + 1));
    }
    return labels;
}

std::vector<alert> leak_alerts(const snapshot& s, const speaker& who, const sentence_function& sentence) {
    std::vector<alert> alerts;
    for (const verdict* const each : worst_leaks(s)) {
        alert one;
        for (const auto& [name, value] : who.labels) { one.labels[name] = label_value(value); }
        one.labels["alertname"] = leak_alert_name;
        one.labels["severity"] = word_of(each->severity);
        one.labels["class"] = word_of(each->kind);
        add_subject(one.labels, s, *each);
        // Two pools of one name are one alert: the first matters more.
        if (!is_over(one, alerts)) { continue; }
        one.annotations["summary"] = "Memory leaks.";
        one.annotations["description"] = sentence(*each, s);
        one.annotations["runbook"] = "docs/runbooks/memwatchleak.md of memwatch";
        one.generator_url = who.generator_url;
        alerts.push_back(std::move(one));
    }
    return alerts;
}

std::vector<alert> oom_alerts(const snapshot& s, const speaker& who) {
    static constexpr std::uint64_t minute = 60'000;
    static constexpr struct {
        std::string_view severity;
        std::uint64_t below_ms;
        std::uint64_t after_ms;
    } grades[] = {
        {"info", 24 * 60 * minute, 15 * minute}, {"warning", 4 * 60 * minute, 5 * minute}, {"critical", 30 * minute, minute}};
    const auto left =
        std::find_if(s.activity.begin(), s.activity.end(), [](const auto& v) { return v.name == "time_to_oom_ms"; });
    std::vector<alert> alerts;
    if (left == s.activity.end()) { return alerts; }
    for (const auto& grade : grades) {
        if (left->value >= grade.below_ms) { continue; }
        alert one;
        for (const auto& [name, value] : who.labels) { one.labels[name] = label_value(value); }
        one.labels["alertname"] = oom_alert_name;
        one.labels["severity"] = grade.severity;
        one.annotations["summary"] = "Memory ends soon.";
        one.annotations["description"] = "The memory limit is met in " + std::to_string(left->value / minute) +
                                         " minutes if memory goes on growing as it does";
        one.annotations["runbook"] = "docs/runbooks/memwatchtimetooom.md of memwatch";
        one.generator_url = who.generator_url;
        one.after_ms = grade.after_ms;
        alerts.push_back(std::move(one));
    }
    return alerts;
}

void alert_book::hold_severities(std::vector<alert>& firing, std::uint64_t now_ms) {
    constexpr std::uint64_t held_for_ms = 600'000;
    for (alert& each : firing) {
        const auto name = each.labels.find("alertname");
        const auto severity = each.labels.find("severity");
        if (name == each.labels.end() || name->second != leak_alert_name || severity == each.labels.end()) { continue; }
        label_set subject = each.labels;
        subject.erase("severity");
        held& known = held_[subject];
        if (now_ms >= known.until_ms || rank_of(severity->second) >= rank_of(known.severity)) {
            known = {severity->second, now_ms + held_for_ms};
        } else {
            severity->second = known.severity;
        }
    }
    std::erase_if(held_, [&](const auto& each) { return now_ms >= each.second.until_ms; });
}

std::vector<alert> alert_book::due(std::vector<alert> firing, moment now) {
    hold_severities(firing, now.steady_ms);
    std::vector<alert> out;
    for (alert each : firing) {
        const auto known = told_.find(each.labels);
        if (known != told_.end() && now.steady_ms < known->second.posted_ms + pace_.repeat_ms) { continue; }
        if (known == told_.end() &&
            now.steady_ms < waiting_.try_emplace(each.labels, now.steady_ms).first->second + each.after_ms) {
            continue;
        }
        const std::string today = rfc3339(now.unix_ms);  // times of one form compare as they are
        each.starts_at = known == told_.end() ? today : std::min(known->second.what.starts_at, today);
        each.ends_at = rfc3339(now.unix_ms + pace_.lasts_ms);
        out.push_back(std::move(each));
    }
    for (auto it = waiting_.begin(); it != waiting_.end();) {
        const bool is_still =
            std::any_of(firing.begin(), firing.end(), [&](const alert& each) { return each.labels == it->first; });
        it = is_still && told_.find(it->first) == told_.end() ? std::next(it) : waiting_.erase(it);
    }
    for (auto it = told_.begin(); it != told_.end();) {
        if (!is_over(it->second.what, firing)) {
            ++it;
        } else if (now.steady_ms >= it->second.posted_ms + pace_.lasts_ms) {
            it = told_.erase(it);  // it has lapsed there
        } else {
            out.push_back(it->second.what);
            out.back().ends_at = rfc3339(now.unix_ms);
            out.back().starts_at = std::min(out.back().starts_at, out.back().ends_at);  // the clock may have been set back
            ++it;
        }
    }
    return out;
}

void alert_book::keep(const std::vector<alert>& posted, moment now) {
    for (const alert& each : posted) {
        if (each.ends_at <= rfc3339(now.unix_ms)) {  // times of one form compare as they are
            told_.erase(each.labels);
        } else {
            told_.insert_or_assign(each.labels, told{each, now.steady_ms});
        }
    }
}

}  // namespace memwatch::inline v1::notify
