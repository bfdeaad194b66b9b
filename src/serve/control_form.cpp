// SPDX-License-Identifier: Apache-2.0
#include "serve/control_form.hpp"

#include <algorithm>
#include <utility>

#include "serve/request_body.hpp"
#include "serve/target.hpp"

namespace memwatch {
inline namespace v1 {
namespace serve {
namespace {

constexpr std::size_t max_value_bytes = 64;

bool is_word(std::string_view text) noexcept {
    return !text.empty() && text.size() <= max_value_bytes &&
           std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

result<void> put(std::string& into, const std::string& name, std::string value, std::string_view choices) {
    if (!into.empty()) { return fail(error_code::invalid_argument, "given twice", name); }
    if (!is_word(value) || (!choices.empty() && !is_listed(value, choices))) {
        return fail(error_code::invalid_argument,
                    choices.empty() ? "a size like 512KiB" : "must be one of " + std::string(choices), name);
    }
    into = std::move(value);
    return {};
}

result<void> put(control_request& into, const std::string& name, std::string value) {
    if (name == "preset") { return put(into.preset, name, std::move(value), "off|on|full"); }
    if (name == "interval") { return put(into.interval, name, std::move(value), ""); }
    if (name == "action") { return put(into.action, name, std::move(value), "pause|resume"); }
    return fail(error_code::invalid_argument, "the body takes preset, interval and action, and no other members");
}

}  // namespace

result<control_request> parse_control_form(std::string_view content_type, std::string_view body) {
    result<body_members> given = parse_body(content_type, body);
    if (!given) { return tl::unexpected<error>(given.error()); }
    control_request out;
    for (auto& [name, value] : *given) {
        if (auto done = put(out, name, std::move(value)); !done) { return tl::unexpected<error>(done.error()); }
    }
    if (out.preset.empty() && out.interval.empty() && out.action.empty()) {
        return fail(error_code::invalid_argument, "the body takes preset=off|on|full, interval=SIZE, action=pause|resume");
    }
    if (!out.action.empty() && !out.preset.empty()) {
        return fail(error_code::invalid_argument, "choose a preset or an action: a preset ends a pause");
    }
    return out;
}

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
