// SPDX-License-Identifier: Apache-2.0
#include "cli/flags.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <string_view>

#include <fmt/format.h>
#include <memwatch/base/units.hpp>

#include "cli/choices.hpp"
#include "report/words.hpp"

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

const choices rankings{"weighted", "steady", "bytes"};

}  // namespace

void ranking_flags::add_to(CLI::App& app) {
    rankings
        .offer(app.add_option("--rank", rank_, "what comes first: 0.40 growth, 0.35 age, 0.25 weight of the tag; or one alone"))
        ->default_str("weighted");
    app.add_option(
           "--tag-weights", weights_text_,
           "how much growth under a tag matters, 0 to 1, instead of what the snapshots say: order-cache=0.9,session=0.2")
        ->type_name("TAG=WEIGHT,...");
}

result<ranking> ranking_flags::read() {
    const char* const from_environment = std::getenv("MEMWATCH_TAG_WEIGHTS");
    const bool is_typed = !weights_text_.empty();
    result<std::vector<tag_weight>> weights = parse_tag_weights(is_typed                      ? weights_text_.c_str()
                                                                : from_environment != nullptr ? from_environment
                                                                                              : "");
    if (!weights) {
        weights.error().where = (is_typed ? "--tag-weights " : "MEMWATCH_TAG_WEIGHTS ") + weights.error().where;
        return tl::unexpected<error>(weights.error());
    }
    weights_ = std::move(*weights);
    if (rank_.empty()) { return ranking::weighted; }
    result<ranking> by = parse_ranking(rank_);
    if (!by) { by.error().where = "--rank " + by.error().where; }
    return by;
}

void ranking_flags::weigh(const std::vector<snapshot*>& all) const {
    std::vector<std::string> nowhere;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const std::vector<std::string> unknown = set_tag_weights(*all[i], weights_);
        if (i == 0) { nowhere = unknown; }
        std::erase_if(nowhere,
                      [&](const std::string& tag) { return std::find(unknown.begin(), unknown.end(), tag) == unknown.end(); });
    }
    for (const std::string& tag : nowhere) {
        if (!weights_text_.empty()) { print_warning("--tag-weights: no tag is called " + tag); }
    }
}

namespace {

std::optional<std::uint64_t> whole_number(std::string_view text) noexcept {
    std::uint64_t value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    return problem == std::errc{} && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

result<std::uint64_t> name_option(const char* option, result<std::uint64_t> value) {
    if (!value) { value.error().where = std::string(option) + " " + value.error().where; }
    return value;
}

}  // namespace

result<std::uint64_t> read_size(const char* option, const std::string& text) { return name_option(option, parse_bytes(text)); }

result<std::uint64_t> read_duration(const char* option, const std::string& text) {
    return name_option(option, parse_duration(text));
}

std::string check_count(const std::string& text) {
    return whole_number(text) ? std::string() : "'" + printable(text) + "' is no whole number from 0 on";
}

std::string check_pid(const std::string& text) {
    constexpr std::uint64_t largest_pid = 1U << 22U;  // the kernel's PID_MAX_LIMIT
    const std::optional<std::uint64_t> pid = whole_number(text);
    const bool is_pid = pid && *pid != 0 && *pid <= largest_pid;
    return is_pid ? std::string() : "'" + printable(text) + "' is no process id, a whole number from 1 on";
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
