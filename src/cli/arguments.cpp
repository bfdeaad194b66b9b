// SPDX-License-Identifier: Apache-2.0
#include "cli/arguments.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include <fmt/format.h>
#include <memwatch/base/units.hpp>
#include <memwatch/snapshot/codec.hpp>
#include <memwatch/version.hpp>

#include "report/view.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr const char* exit_codes =
    "Exit codes: 0 fine, 1 a leak or breached gate (only with --exit-code), 2 wrong usage, 3 unreadable input,\n"
    "            4 target not reachable.\n"
    "FILE|URL is a dump (memtrace, json, jsonl) or a running service: http://127.0.0.1:9467 or localhost:9467.\n";

constexpr const char* show_examples =
    "Examples:\n"
    "  memwatch show after.memtrace\n"
    "  memwatch show http://127.0.0.1:9467 --by route --top 5\n"
    "  memwatch show after.memtrace --by tag --json\n";

constexpr const char* diff_examples =
    "Examples:\n"
    "  memwatch diff before.memtrace after.memtrace\n"
    "  memwatch diff before.memtrace http://127.0.0.1:9467 --threshold 10MB --focus '*api/v2/*'\n"
    "  memwatch diff before.memtrace after.memtrace --by tag --format md\n"
    "  memwatch diff base.memtrace head.memtrace --threshold 128KiB --exit-code\n";

constexpr const char* snapshot_examples =
    "Examples:\n"
    "  memwatch snapshot --url http://127.0.0.1:9467 --label before -o before.memtrace\n"
    "  memwatch snapshot --url localhost:9467 --format pprof -o heap.pb.gz && go tool pprof -top heap.pb.gz\n";

// Options as typed, before they mean something.
struct typed_options {
    std::string threshold, by_dimension, duration, pid, format_word, colour;
    bool as_json{}, no_symbols{};
};

class command_line {
public:
    command_line() : app_("memwatch: is something leaking, who allocated it, and for which request?", "memwatch") {
        app_.set_version_flag("--version", std::string("memwatch ") + version);
        app_.require_subcommand(1);
        app_.footer(std::string("Examples:\n"
                                "  memwatch snapshot --url localhost:9467 --label before -o before.memtrace\n"
                                "  memwatch diff before.memtrace localhost:9467 --threshold 1MB\n\n") +
                    exit_codes + "\n'memwatch COMMAND --help' says more.");
        add_show();
        add_diff();
        add_snapshot();
    }

    parsed_arguments parse(int count, const char* const* arguments) {
        constexpr std::array<std::string_view, 3> names{"show", "diff", "snapshot"};
        constexpr const char* commands = "there are show, diff and snapshot";
        if (count < 2) { return refuse(std::string("no command given; ") + commands); }
        if (arguments[1][0] != '-' && std::find(names.begin(), names.end(), arguments[1]) == names.end()) {
            return refuse(std::string("no such command; ") + commands, arguments[1]);
        }
        try {
            app_.parse(count, arguments);
        } catch (const CLI::CallForHelp& e) {
            return static_cast<exit_status>(app_.exit(e));
        } catch (const CLI::CallForAllHelp& e) {
            return static_cast<exit_status>(app_.exit(e));
        } catch (const CLI::CallForVersion& e) {
            return static_cast<exit_status>(app_.exit(e));
        } catch (const CLI::Error& e) {  // the one adapter around CLI11, whose own codes begin at 100
            return refuse(e.what());
        }
        if (show_app_->parsed()) { return finish_show(); }
        if (diff_app_->parsed()) { return finish_diff(); }
        return finish_snapshot();
    }

private:
    void add_show() {
        show_app_ = app_.add_subcommand("show", "Show one snapshot: what is alive, where, for whom");
        show_app_->footer(std::string(show_examples) + "\n" + exit_codes);
        show_app_->add_option("INPUT", show_.input, "FILE|URL to show")->required();
        show_app_->add_option("--by", show_.by, "one table instead of the summary: site, type, tag, pool, thread, route, trace")
            ->type_name("VIEW");
        show_app_->add_option("--sort", show_.sort, "column to order that table by");
        show_app_->add_option("--cursor", show_.cursor, "continue that table behind the page before");
        show_app_->add_option("--top", show_.top, "rows a table; 0 for all")
            ->check(CLI::NonNegativeNumber)
            ->capture_default_str();
        add_source(*show_app_, show_.source);
        add_output(*show_app_, "text, json");
    }

    void add_diff() {
        diff_app_ = app_.add_subcommand("diff", "Compare two snapshots: what grew, where, for which route, how sure");
        diff_app_->footer(std::string(diff_examples) + "\n" + exit_codes);
        diff_app_->add_option("BEFORE", diff_.before, "FILE|URL of the earlier snapshot")->required();
        diff_app_->add_option("AFTER", diff_.after, "FILE|URL of the later snapshot")->required();
        diff_app_
            ->add_option("--threshold", typed_.threshold, "hide rows that changed less (10MB = 10^7, 10MiB = 10*2^20 bytes)")
            ->type_name("SIZE");
        diff_app_
            ->add_option("--focus", diff_.how.focus,
                         "only rows whose name, tag, type, route or frames match: a glob ('*api/v2/*') or re:REGEX")
            ->type_name("GLOB");
        diff_app_->add_option("--by", typed_.by_dimension, "site, type, tag, trace, route, thread, pool")
            ->default_str("site")
            ->type_name("DIMENSION");
        diff_.how.top = 20;
        diff_app_->add_option("--top", diff_.how.top, "rows; 0 for all")->check(CLI::NonNegativeNumber)->capture_default_str();
        diff_app_->add_flag("--all", diff_.how.include_unchanged, "also rows without any change");
        diff_app_->add_flag("--exit-code", diff_.exit_code,
                            "exit with 1 when a row that is left grew by more than two standard errors (or exactly)");
        add_source(*diff_app_, diff_.source);
        add_output(*diff_app_, "text, md, json");
    }

    void add_snapshot() {
        snapshot_app_ = app_.add_subcommand("snapshot", "Take a snapshot of a running service");
        snapshot_app_->footer(std::string(snapshot_examples) + "\n" + exit_codes);
        CLI::Option* const url = snapshot_app_->add_option("--url", snapshot_.url, "the service, e.g. http://127.0.0.1:9467");
        snapshot_app_->add_option("--pid", typed_.pid, "the process (needs the control socket; not in this version)")
            ->excludes(url);
        snapshot_app_->add_option("--label", snapshot_.label, "a name for the snapshot, shown in diffs");
        snapshot_app_->add_option("--duration", typed_.duration, "only what changes during this time, e.g. 5s")
            ->type_name("TIME");
        snapshot_app_
            ->add_option("-o,--output", snapshot_.file, "file to write (0600, atomically); without it: standard output")
            ->type_name("FILE");
        snapshot_app_->add_option("--format", snapshot_.format, "memtrace, json, jsonl, pprof, folded")->capture_default_str();
        snapshot_app_->add_flag("--json", typed_.as_json, "say what was written as JSON; without -o: --format json");
    }

    void add_source(CLI::App& app, source_options& source) {
        app.add_option("--debug-dir", source.debug_dirs,
                       "folder with separate debug files (.build-id/ab/cdef.debug or flat); repeatable")
            ->allow_extra_args(false)
            ->type_name("DIR");
        app.add_flag("--no-symbols", typed_.no_symbols, "do not look up functions and lines on this machine");
    }

    void add_output(CLI::App& app, const char* formats) {
        app.add_option("--format", typed_.format_word, std::string(formats))->default_str("text");
        app.add_flag("--json", typed_.as_json, "the same as --format json");
        app.add_option("--color", typed_.colour, "auto, always, never (auto: on a terminal, unless NO_COLOR is set)")
            ->type_name("WHEN");
    }

    static exit_status refuse(const std::string& why, const std::string& where = {}) {
        print_error({error_code::invalid_argument, why, where});
        fmt::print(stderr, "Try 'memwatch --help'.\n");
        return exit_status::usage;
    }

    static exit_status refuse(const char* option, const error& e) {
        return refuse(e.what, std::string(option) + (e.where.empty() ? "" : " " + e.where));
    }

    // What is wrong with --format, --json and --color; nothing when they are understood.
    [[nodiscard]] std::optional<error> choose_output(output_options& output, bool has_markdown) const {
        const std::string& word = typed_.format_word;
        const bool is_markdown = has_markdown && (word == "md" || word == "markdown");
        if (!word.empty() && word != "text" && word != "json" && !is_markdown) {
            return error{error_code::invalid_argument, has_markdown ? "use text, md or json" : "use text or json",
                         "--format " + word};
        }
        if (typed_.as_json && !word.empty() && word != "json") {
            return error{error_code::invalid_argument, "contradicts --json", "--format " + word};
        }
        if (typed_.as_json || word == "json") { output.format = output_format::json; }
        if (is_markdown) { output.format = output_format::markdown; }
        return choose_colour(output);
    }

    [[nodiscard]] std::optional<error> choose_colour(output_options& output) const {
        if (typed_.colour == "always") { output.colour = colour_choice::always; }
        if (typed_.colour == "never") { output.colour = colour_choice::never; }
        const bool is_known = typed_.colour.empty() || typed_.colour == "auto" || output.colour != colour_choice::automatic;
        if (is_known) { return std::nullopt; }
        return error{error_code::invalid_argument, "use auto, always or never", "--color " + typed_.colour};
    }

    parsed_arguments finish_show() {
        if (const auto wrong = choose_output(show_.output, false)) { return refuse(wrong->what, wrong->where); }
        show_.source.symbolize = !typed_.no_symbols;
        if (show_.by.empty()) {
            if (!show_.sort.empty() || !show_.cursor.empty()) { return refuse("--sort and --cursor need --by"); }
        } else if (const auto kind = parse_view_kind(show_.by); !kind) {
            return refuse("--by", kind.error());
        }
        return show_;
    }

    parsed_arguments finish_diff() {
        if (const auto wrong = choose_output(diff_.output, true)) { return refuse(wrong->what, wrong->where); }
        diff_.source.symbolize = !typed_.no_symbols;
        if (!typed_.by_dimension.empty()) {
            const result<dimension> by = parse_dimension(typed_.by_dimension);
            if (!by) { return refuse("--by", by.error()); }
            diff_.how.by = *by;
        }
        if (!typed_.threshold.empty()) {
            const result<std::uint64_t> bytes = parse_bytes(typed_.threshold);
            if (!bytes) { return refuse("--threshold", bytes.error()); }
            diff_.how.threshold_bytes = static_cast<double>(*bytes);
        }
        return diff_;
    }

    parsed_arguments finish_snapshot() {
        if (!typed_.pid.empty()) { return refuse("arrives with the control socket; use --url for now", "--pid"); }
        if (snapshot_.url.empty()) { return refuse("--url is required"); }
        if (typed_.as_json && snapshot_.file.empty()) { snapshot_.format = "json"; }
        snapshot_.json_summary = typed_.as_json && !snapshot_.file.empty();
        if (const auto format = parse_dump_format(snapshot_.format); !format) { return refuse("--format", format.error()); }
        if (!typed_.duration.empty()) {
            const result<std::uint64_t> duration = parse_duration(typed_.duration);
            if (!duration) { return refuse("--duration", duration.error()); }
            snapshot_.duration_ns = *duration;
        }
        return snapshot_;
    }

    CLI::App app_;
    CLI::App* show_app_{};
    CLI::App* diff_app_{};
    CLI::App* snapshot_app_{};
    show_command show_;
    diff_command diff_;
    snapshot_command snapshot_;
    typed_options typed_;
};

}  // namespace

parsed_arguments parse_arguments(int count, const char* const* arguments) { return command_line().parse(count, arguments); }

}  // namespace v1
}  // namespace memwatch
