// SPDX-License-Identifier: Apache-2.0
#include "cli/flags.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <memwatch/base/units.hpp>

#include "cli/choices.hpp"

namespace memwatch {
inline namespace v1 {

namespace {

const choices colour_words{"auto", "always", "never"};

const choices& formats(output_flags::markdown has) {
    static const choices without{"text", "json"}, with{"text", "md", "json"};
    return has == output_flags::markdown::yes ? with : without;
}

}  // namespace

void source_flags::add_to(CLI::App& app) {
    app.add_option("--debug-dir", debug_dirs_, "folder with separate debug files (.build-id/ab/cdef.debug or flat); repeatable")
        ->allow_extra_args(false)
        ->type_name("DIR")
        ->group("Names");
    app.add_flag("--no-symbols", has_no_symbols_, "do not look up functions and lines on this machine")->group("Names");
    app.add_flag("--no-cache", has_no_cache_, "neither read nor keep what look-ups found ($XDG_CACHE_HOME/memwatch)")
        ->group("Names");
}

void colour_flag::add_to(CLI::App& app) {
    colour_words.offer(app.add_option("--color", word_, "auto: on a terminal, unless NO_COLOR is set"))->group("Output");
}

result<colour_choice> colour_flag::read() const {
    if (word_.empty() || word_ == "auto") { return colour_choice::automatic; }
    if (word_ == "always") { return colour_choice::always; }
    if (word_ == "never") { return colour_choice::never; }
    return tl::unexpected<error>(colour_words.check("--color", word_).error());
}

void output_flags::add_to(CLI::App& app, markdown has) {
    has_ = has;
    formats(has).offer(app.add_option("--format", format_, "what is printed"))->default_str("text")->group("Output");
    app.add_flag("--json", is_json_, "the same as --format json")->group("Output");
    colour_.add_to(app);
}

result<output_options> output_flags::read() const {
    const bool is_markdown = has_ == markdown::yes && (format_ == "md" || format_ == "markdown");
    if (!format_.empty() && !is_markdown) {
        if (const auto known = formats(has_).check("--format", format_); !known) {
            return tl::unexpected<error>(known.error());
        }
    }
    if (is_json_ && !format_.empty() && format_ != "json") {
        return fail(error_code::invalid_argument, "contradicts --json", "--format " + format_);
    }
    const result<colour_choice> colour = colour_.read();
    if (!colour) { return tl::unexpected<error>(colour.error()); }
    if (is_json_ || format_ == "json") { return output_options{output_format::json, *colour}; }
    return output_options{is_markdown ? output_format::markdown : output_format::text, *colour};
}

namespace {

result<std::uint64_t> name_option(const char* option, result<std::uint64_t> value) {
    if (!value) { value.error().where = std::string(option) + " " + value.error().where; }
    return value;
}

}  // namespace

result<std::uint64_t> read_size(const char* option, const std::string& text) { return name_option(option, parse_bytes(text)); }

result<std::uint64_t> read_duration(const char* option, const std::string& text) {
    return name_option(option, parse_duration(text));
}

int refuse_usage(const std::string& why, const std::string& where) {
    return refuse_usage({error_code::invalid_argument, why, where});
}

int refuse_usage(const error& wrong) {
    print_error(wrong);
    fmt::print(stderr, "Try 'memwatch --help'.\n");
    return static_cast<int>(exit_status::usage);
}

int report_failure(const error& e) {
    print_error(e);
    return static_cast<int>(status_of(e));
}

int finish(const result<std::string>& text, exit_status status) {
    if (!text) { return report_failure(text.error()); }
    const result<void> printed = print(*text);
    return printed ? static_cast<int>(status) : report_failure(printed.error());
}

}  // namespace v1
}  // namespace memwatch
