// SPDX-License-Identifier: Apache-2.0
#pragma once
// The model in words: lines for a screen of any size, lines for a pipe, one line of JSON. Pure functions; whoever calls owns
// the terminal.
//
//   memwatch top - orders, pid 4711, up 3m12s - http://127.0.0.1:9467                              every 2 s
//   RSS 312.0 MiB   live 201.2 MiB +- 3.1 MiB   +1.2 MiB/s   R 1.0 MiB   drops 0   self 4.2 MiB
//   sites by growth since 1m20s: +64.0 MiB of 201.2 MiB, 12 of 80 shown, filter "cache"
//         LIVE    GROWTH v        RATE       LAST   OLDEST    OBJECTS  SITE                    TAG           ROUTE
//
// In: a model and what was chosen. Out: UTF-8 without control characters. Threads: any.

#include <cstddef>
#include <string>
#include <vector>

#include "cli/top/controls.hpp"
#include "cli/top/model.hpp"

namespace memwatch {
inline namespace v1 {
namespace top {

enum class line_style { plain, title, heading, dim, growth, caution, selected };

struct line {
    std::string text;  // at most the screen's columns wide
    line_style style{line_style::plain};
};

struct screen_size {
    std::size_t columns{80}, rows{24};
};

// Rows of the table that a screen of that height has room for.
[[nodiscard]] std::size_t rows_that_fit(screen_size size) noexcept;

// Exactly size.rows lines.
[[nodiscard]] std::vector<line> draw(const model& of, const controls& chosen, screen_size size, std::uint64_t interval_ns);

// One look for a pipe or a dumb terminal: header, table of `count` rows (0 = all), an empty line.
[[nodiscard]] std::string plain_lines(const model& of, const order& how, std::size_t count, bool colour);

// One look as one line: {"kind": "memwatch.top", ..., "rows": [..]}.
[[nodiscard]] std::string json_line(const model& of, const order& how, std::size_t count);

}  // namespace top
}  // namespace v1
}  // namespace memwatch
