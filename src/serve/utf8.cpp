// SPDX-License-Identifier: Apache-2.0
#include "serve/utf8.hpp"

namespace memwatch {
inline namespace v1 {
namespace serve {

namespace {

unsigned byte_at(std::string_view text, std::size_t i) { return static_cast<unsigned char>(text[i]); }

std::size_t length_by_lead(unsigned lead) {
    if (lead < 0x80) { return 1; }
    if (lead >= 0xC2 && lead <= 0xDF) { return 2; }
    if (lead >= 0xE0 && lead <= 0xEF) { return 3; }
    if (lead >= 0xF0 && lead <= 0xF4) { return 4; }
    return 0;
}

// The second byte is where overlong forms, surrogates and values above U+10FFFF show (Unicode 15, table 3-7).
bool is_second_byte(unsigned lead, unsigned second) {
    switch (lead) {
        case 0xE0:
            return second >= 0xA0 && second <= 0xBF;
        case 0xED:
            return second >= 0x80 && second <= 0x9F;
        case 0xF0:
            return second >= 0x90 && second <= 0xBF;
        case 0xF4:
            return second >= 0x80 && second <= 0x8F;
        default:
            return second >= 0x80 && second <= 0xBF;
    }
}

}  // namespace

std::size_t utf8_length(std::string_view text) noexcept {
    if (text.empty()) { return 0; }
    const unsigned lead = byte_at(text, 0);
    const std::size_t length = length_by_lead(lead);
    if (length <= 1) { return length; }
    if (text.size() < length || !is_second_byte(lead, byte_at(text, 1))) { return 0; }
    for (std::size_t i = 2; i < length; ++i) {
        if ((byte_at(text, i) & 0xC0U) != 0x80U) { return 0; }
    }
    return length;
}

bool is_utf8(std::string_view text) noexcept {
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        if (length == 0) { return false; }
        text.remove_prefix(length);
    }
    return true;
}

std::string to_utf8(std::string_view text, std::size_t max_bytes) {
    std::string out;
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        const std::string_view piece = length == 0 ? std::string_view("\xEF\xBF\xBD") : text.substr(0, length);
        if (out.size() + piece.size() > max_bytes) {
            out += "...";
            break;
        }
        out += piece;
        text.remove_prefix(length == 0 ? 1 : length);
    }
    return out;
}

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
