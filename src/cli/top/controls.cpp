// SPDX-License-Identifier: Apache-2.0
#include "cli/top/controls.hpp"

#include <algorithm>
#include <cmath>

namespace memwatch {
inline namespace v1 {
namespace top {
namespace {

constexpr const char* column_names[column_count] = {"live",    "growth",  "rate", "last", "oldest",
                                                    "objects", "verdict", "name", "tag",  "route"};

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool has_part(const std::string& text, const std::string& part) {
    return std::search(text.begin(), text.end(), part.begin(), part.end(),
                       [](char a, char b) { return lower(a) == lower(b); }) != text.end();
}

bool matches(const row& of, const std::string& filter) {
    return filter.empty() || has_part(of.name, filter) || has_part(of.tag, filter) || has_part(of.type, filter) ||
           has_part(of.route, filter);
}

double number_of(const row& of, const growth& grown, column by) {
    switch (by) {
        case column::growth:
            return grown.since_mark;
        case column::rate:
            return grown.per_second;
        case column::last:
            return grown.since_last;
        case column::oldest:
            return static_cast<double>(of.oldest_age_ns.value_or(0));
        case column::objects:
            return of.objects;
        case column::verdict:
            return of.judged ? 1 + static_cast<double>(*of.judged) : 0;  // classes stand in the order of how bad they are
        default:
            return of.live_bytes;
    }
}

const std::string& text_of(const row& of, column by) {
    return by == column::tag ? of.tag : by == column::route ? of.route : of.name;
}

struct ranked {
    const row* of;
    double number;
};

bool comes_first(const ranked& a, const ranked& b, const order& how) {
    if (is_text(how.by)) {
        const int order = text_of(*a.of, how.by).compare(text_of(*b.of, how.by));
        if (order != 0) { return (order < 0) != how.is_reversed; }
    } else if (a.number != b.number) {
        return (a.number > b.number) != how.is_reversed;
    }
    return a.of->name != b.of->name ? a.of->name < b.of->name : a.of->key < b.of->key;
}

struct letter {
    char key;
    column by;
};
constexpr letter letters[] = {{'l', column::live},   {'g', column::growth},  {'r', column::rate},    {'d', column::last},
                              {'o', column::oldest}, {'c', column::objects}, {'j', column::verdict}, {'n', column::name},
                              {'t', column::tag},    {'u', column::route}};

void drop_last_character(std::string& text) {
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0U) == 0x80) { text.pop_back(); }
    if (!text.empty()) { text.pop_back(); }
}

}  // namespace

const char* to_string(column of) noexcept { return column_names[static_cast<std::size_t>(of)]; }

bool is_text(column of) noexcept { return of >= column::name; }

std::vector<const row*> arranged(const board& from, const order& how, const std::string& filter) {
    std::vector<ranked> rows;
    for (const row& each : from.rows()) {
        if (!matches(each, filter)) { continue; }
        const bool is_figure = !is_text(how.by);
        rows.push_back({&each, is_figure ? number_of(each, from.growth_of(each), how.by) : 0});
    }
    std::sort(rows.begin(), rows.end(), [&](const ranked& a, const ranked& b) { return comes_first(a, b, how); });
    std::vector<const row*> out;
    out.reserve(rows.size());
    for (const ranked& each : rows) { out.push_back(each.of); }
    return out;
}

controls::wish controls::press(const key_press& pressed, model& of, std::size_t rows_that_fit) {
    if (is_typing_) {
        press_filter(pressed);
        return wish::nothing;
    }
    if (pressed.what == key::character && pressed.text.size() == 1) { return press_command(pressed.text.front(), of); }
    if (pressed.what == key::enter && page_ == page::table) {
        const auto rows = arranged(of.rows(), how_, filter_);
        if (rows.empty()) { return wish::nothing; }
        chosen_ = rows[place(rows, rows_that_fit).selected]->key;  // the page stays with the row it was opened for
        page_ = page::stack;
        scrolled_ = 0;
    } else if (pressed.what == key::escape || pressed.what == key::enter) {
        if (page_ == page::table && pressed.what == key::escape) { filter_.clear(); }
        page_ = page::table;
    } else {
        move(pressed, of, rows_that_fit);
    }
    return wish::nothing;
}

controls::wish controls::press_command(char pressed, model& of) {
    switch (pressed) {
        case 'q':
            if (page_ == page::table) { return wish::quit; }
            page_ = page::table;
            return wish::nothing;
        case '?':
        case 'h':
            page_ = page_ == page::help ? page::table : page::help;
            scrolled_ = 0;
            return wish::nothing;
        case '/':
            page_ = page::table;
            is_typing_ = true;
            return wish::nothing;
        case 'p':
        case ' ':
            is_paused_ = !is_paused_;
            return wish::nothing;
        case 'b':
            of.mark();
            is_paused_ = false;  // the mark is the next look
            return wish::nothing;
        case 'R':
            how_.is_reversed = !how_.is_reversed;
            return wish::nothing;
        case '<':
        case '>':
            step_column(pressed == '<' ? -1 : 1);
            return wish::nothing;
        case 'v':
        case 'V': {
            const std::size_t step = pressed == 'v' ? 1 : dimension_count - 1;
            of.switch_to(static_cast<dimension>((static_cast<std::size_t>(of.by()) + step) % dimension_count));
            chosen_.clear();
            page_ = page::table;
            return wish::nothing;
        }
        default:
            break;
    }
    for (const letter& each : letters) {
        if (each.key == pressed) {
            how_ = {each.by, how_.by == each.by && !how_.is_reversed};  // again: the other way round
            page_ = page::table;
        }
    }
    return wish::nothing;
}

void controls::press_filter(const key_press& pressed) {
    if (pressed.what == key::character) {
        filter_ += pressed.text;
    } else if (pressed.what == key::backspace) {
        drop_last_character(filter_);
    } else if (pressed.what == key::enter) {
        is_typing_ = false;
    } else if (pressed.what == key::escape) {
        filter_.clear();
        is_typing_ = false;
    }
}

void controls::move(const key_press& pressed, const model& of, std::size_t fit) {
    if (pressed.what == key::left || pressed.what == key::right) {
        step_column(pressed.what == key::left ? -1 : 1);
        return;
    }
    const auto rows = page_ == page::table ? arranged(of.rows(), how_, filter_) : std::vector<const row*>();
    const std::size_t now = page_ == page::table ? place(rows, fit).selected : scrolled_;
    const std::size_t last = page_ == page::table ? (rows.empty() ? 0 : rows.size() - 1) : now + fit;
    std::size_t to = now;
    switch (pressed.what) {
        case key::up:
            to = now - std::min<std::size_t>(now, 1);
            break;
        case key::down:
            to = now + 1;
            break;
        case key::page_up:
            to = now - std::min(now, fit);
            break;
        case key::page_down:
            to = now + fit;
            break;
        case key::home:
            to = 0;
            break;
        case key::end:
            to = last;
            break;
        default:
            return;
    }
    to = std::min(to, last);
    if (page_ != page::table) {
        scrolled_ = to;
    } else {
        chosen_ = to == 0 ? std::string() : rows[to]->key;
    }
}

void controls::step_column(int by) noexcept {
    const auto count = static_cast<int>(column_count);
    how_ = {static_cast<column>((static_cast<int>(how_.by) + by + count) % count), false};
}

controls::window controls::place(const std::vector<const row*>& rows, std::size_t fit) const {
    window out;
    const auto found = std::find_if(rows.begin(), rows.end(), [&](const row* each) { return each->key == chosen_; });
    if (found != rows.end()) { out.selected = static_cast<std::size_t>(found - rows.begin()); }
    if (out.selected < first_) { first_ = out.selected; }
    if (fit != 0 && out.selected >= first_ + fit) { first_ = out.selected - fit + 1; }
    if (rows.size() <= fit) { first_ = 0; }
    out.first = first_;
    return out;
}

}  // namespace top
}  // namespace v1
}  // namespace memwatch
