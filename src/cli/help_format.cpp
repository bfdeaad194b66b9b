// SPDX-License-Identifier: Apache-2.0
#include "cli/help_format.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "cli/choices.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::size_t name_columns = 28;

// "  --by site|type          the rest, wrapped beside it"; a name that is too wide has the rest below.
std::string entry(const std::string& name, const std::string& words) {
    const std::string margin(name_columns, ' ');
    std::string text = "  " + name;
    if (text.size() + 1 >= name_columns) { text += "\n"; }
    if (text.back() == '\n') {
        text += margin;
    } else {
        text.resize(name_columns, ' ');
    }
    for (const char c : wrapped(words, help_width - name_columns)) {
        text += c;
        if (c == '\n') { text += margin; }
    }
    return text + "\n";
}

}  // namespace

std::string wrapped(const std::string& text, std::size_t width, std::size_t indent) {
    std::string out;
    std::size_t column = 0;
    for (std::size_t at = 0; at < text.size();) {
        if (text[at] == '\n') {
            out += "\n" + std::string(indent, ' ');
            column = indent;
            ++at;
            continue;
        }
        const std::size_t end = std::min(text.find_first_of(" \n", at), text.size());
        const std::size_t word = end - at;
        if (column > indent && column + word > width) {
            while (!out.empty() && out.back() == ' ') { out.pop_back(); }
            out += "\n" + std::string(indent, ' ');
            column = indent;
        }
        out += text.substr(at, word);
        column += word;
        at = end;
        while (at < text.size() && text[at] == ' ') {
            out += ' ';
            ++column;
            ++at;
        }
    }
    while (!out.empty() && out.back() == ' ') { out.pop_back(); }
    return out;
}

std::string type_of(const CLI::Option& option) {
    if (const auto words = offered_words(option); !words.empty()) { return fmt::format("{}", fmt::join(words, "|")); }
    std::string type = option.get_type_name();
    type.resize(std::min(type.find(':'), type.size()));
    return type == "UINT" || type == "INT" ? "N" : type;
}

std::string help_format::make_option(const CLI::Option* option, bool is_positional) const {
    std::string words = make_option_desc(option);
    if (!option->get_default_str().empty()) { words += " (default: " + option->get_default_str() + ")"; }
    return entry(make_option_name(option, is_positional) + make_option_opts(option), words);
}

// Without the blank line that CLI11 puts behind a group, before the one it puts in front of the next.
std::string help_format::make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const {
    return CLI::detail::find_and_replace(CLI::Formatter::make_help(app, std::move(name), mode), "\n\n\n", "\n\n");
}

// Examples stand as they are, to be copied; sentences are wrapped as everything else.
std::string help_format::make_footer(const CLI::App* app) const {
    std::string out, footer = app->get_footer();
    for (std::size_t at = 0; at < footer.size();) {
        const std::size_t end = std::min(footer.find('\n', at), footer.size());
        const std::string line = footer.substr(at, end - at);
        out += (line.starts_with("  memwatch") ? line : wrapped(line, help_width)) + "\n";
        at = end + 1;
    }
    return out;
}

// CLI11 names a check beside the type ("UINT:NONNEGATIVE") and whom an option excludes: for whoever wrote it, not whoever
// reads.
std::string help_format::make_option_opts(const CLI::Option* option) const {
    if (option->get_type_size() == 0) { return {}; }
    const std::string type = type_of(*option);
    std::string words = option->get_positional() && (type == "TEXT" || type.starts_with("FILE")) ? "" : " " + type;
    if (option->get_expected_max() >= CLI::detail::expected_max_vector_size) { words += " ..."; }
    return words;
}

std::string help_format::make_subcommand(const CLI::App* sub) const {
    return entry(sub->get_display_name(true), sub->get_description());
}

}  // namespace v1
}  // namespace memwatch
