// SPDX-License-Identifier: Apache-2.0
#include "serve/control_form.hpp"

#include <algorithm>

#include "serve/request_body.hpp"
#include "serve/target.hpp"

namespace memwatch {
inline namespace v1 {
namespace serve {
namespace {

constexpr std::size_t max_name_bytes = 32;
constexpr std::size_t max_value_bytes = 64;
constexpr std::size_t max_options = 10;  // they fit into one line of the control protocol

bool is_name(std::string_view text) noexcept {
    return !text.empty() && text.size() <= max_name_bytes &&
           std::all_of(text.begin(), text.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

bool is_word(std::string_view text) noexcept {
    return !text.empty() && text.size() <= max_value_bytes &&
           std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

bool has(const control_request& r, std::string_view name) noexcept {
    return std::any_of(r.options.begin(), r.options.end(), [&](const auto& each) { return each.first == name; });
}

result<void> put(control_request& into, std::string name, std::string value) {
    if (!is_name(name)) { return fail(error_code::invalid_argument, "members are options' names, like interval", "body"); }
    if (!is_word(value)) { return fail(error_code::invalid_argument, "a value is one word of at most 64 characters", name); }
    if (name == "action") {
        if (!into.action.empty()) { return fail(error_code::invalid_argument, "given twice", name); }
        if (!is_listed(value, "pause|resume|baseline")) {
            return fail(error_code::invalid_argument, "must be one of pause|resume|baseline", name);
        }
        into.action = std::move(value);
        return {};
    }
    if (has(into, name)) { return fail(error_code::invalid_argument, "given twice", name); }
    if (into.options.size() == max_options) { return fail(error_code::invalid_argument, "too many members", "body"); }
    into.options.emplace_back(std::move(name), std::move(value));
    return {};
}

}  // namespace

std::vector<std::string> control_request::lines() const {
    std::vector<std::string> out;
    if (!options.empty()) {
        out.emplace_back("set");
        for (const auto& [name, value] : options) { out.back().append(" ").append(name).append("=").append(value); }
    }
    if (!action.empty()) { out.push_back(action == "pause" ? "stop" : action); }
    return out;
}

result<control_request> parse_control_form(std::string_view content_type, std::string_view body) {
    result<body_members> given = parse_body(content_type, body);
    if (!given) { return tl::unexpected<error>(given.error()); }
    control_request out;
    for (auto& [name, value] : *given) {
        if (auto done = put(out, std::move(name), std::move(value)); !done) { return tl::unexpected<error>(done.error()); }
    }
    if (out.options.empty() && out.action.empty()) {
        return fail(
            error_code::invalid_argument,
            "the body takes options that may change (preset=full for=5m interval=64KiB) and action=pause|resume|baseline");
    }
    if ((out.action == "pause" || out.action == "resume") && has(out, "preset")) {
        return fail(error_code::invalid_argument, "choose a preset or an action: a preset ends a pause");
    }
    return out;
}

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
