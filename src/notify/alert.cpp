// SPDX-License-Identifier: Apache-2.0
#include "notify/alert.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

#include <rapidjson/document.h>

#include "base/json_writer.hpp"
#include "base/utf8.hpp"

namespace memwatch::inline v1::notify {
namespace {

constexpr std::size_t most_alerts = 10'000;

// Cut at a character, not inside one.
std::string_view cut(std::string_view text, std::size_t longest) {
    if (text.size() <= longest) { return text; }
    std::size_t end = longest;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80) { --end; }
    return text.substr(0, end);
}

void put_texts(json_writer& json, const char* key, const label_set& texts, std::size_t longest) {
    json.key(key);
    json.begin_object();
    for (const auto& [name, value] : texts) {
        if (!value.empty()) { json.key(name).value(cut(value, longest)); }
    }
    json.end_object();
}

// RFC 3986, as the rest of the project escapes.
std::string percent_encoded(std::string_view text) {
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string encoded;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' || c == '.') {
            encoded += c;
        } else {
            encoded += {'%', digits[byte >> 4U], digits[byte & 0xFU]};
        }
    }
    return encoded;
}

// name="value", quoted as the matchers of Alertmanager read it.
std::string matcher(const std::string& name, const std::string& value) {
    std::string quoted = name + "=\"";
    for (const char c : value) {
        if (c == '\\' || c == '"') { quoted += '\\'; }
        c == '\n' ? quoted += "\\n" : quoted += c;
    }
    return quoted + "\"";
}

result<active_alert> read_alert(const rapidjson::Value& alert) {
    const auto refuse = [] { return fail(error_code::unreadable, "an alert without labels", "the answer of Alertmanager"); };
    if (!alert.IsObject()) { return refuse(); }
    const auto labels = alert.FindMember("labels");
    if (labels == alert.MemberEnd() || !labels->value.IsObject()) { return refuse(); }
    active_alert found;
    for (const auto& entry : labels->value.GetObject()) {
        if (!entry.value.IsString()) { return refuse(); }
        const std::string name(entry.name.GetString(), entry.name.GetStringLength());
        found.labels[name].assign(entry.value.GetString(), entry.value.GetStringLength());
    }
    const auto start = alert.FindMember("startsAt");
    if (start != alert.MemberEnd() && start->value.IsString()) { found.starts_at = start->value.GetString(); }
    return found;
}

}  // namespace

std::string encode_alerts(const std::vector<alert>& alerts) {
    json_writer json;
    json.begin_array();
    for (const alert& each : alerts) {
        json.begin_object();
        put_texts(json, "labels", each.labels, longest_label);
        put_texts(json, "annotations", each.annotations, longest_annotation);
        if (!each.starts_at.empty()) { json.key("startsAt").value(each.starts_at); }
        if (!each.ends_at.empty()) { json.key("endsAt").value(each.ends_at); }
        if (!each.generator_url.empty()) { json.key("generatorURL").value(each.generator_url); }
        json.end_object();
    }
    json.end_array();
    return json.take();
}

std::string rfc3339(std::uint64_t unix_ms) {
    const auto seconds = static_cast<std::time_t>(unix_ms / 1000);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    std::array<char, 64> text{};
    const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    std::snprintf(text.data() + length, text.size() - length, ".%03uZ", static_cast<unsigned>(unix_ms % 1000));
    return text.data();
}

bool is_label_name(std::string_view name) noexcept {
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
    return !name.empty() && is_letter(name.front()) &&
           std::all_of(name.begin(), name.end(), [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

result<std::vector<active_alert>> decode_alerts(std::string_view body) {
    const auto refuse = [](const char* why) { return fail(error_code::unreadable, why, "the answer of Alertmanager"); };
    rapidjson::Document document;
    document.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag>(body.data(), body.size());
    if (document.HasParseError() || !document.IsArray()) { return refuse("not a list of alerts"); }
    if (document.Size() > most_alerts) { return refuse("too many alerts"); }
    std::vector<active_alert> found;
    for (const auto& each : document.GetArray()) {
        auto one = read_alert(each);
        if (!one) { return tl::unexpected<error>(one.error()); }
        found.push_back(std::move(*one));
    }
    return found;
}

std::string filter_query(const label_set& labels) {
    std::string query;
    for (const auto& [name, value] : labels) {
        if (value.empty()) { continue; }
        query += (query.empty() ? "?filter=" : "&filter=") + percent_encoded(matcher(name, value));
    }
    return query;
}

std::string label_value(std::string_view text) {
    std::string value;
    for (std::string_view rest = cut(text, longest_label); !rest.empty();) {
        const std::string_view before = rest;
        char32_t code_point{};
        const bool is_character = take_code_point(rest, code_point);
        value += is_character ? before.substr(0, before.size() - rest.size()) : "\xEF\xBF\xBD";
    }
    return std::string(cut(value, longest_label));
}

}  // namespace memwatch::inline v1::notify
