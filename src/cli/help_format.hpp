// SPDX-License-Identifier: Apache-2.0
#pragma once
// How --help looks: names left, words right, nothing beyond 100 columns, the same on a terminal and in a pipe.

#include <CLI/CLI.hpp>
#include <string>

namespace memwatch {
inline namespace v1 {

inline constexpr std::size_t help_width = 100;

// `text` in lines of at most `width` columns, broken at spaces; lines it has already stay apart. A word that is longer stands
// alone. Later lines begin with `indent` spaces, which count.
[[nodiscard]] std::string wrapped(const std::string& text, std::size_t width, std::size_t indent = 0);

// What an option takes, as people read it: "SIZE", "text|md", "N".
[[nodiscard]] std::string type_of(const CLI::Option& option);

class help_format : public CLI::Formatter {
public:
    std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override;
    std::string make_footer(const CLI::App* app) const override;
    std::string make_option(const CLI::Option* option, bool is_positional) const override;
    std::string make_option_opts(const CLI::Option* option) const override;
    std::string make_subcommand(const CLI::App* sub) const override;
};

}  // namespace v1
}  // namespace memwatch
