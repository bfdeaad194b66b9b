// SPDX-License-Identifier: Apache-2.0
#pragma once
// Bytes that leave through text protocols must be UTF-8: one stray byte in a label makes Prometheus refuse the whole page.
// Symbol names, thread names and tags come from outside, so they pass through here.
//
// In: any bytes. Out: valid UTF-8. Threads: any.

#include <cstddef>
#include <string>
#include <string_view>

namespace memwatch {
inline namespace v1 {
namespace serve {

// Length of the UTF-8 sequence that `text` begins with; 0 when it is none (overlong forms and surrogates are none).
[[nodiscard]] std::size_t utf8_length(std::string_view text) noexcept;

[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

// `text` with each byte that belongs to no sequence replaced by U+FFFD, cut at a character boundary to at most `max_bytes`
// (a cut ends in "...").
[[nodiscard]] std::string to_utf8(std::string_view text, std::size_t max_bytes);

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
