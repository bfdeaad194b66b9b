// SPDX-License-Identifier: Apache-2.0
#include "serve/control_form.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "serve/target.hpp"

namespace memwatch {
inline namespace v1 {
namespace serve {
namespace {

using members = std::vector<std::pair<std::string, std::string>>;

constexpr std::size_t max_value_bytes = 64;

// One object of strings and whole numbers, nothing nested, no escapes: no word that means anything here has one.
class flat_object {
public:
    explicit flat_object(std::string_view text) : rest_(text) {}

    result<members> read() {
        members out;
        if (!take('{')) { return refuse(); }
        if (take('}')) { return at_end() ? result<members>(out) : refuse(); }
        do {
            std::string name;
            std::string value;
            if (!take_string(name) || !take(':') || !(take_string(value) || take_number(value))) { return refuse(); }
            out.emplace_back(std::move(name), std::move(value));
        } while (out.size() < max_parameters && take(','));
        return take('}') && at_end() ? result<members>(out) : refuse();
    }

private:
    static tl::unexpected<error> refuse() {
        return fail(error_code::invalid_argument, "not a JSON object of plain strings and whole numbers", "body");
    }
    void skip_space() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size())); }
    bool at_end() {
        skip_space();
        return rest_.empty();
    }
    bool take(char wanted) {
        skip_space();
        if (rest_.empty() || rest_.front() != wanted) { return false; }
        rest_.remove_prefix(1);
        return true;
    }
    bool take_string(std::string& into) {
        if (!take('"')) { return false; }
        const std::size_t end = rest_.find('"');
        if (end == std::string_view::npos || rest_.substr(0, end).find('\\') != std::string_view::npos) { return false; }
        into = rest_.substr(0, end);
        rest_.remove_prefix(end + 1);
        return true;
    }
    bool take_number(std::string& into) {
        const std::size_t end = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
        into = rest_.substr(0, end);
        rest_.remove_prefix(end);
        return !into.empty();
    }

    std::string_view rest_;
};

result<members> read_members(std::string_view content_type, std::string_view body) {
    if (content_type.substr(0, 16) == "application/json") { return flat_object(body).read(); }
    return parse_target("/?" + std::string(body)).map([](request_target&& form) { return std::move(form.parameters); });
}

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
    result<members> given = read_members(content_type, body);
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
