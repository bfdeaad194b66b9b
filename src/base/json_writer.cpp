// SPDX-License-Identifier: Apache-2.0
#include "base/json_writer.hpp"

#include <charconv>
#include <cmath>

#include "base/utf8.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

template <class Number, class... Format>
void append_number(std::string& to, Number number, Format... format) {
    char digits[512];  // of DBL_MAX with three decimals: 309 + 4
    const auto done = std::to_chars(digits, digits + sizeof digits, number, format...);
    to.append(digits, done.ptr);
}

void append_escape(std::string& to, std::uint32_t unit) {
    constexpr char hex[] = "0123456789abcdef";
    to += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) { to += hex[(unit >> shift) & 0xFU]; }
}

}  // namespace

void json_writer::separate() {
    if (is_after_key_) {
        is_after_key_ = false;
        return;
    }
    if (has_elements_.empty()) { return; }
    if (has_elements_.back()) { text_ += wants_line_ ? "," : ", "; }
    if (wants_line_) { text_ += "\n  "; }
    wants_line_ = false;
    has_elements_.back() = true;
}

void json_writer::open(char bracket) {
    separate();
    text_ += bracket;
    has_elements_.push_back(false);
}

void json_writer::close(char bracket) {
    text_ += bracket;
    has_elements_.pop_back();
    wants_line_ = false;
}

json_writer& json_writer::key(std::string_view name) {
    value(name);
    text_ += ": ";
    is_after_key_ = true;
    return *this;
}

void json_writer::value(std::string_view text) {
    separate();
    text_ += '"';
    while (!text.empty()) {
        const std::string_view before = text;
        char32_t code_point{};
        if (!take_code_point(text, code_point)) {
            text_ += "\\ufffd";
        } else if (code_point == '"' || code_point == '\\') {
            text_ += '\\';
            text_ += static_cast<char>(code_point);
        } else if (!is_control(code_point)) {
            text_ += before.substr(0, before.size() - text.size());
        } else if (code_point < 0x10000) {
            append_escape(text_, static_cast<std::uint32_t>(code_point));
        } else {
            const std::uint32_t rest = static_cast<std::uint32_t>(code_point) - 0x10000;
            append_escape(text_, 0xD800U + (rest >> 10U));
            append_escape(text_, 0xDC00U + (rest & 0x3FFU));
        }
    }
    text_ += '"';
}

void json_writer::value(std::uint64_t number) {
    separate();
    append_number(text_, number);
}

void json_writer::value(std::int64_t number) {
    separate();
    append_number(text_, number);
}

void json_writer::value(double number) {
    if (!std::isfinite(number)) { return null(); }
    separate();
    // Three decimals, and shortest form above 2^53, where doubles are integers anyway.
    if (std::fabs(number) < 9e15) {
        append_number(text_, number == 0 ? 0.0 : number, std::chars_format::fixed, 3);
    } else {
        append_number(text_, number);
    }
}

void json_writer::value(bool flag) {
    separate();
    text_ += flag ? "true" : "false";
}

void json_writer::null() {
    separate();
    text_ += "null";
}

std::string json_writer::take() {
    text_ += '\n';
    return std::move(text_);
}

}  // namespace v1
}  // namespace memwatch
