// SPDX-License-Identifier: Apache-2.0
#pragma once
// Patterns with `*` for any run of characters; both ends are bound. Threads: any; no memory.

#include <string_view>

namespace memwatch {
inline namespace v1 {

// Whether `?` stands for any one character, as in a shell, or for itself, as in LeakSanitizer's suppressions and C++ names.
enum class question_mark { any_character, itself };

// Cost: O(text x pattern) at worst, by one point of return, the last `*`.
[[nodiscard]] bool glob_matches(std::string_view pattern, std::string_view text, question_mark meaning) noexcept;

}  // namespace v1
}  // namespace memwatch
