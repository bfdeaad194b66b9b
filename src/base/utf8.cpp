// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace memwatch {
inline namespace v1 {
namespace {

struct code_point_range {
    char32_t first, last;
};

// Unicode 15: general categories Cc and the Cf characters that hide or reorder text (UAX 9, UTR 36).
constexpr std::array<code_point_range, 8> controls{{{0x00, 0x1F},
                                                    {0x7F, 0x9F},
                                                    {0xAD, 0xAD},
                                                    {0x200B, 0x200F},
                                                    {0x2028, 0x202E},
                                                    {0x2060, 0x206F},
                                                    {0xFEFF, 0xFEFF},
                                                    {0xE0000, 0xE007F}}};

}  // namespace

bool take_code_point(std::string_view& text, char32_t& code_point) noexcept {
    const auto lead = static_cast<unsigned char>(text.front());
    std::size_t length = lead < 0x80 ? 1 : lead >= 0xF0 && lead < 0xF5 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 0;
    if (lead >= 0xF5) { length = 0; }
    code_point = lead;
    bool is_valid = length != 0 && length <= text.size();
    if (is_valid && length > 1) {
        constexpr std::array<char32_t, 5> lowest{0, 0, 0x80, 0x800, 0x10000};
        char32_t value = lead & (0xFFU >> (length + 1));
        for (std::size_t i = 1; i < length; ++i) {
            const auto next = static_cast<unsigned char>(text[i]);
            is_valid = is_valid && (next & 0xC0U) == 0x80;
            value = (value << 6U) | (next & 0x3FU);
        }
        is_valid = is_valid && value >= lowest[length] && value <= 0x10FFFF && (value < 0xD800 || value > 0xDFFF);
        if (is_valid) { code_point = value; }
    }
    text.remove_prefix(is_valid ? length : 1);
    return is_valid;
}

bool is_control(char32_t code_point) noexcept {
    return std::any_of(controls.begin(), controls.end(),
                       [&](const code_point_range& r) { return code_point >= r.first && code_point <= r.last; });
}

}  // namespace v1
}  // namespace memwatch
