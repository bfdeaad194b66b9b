// SPDX-License-Identifier: Apache-2.0
#pragma once
// Text from outside, one character at a time: what is UTF-8, and what a reader would not see as text.
//
// In: any bytes. Out: code points. Threads: any (pure functions).

#include <string_view>

namespace memwatch {
inline namespace v1 {

// Takes the next code point off `text` (not empty). Returns false for a byte that isn't UTF-8; `code_point` is that byte then.
bool take_code_point(std::string_view& text, char32_t& code_point) noexcept;

// True for what changes a terminal instead of showing: C0 and C1 controls, zero-width characters, direction overrides, tags.
[[nodiscard]] bool is_control(char32_t code_point) noexcept;

}  // namespace v1
}  // namespace memwatch
