// SPDX-License-Identifier: Apache-2.0
#include "serve/target.hpp"

#include <algorithm>
#include <charconv>

#include "serve/utf8.hpp"

namespace memwatch {
inline namespace v1 {
namespace serve {

namespace {

int hex_digit(char c) {
    if (c >= '0' && c <= '9') { return c - '0'; }
    if (c >= 'a' && c <= 'f') { return c - 'a' + 10; }
    if (c >= 'A' && c <= 'F') { return c - 'A' + 10; }
    return -1;
}

// Percent-decodes one component. `+` is a space in a query (application/x-www-form-urlencoded), itself in a path.
result<std::string> decode_component(std::string_view text, bool plus_is_space) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '%') {
            const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
            const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
            if (high < 0 || low < 0) { return fail(error_code::invalid_argument, "a '%' is not followed by two hex digits"); }
            c = static_cast<char>(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
            return fail(error_code::invalid_argument, "control characters are not allowed in the request target");
        }
        out += c;
    }
    if (!is_utf8(out)) { return fail(error_code::invalid_argument, "the request target is not UTF-8"); }
    return out;
}

result<void> add_parameter(request_target& into, std::string_view pair) {
    const std::size_t equals = pair.find('=');
    auto name = decode_component(pair.substr(0, equals), true);
    if (!name) { return tl::unexpected(name.error()); }
    if (name->empty()) { return fail(error_code::invalid_argument, "a query parameter has no name"); }
    auto value = decode_component(equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1), true);
    if (!value) { return fail(value.error().code, value.error().what, *name); }
    if (into.find(*name) != nullptr) { return fail(error_code::invalid_argument, "given twice", *name); }
    if (into.parameters.size() == max_parameters) { return fail(error_code::invalid_argument, "too many query parameters"); }
    into.parameters.emplace_back(std::move(*name), std::move(*value));
    return {};
}

}  // namespace

bool is_listed(std::string_view word, std::string_view list) noexcept {
    while (!word.empty()) {
        const std::size_t bar = list.find('|');
        if (list.substr(0, bar) == word) { return true; }
        if (bar == std::string_view::npos) { return false; }
        list.remove_prefix(bar + 1);
    }
    return false;
}

const std::string* request_target::find(std::string_view name) const noexcept {
    const auto it = std::find_if(parameters.begin(), parameters.end(), [&](const auto& p) { return p.first == name; });
    return it == parameters.end() ? nullptr : &it->second;
}

std::string request_target::text(std::string_view name, std::string_view otherwise) const {
    const std::string* given = find(name);
    return given != nullptr ? *given : std::string(otherwise);
}

result<std::size_t> request_target::number(std::string_view name, std::size_t otherwise, std::size_t max) const {
    const std::string* given = find(name);
    if (given == nullptr) { return otherwise; }
    std::size_t value = 0;
    const char* const end = given->data() + given->size();
    const auto [stopped, failure] = std::from_chars(given->data(), end, value);
    if (failure != std::errc{} || stopped != end || value > max) {
        return fail(error_code::invalid_argument, "must be a whole number from 0 to " + std::to_string(max), std::string(name));
    }
    return value;
}

result<std::string> request_target::choice(std::string_view name, std::string_view otherwise, std::string_view choices) const {
    std::string value = text(name, otherwise);
    if (is_listed(value, choices)) { return value; }
    return fail(error_code::invalid_argument, "must be one of " + std::string(choices), std::string(name));
}

result<request_target> parse_target(std::string_view target) {
    if (target.size() > max_target_bytes) { return fail(error_code::limit, "the request target is longer than 8192 bytes"); }
    if (target.empty() || target.front() != '/') {
        return fail(error_code::invalid_argument, "the request target must begin with '/'");
    }
    if (target.find('#') != std::string_view::npos) {
        return fail(error_code::invalid_argument, "the request target must not have a fragment");
    }
    const std::size_t question = target.find('?');
    auto path = decode_component(target.substr(0, question), false);
    if (!path) { return tl::unexpected(path.error()); }
    request_target out;
    out.path = std::move(*path);
    std::string_view query = question == std::string_view::npos ? std::string_view{} : target.substr(question + 1);
    while (!query.empty()) {
        const std::size_t ampersand = query.find('&');
        if (ampersand != 0) {
            if (auto added = add_parameter(out, query.substr(0, ampersand)); !added) { return tl::unexpected(added.error()); }
        }
        query.remove_prefix(ampersand == std::string_view::npos ? query.size() : ampersand + 1);
    }
    return out;
}

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
