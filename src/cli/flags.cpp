// SPDX-License-Identifier: Apache-2.0
#include "cli/flags.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <memwatch/base/units.hpp>

namespace memwatch {
inline namespace v1 {

void source_flags::add_to(CLI::App& app) {
    app.add_option("--debug-dir", debug_dirs_, "folder with separate debug files (.build-id/ab/cdef.debug or flat); repeatable")
        ->allow_extra_args(false)
        ->type_name("DIR");
    app.add_flag("--no-symbols", has_no_symbols_, "do not look up functions and lines on this machine");
}

void colour_flag::add_to(CLI::App& app) {
    app.add_option("--color", word_, "auto, always, never (auto: on a terminal, unless NO_COLOR is set)")->type_name("WHEN");
}

result<colour_choice> colour_flag::read() const {
    if (word_.empty() || word_ == "auto") { return colour_choice::automatic; }
    if (word_ == "always") { return colour_choice::always; }
    if (word_ == "never") { return colour_choice::never; }
    return fail(error_code::invalid_argument, "use auto, always or never", "--color " + word_);
}

void output_flags::add_to(CLI::App& app, markdown has) {
    has_ = has;
    app.add_option("--format", format_, has == markdown::yes ? "text, md, json" : "text, json")->default_str("text");
    app.add_flag("--json", is_json_, "the same as --format json");
    colour_.add_to(app);
}

result<output_options> output_flags::read() const {
    const bool is_markdown = has_ == markdown::yes && (format_ == "md" || format_ == "markdown");
    if (!format_.empty() && format_ != "text" && format_ != "json" && !is_markdown) {
        return fail(error_code::invalid_argument, has_ == markdown::yes ? "use text, md or json" : "use text or json",
                    "--format " + format_);
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
