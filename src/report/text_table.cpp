// SPDX-License-Identifier: Apache-2.0
#include "report/text_table.hpp"

#include <algorithm>

#include "report/words.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

const char* escape_sequence(text_style style) noexcept {
    switch (style) {
        case text_style::bold:
            return "\x1b[1m";
        case text_style::dim:
            return "\x1b[2m";
        case text_style::growth:
            return "\x1b[33m";
        case text_style::shrinkage:
            return "\x1b[36m";
        case text_style::caution:
            return "\x1b[1;33m";
        case text_style::plain:
            break;
    }
    return "";
}

void trim_end(std::string& text) { text.erase(text.find_last_not_of(' ') + 1); }

}  // namespace

std::string styled(std::string text, text_style style, bool colour) {
    if (!colour || style == text_style::plain || text.empty()) { return text; }
    return escape_sequence(style) + text + "\x1b[0m";
}

std::string text_table::line(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths) const {
    std::string text;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        const std::string cell = i < cells.size() ? cells[i] : std::string();
        const std::string padding(widths[i] - std::min(widths[i], display_width(cell)), ' ');
        if (i != 0) { text += "  "; }
        text += columns_[i].side == align::right ? padding + cell : cell + padding;
    }
    trim_end(text);
    return text;
}

std::string text_table::render() const {
    std::vector<std::size_t> widths;
    std::vector<std::string> titles;
    for (const column& c : columns_) {
        titles.push_back(c.title);
        widths.push_back(display_width(c.title));
    }
    for (const row& r : rows_) {
        for (std::size_t i = 0; i < widths.size() && i < r.cells.size(); ++i) {
            widths[i] = std::max(widths[i], display_width(r.cells[i]));
        }
    }
    const std::string margin(indent_, ' ');
    std::string text = margin + styled(line(titles, widths), text_style::dim, colour_) + "\n";
    for (const row& r : rows_) {
        text += margin + styled(line(r.cells, widths), r.style, colour_) + "\n";
        for (const std::string& note : r.notes) {
            std::string indented = margin + "     " + note;
            trim_end(indented);
            text += indented + "\n";
        }
    }
    return text;
}

}  // namespace v1
}  // namespace memwatch
