// SPDX-License-Identifier: Apache-2.0
#pragma once
// The words every renderer shares: names made safe and short, numbers made readable, frames turned into "function file:line".
//
// In: text from snapshots (hostile: it may come from a file anyone wrote). Out: UTF-8 that a terminal, a log or a Markdown page
// shows as it stands. Threads: any (pure functions).

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <memwatch/model/snapshot.hpp>

#include "base/utf8.hpp"

namespace memwatch {
inline namespace v1 {

// `text` with every control character and invalid byte as a visible escape: "\x1b", "\n", "\u{202e}".
[[nodiscard]] std::string printable(std::string_view text);

// Code points; near enough to columns for the names programs have.
[[nodiscard]] std::size_t display_width(std::string_view text) noexcept;

// At most `width` columns: template arguments are folded to <...> first, then the end is cut ("...").
[[nodiscard]] std::string elide(std::string text, std::size_t width);

// A Markdown code span that nothing inside can leave, also within a table. "" -> "-".
[[nodiscard]] std::string code_span(std::string_view text);

// 26520 -> "26,520"; the signed twin has "+26,520".
[[nodiscard]] std::string format_count(double count);
[[nodiscard]] std::string format_count_signed(double count);

// "12.3 MiB +- 1.2 MiB"; without the error when it is 0.
[[nodiscard]] std::string format_estimate(double bytes, double standard_error);

// "99 %", "<1 %"; "" when `part` is no share of `whole` (other sign, or whole = 0).
[[nodiscard]] std::string format_share(double part, double whole);

// "2026-11-21 22:59:29 UTC"; "?" for 0.
[[nodiscard]] std::string format_time(std::uint64_t unix_ns);

// The part behind the last slash.
[[nodiscard]] std::string_view base_name(std::string_view path) noexcept;

// One line of a stack as people read it.
struct frame_words {
    std::string function;  // short and printable, or "module+0x1a40"
    std::string place;     // "src/cache.cpp:42"; empty = unknown
};

// The innermost `limit` lines of the user's own code, inlined calls unfolded; the whole stack's first lines when none is known
// to be the user's.
[[nodiscard]] std::vector<frame_words> user_frames(const std::vector<frame>& stack, const std::vector<module>& modules,
                                                   std::size_t limit);

}  // namespace v1
}  // namespace memwatch
