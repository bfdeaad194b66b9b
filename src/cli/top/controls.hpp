// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a person at the keyboard has chosen: order, filter, selection, which page is shown. Keys in, choices out; a value, so
// that every key is a unit test.
//
// In: keys, and how many rows fit. Out: the rows to show, in order. Threads: one.

#include <cstdint>
#include <string>
#include <vector>

#include "cli/top/model.hpp"

namespace memwatch {
inline namespace v1 {
namespace top {

enum class column { live, growth, rate, last, oldest, objects, verdict, name, tag, route };
inline constexpr std::size_t column_count = 10;

[[nodiscard]] const char* to_string(column of) noexcept;  // "live", "growth" ...
[[nodiscard]] bool is_text(column of) noexcept;

struct order {
    column by{column::growth};
    bool is_reversed{};  // smallest first; of text: last letter first
};

// Rows that match the filter, ordered; rows that tie stand in the order of their names. `filter` is any part of name, tag, type
// or route, ASCII letters alike in either case.
[[nodiscard]] std::vector<const row*> arranged(const board& from, const order& how, const std::string& filter);

enum class key { none, character, up, down, page_up, page_down, home, end, enter, escape, backspace, left, right };

struct key_press {
    key what{key::none};
    std::string text;  // of character: its UTF-8
};

enum class page { table, stack, help };

class controls {
public:
    // What the caller has to do besides drawing.
    enum class wish { nothing, quit };

    wish press(const key_press& pressed, model& of, std::size_t rows_that_fit);

    [[nodiscard]] const order& how() const noexcept { return how_; }
    [[nodiscard]] const std::string& filter() const noexcept { return filter_; }
    [[nodiscard]] bool is_typing() const noexcept { return is_typing_; }
    [[nodiscard]] bool is_paused() const noexcept { return is_paused_; }
    [[nodiscard]] page shown() const noexcept { return page_; }
    [[nodiscard]] const std::string& chosen() const noexcept { return chosen_; }  // key of the row; empty = the first
    [[nodiscard]] std::size_t scrolled() const noexcept { return scrolled_; }     // lines of a page that is no table

    // Where the selection is among `rows`, and the first row to show so that it is among `fit`. A row that was chosen is
    // followed wherever it goes; until one was, the first is selected.
    struct window {
        std::size_t selected{}, first{};
    };
    [[nodiscard]] window place(const std::vector<const row*>& rows, std::size_t fit) const;

    void sort_by(column of) noexcept { how_ = {of, false}; }

private:
    wish press_command(char pressed, model& of);
    void press_filter(const key_press& pressed);
    void move(const key_press& pressed, const model& of, std::size_t fit);
    void step_column(int by) noexcept;

    order how_;
    std::string filter_;
    std::string chosen_;           // key of the selected row; empty = whichever is first
    mutable std::size_t first_{};  // scrolling moves as little as it can
    std::size_t scrolled_{};
    page page_{page::table};
    bool is_typing_{}, is_paused_{};
};

}  // namespace top
}  // namespace v1
}  // namespace memwatch
