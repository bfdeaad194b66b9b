// SPDX-License-Identifier: Apache-2.0
#pragma once
// An alert as Alertmanager's API v2 takes it (POST /api/v2/alerts), and what it answers. Values only: who sends the bytes, and
// where to, is the caller's business.
//
// What an alert *is* to Alertmanager is its set of labels; everything else about it may change from one post to the next. So an
// alert is resolved by posting the same labels with an end that has come, and whoever forgot the labels can ask for them: the
// answer to GET /api/v2/alerts carries what is active. Nothing has to be remembered here.
//
// In: names and sentences, hostile as any. Out: JSON. Threads: any.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <memwatch/base/result.hpp>

namespace memwatch::inline v1::notify {

using label_set = std::map<std::string, std::string>;

struct alert {
    label_set labels;
    label_set annotations;      // "summary", "description"
    std::string starts_at;      // RFC 3339; "" = left to Alertmanager
    std::string ends_at;        // in the future while it fires: until then it stays without another post
    std::string generator_url;  // "" = none
    std::uint64_t after_ms{};   // told only when it has been so for that long; leak_alert.hpp
};

// One that Alertmanager has.
struct active_alert {
    label_set labels;
    std::string starts_at;
};

inline constexpr std::size_t longest_label = 256;  // bytes of a value: a template's name can have kilobytes
inline constexpr std::size_t longest_annotation = 4096;

// The request body. Label values are cut to longest_label, empty ones left out (to Alertmanager they are the same as absent).
[[nodiscard]] std::string encode_alerts(const std::vector<alert>& alerts);

// "2026-11-22T09:30:00.000Z", as the API writes times.
[[nodiscard]] std::string rfc3339(std::uint64_t unix_ms);

// [a-zA-Z_][a-zA-Z0-9_]*
[[nodiscard]] bool is_label_name(std::string_view name) noexcept;

// The alerts in the answer to GET /api/v2/alerts. Errors: unreadable.
[[nodiscard]] result<std::vector<active_alert>> decode_alerts(std::string_view body);

// "?filter=alertname%3D%22...%22&filter=...": only alerts with these labels, others beside them allowed.
[[nodiscard]] std::string filter_query(const label_set& labels);

// What a label's value looks like to Alertmanager: cut, and without broken UTF-8.
[[nodiscard]] std::string label_value(std::string_view text);

}  // namespace memwatch::inline v1::notify
