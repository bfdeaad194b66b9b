// SPDX-License-Identifier: Apache-2.0
#pragma once
// A text table with lines of notes between its rows. Every text the project prints is one of these or a heading.
//
// In: cells that are printable already (words.hpp). Out: lines without trailing spaces. Colours are added around padded cells,
// so that they never move a column.

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace memwatch {
inline namespace v1 {

enum class text_style { plain, bold, dim, growth, shrinkage, caution };

// `text` in the style's ANSI colour, or as it is. Growth is yellow and shrinkage cyan: red and green look alike to many.
[[nodiscard]] std::string styled(std::string text, text_style style, bool colour);

class text_table {
public:
    enum class align { left, right };

    explicit text_table(bool colour, std::size_t indent = 0) : indent_(indent), colour_(colour) {}

    void add_column(std::string title, align side) { columns_.push_back({std::move(title), side}); }

    // `cells` as many as columns; a missing rest is empty.
    void add_row(std::vector<std::string> cells, text_style style = text_style::plain) {
        rows_.push_back({std::move(cells), style, {}});
    }

    // A line under the last row, indented.
    void add_note(std::string note) { rows_.back().notes.push_back(std::move(note)); }

    [[nodiscard]] bool empty() const noexcept { return rows_.empty(); }

    [[nodiscard]] std::string render() const;

private:
    struct column {
        std::string title;
        align side;
    };
    struct row {
        std::vector<std::string> cells;
        text_style style;
        std::vector<std::string> notes;
    };

    [[nodiscard]] std::string line(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths) const;

    std::vector<column> columns_;
    std::vector<row> rows_;
    std::size_t indent_;  // columns before each line
    bool colour_;
};

}  // namespace v1
}  // namespace memwatch
