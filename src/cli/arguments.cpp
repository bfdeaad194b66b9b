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
#include "settings/option_text.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr const char* exit_codes =
    "Exit codes: 0 fine, 1 something grew (only with --exit-code), 2 wrong usage, 3 unreadable input,\n"
    "            4 target not reachable.\n"
    "FILE|URL is a dump (memtrace, json, jsonl) or a running service: http://127.0.0.1:9467, localhost:9467,\n"
    "unix:/run/orders.sock, or pid:4711 for a process of yours, asked at its private control socket.\n";

constexpr const char* show_examples =
    "Examples:\n"
    "  memwatch show after.memtrace\n"
    "  memwatch show http://127.0.0.1:9467 --by route --top 5\n"
    "  memwatch show after.memtrace --by tag --json\n"
    "  memwatch show --pid 4711 --survivors 6 --min-depth 5 --by route\n";

constexpr const char* diff_examples =
    "Examples:\n"
    "  memwatch diff before.memtrace after.memtrace\n"
    "  memwatch diff before.memtrace http://127.0.0.1:9467 --threshold 10MB --focus '*api/v2/*'\n"
    "  memwatch diff before.memtrace after.memtrace --by tag --format md\n"
    "  memwatch diff base.memtrace head.memtrace --threshold 128KiB --exit-code\n";

constexpr const char* snapshot_examples =
    "Examples:\n"
    "  memwatch snapshot --url http://127.0.0.1:9467 --label before -o before.memtrace\n"
    "  memwatch snapshot --pid 4711 --label after -o after.memtrace\n"
    "  memwatch snapshot --pid 4711 --duration 5s -o window.memtrace && memwatch show window.memtrace\n"
    "  memwatch snapshot --url localhost:9467 --format pprof -o heap.pb.gz && go tool pprof -top heap.pb.gz\n";

constexpr const char* run_examples =
    "memwatch run [OPTIONS] [--] PROGRAM [ARGUMENTS...]\n\n"
    "Runs PROGRAM with memwatch in it, unchanged, and in what it starts. When it has ended, what is still live is printed to\n"
    "stderr, site by site. Not for static, set-user-ID and sanitizer-built programs: these are refused, with the reason.\n\n"
    "Examples:\n"
    "  memwatch run -- ./server --port 8080\n"
    "  memwatch run --preset full --report report.json -- sort big.txt\n"
    "  memwatch run --metrics 127.0.0.1:9467 -- nginx -g 'daemon off;'\n"
    "  memwatch run --preset full --fail-on-leak --threshold 64KiB -- ./tests\n\n"
    "Exit codes: PROGRAM's own, 128 + N when signal N ended it; 125 memwatch failed, 126 PROGRAM cannot be executed, 127 there "
    "is no\n"
    "            such program; 1 with --fail-on-leak when it ended with 0 and a site is above the threshold.\n";

constexpr const char* report_examples =
    "Examples:\n"
    "  memwatch report pid:4711 -o now.json\n"
    "  memwatch report --text dumps/*.memtrace\n";

constexpr const char* control_examples =
    "Examples:\n"
    "  memwatch control --pid 4711 status\n"
    "  memwatch control --pid 4711 set preset=full for=5m\n"
    "  memwatch control --pid 4711 set interval=512KiB stack_depth=32\n"
    "  memwatch control --pid 4711 set preset=investigate\n"
    "  memwatch control --pid 4711 baseline && sleep 60 && memwatch show --pid 4711 --since-baseline\n"
    "  memwatch control --pid 4711 stop && memwatch control --pid 4711 resume\n";

constexpr const char* attach_examples =
    "Examples:\n"
    "  memwatch attach --pid 4711 && sleep 60 && memwatch show --pid 4711\n"
    "  memwatch attach --pid 4711 --preset full\n"
    "  memwatch detach --pid 4711\n\n"
    "Needs gdb, and the right to trace the process. It stops for about a second; a system call it sleeps in may end with "
    "EINTR.\n"
    "Blocks from before are not seen. Not for static, set-user-ID and sanitizer-built programs.\n";

constexpr const char* detach_examples =
    "Takes out what 'memwatch attach' put in and stops sampling; the library stays mapped, idle. Take a snapshot first: what "
    "is\n"
    "known of live blocks goes.\n";

constexpr std::uint64_t longest_duration_ns = 300'000'000'000;  // as seconds=N of the endpoint

// Options as typed, before they mean something.
struct typed_options {
    std::string threshold, by_dimension, duration, format_word, colour, preset, interval, for_time;
    std::vector<std::string> settings;
    std::uint64_t pid{};
    bool as_json{}, no_symbols{};
};

class command_line {
public:
    command_line() : app_("memwatch: is something leaking, who allocated it, and for which request?", "memwatch") {
        app_.set_version_flag("--version", std::string("memwatch ") + version);
        app_.require_subcommand(1);
        app_.footer(std::string("Examples:\n"
                                "  memwatch snapshot --url localhost:9467 --label before -o before.memtrace\n"
                                "  memwatch diff before.memtrace localhost:9467 --threshold 1MB\n"
                                "  memwatch run -- ./server\n\n") +
                    exit_codes + "\n'memwatch COMMAND --help' says more.");
        add_show();
        add_diff();
        add_snapshot();
        add_run();
        add_report();
        add_control();
        add_attach();
        options_app_ = app_.add_subcommand("options", "Every option: variable, name, default, values");
        add_output(*options_app_, "text, json, md");
    }

    parsed_arguments parse(int count, const char* const* arguments) {
        constexpr std::array<std::string_view, 9> names{"show",    "diff",   "snapshot", "run",    "report",
                                                        "control", "attach", "detach",   "options"};
        constexpr const char* commands = "there are show, diff, snapshot, run, report, control, attach, detach and options";
        if (count < 2) { return refuse(std::string("no command given; ") + commands); }
        if (arguments[1][0] != '-' && std::find(names.begin(), names.end(), arguments[1]) == names.end()) {
            return refuse(std::string("no such command; ") + commands, arguments[1]);
        }
        if (std::string_view(arguments[1]) == "run") { count = cut_program(count, arguments); }
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
        if (run_app_->parsed()) { return finish_run(); }
        if (report_app_->parsed()) { return finish_report(); }
        if (control_app_->parsed()) { return finish_control(); }
        if (attach_app_->parsed()) { return finish_attach(); }
        if (detach_app_->parsed()) { return detach_command{typed_.pid}; }
        if (options_app_->parsed()) { return finish_options(); }
        return finish_snapshot();
    }

private:
    // What stands behind "--" is the program's, also what looks like an option. Returns what is left to be parsed.
    int cut_program(int count, const char* const* arguments) {
        const char* const* const end = arguments + count;
        const char* const* const dashes = std::find(arguments + 2, end, std::string_view("--"));
        if (dashes == end) { return count; }
        run_.program.assign(dashes + 1, end);
        return static_cast<int>(dashes - arguments);
    }

    void add_show() {
        show_app_ = app_.add_subcommand("show", "Show one snapshot: what is alive, where, for whom");
        show_app_->footer(std::string(show_examples) + "\n" + exit_codes);
        CLI::Option* const input = show_app_->add_option("INPUT", show_.input, "FILE|URL to show");
        show_app_->add_option("--pid", typed_.pid, "the process, by its control socket")->excludes(input);
        show_app_->add_option("--by", show_.by, "one table instead of the summary: site, type, tag, pool, thread, route, trace")
            ->type_name("VIEW");
        show_app_->add_flag("--since-baseline", show_.since_baseline,
                            "only blocks born after the baseline (memwatch control baseline, session::mark_baseline)");
        show_app_->add_option("--sort", show_.sort, "column to order that table by");
        show_app_->add_option("--cursor", show_.cursor, "continue that table behind the page before");
        show_app_->add_option("--survivors", show_.only.epochs, "only blocks alive for that many epochs");
        show_app_->add_option("--min-depth", show_.only.min_depth, "only blocks from stacks of at least that many frames");
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
        diff_app_->add_flag("--since-baseline", diff_.since_baseline, "only blocks born after the baseline that AFTER knows");
        diff_app_->add_flag("--all", diff_.how.include_unchanged, "also rows without any change");
        diff_app_->add_flag("--exit-code", diff_.exit_code,
                            "exit with 1 when a row that is left grew by more than two standard errors (or exactly)");
        add_source(*diff_app_, diff_.source);
        add_output(*diff_app_, "text, md, json");
    }

    void add_snapshot() {
        snapshot_app_ = app_.add_subcommand("snapshot", "Take a snapshot of a running service");
        snapshot_app_->footer(std::string(snapshot_examples) + "\n" + exit_codes);
        CLI::Option* const url = snapshot_app_->add_option("--url", snapshot_.url,
                                                           "the service, e.g. http://127.0.0.1:9467 or unix:/run/orders.sock");
        snapshot_app_->add_option("--pid", typed_.pid, "the process, by its control socket")->excludes(url);
        snapshot_app_->add_option("--label", snapshot_.label, "a name for the snapshot, shown in diffs");
        snapshot_app_->add_option("--duration", typed_.duration, "only what changes during this time, e.g. 5s")
            ->type_name("TIME");
        snapshot_app_
            ->add_option("-o,--output", snapshot_.file, "file to write (0600, atomically); without it: standard output")
            ->type_name("FILE");
        snapshot_app_->add_option("--format", snapshot_.format, "memtrace, json, jsonl, pprof, pprof_allocs, folded")
            ->capture_default_str();
        snapshot_app_->add_flag("--json", typed_.as_json, "say what was written as JSON; without -o: --format json");
    }

    void add_run() {
        run_app_ = app_.add_subcommand("run", "Run a program with memwatch in it, and say what is live at its end");
        run_app_->footer(run_examples);
        run_app_->prefix_command();  // from PROGRAM on nothing is ours
        run_app_->add_option("--preset", run_.preset,
                             "off, on, investigate, full: nothing, sampled, finer for a while, each allocation (default: on)");
        run_app_->add_option("--interval", run_.interval, "mean bytes between samples (default: 1MiB)")->type_name("SIZE");
        run_app_->add_option("--report", run_.report_file, "JSON of what is live at the end, by process and site")
            ->type_name("FILE");
        run_app_
            ->add_option("--metrics", run_.metrics_address,
                         "serve /metrics and /debug/memtrace of its processes, e.g. 127.0.0.1:9467")
            ->type_name("ADDRESS");
        run_app_->add_flag("--control", run_.wants_control,
                           "a control socket from the start; without it, from the program's first thread of its own on");
        run_app_->add_option("--dump-dir", run_.dump_dir, "keep the dump of each process here")->type_name("DIR");
        run_app_->add_flag("--fail-on-leak", run_.fail_on_leak,
                           "end with 1 if a site holds more than the threshold at the end, by two standard errors");
        run_app_->add_option("--threshold", typed_.threshold, "of --fail-on-leak (default: 1MiB)")->type_name("SIZE");
        run_app_->add_option("--top", run_.top, "sites a process; 0 for all")
            ->check(CLI::NonNegativeNumber)
            ->capture_default_str();
        run_app_->add_flag("-q,--quiet", run_.is_quiet, "no summary on stderr");
        add_source(*run_app_, run_.source);
        run_app_->add_option("--color", typed_.colour, "auto, always, never")->type_name("WHEN");
    }

    void add_report() {
        report_app_ =
            app_.add_subcommand("report", "What is live in dumps and running processes, by site, with stacks, as JSON");
        report_app_->footer(std::string(report_examples) + "\n" + exit_codes);
        report_app_->add_option("INPUT", report_.inputs, "FILE|URL");
        report_app_->add_option("--pid", typed_.pid, "a process, by its control socket");
        report_app_->add_option("-o,--output", report_.file, "file to write (0600, atomically); without it: standard output")
            ->type_name("FILE");
        report_app_->add_option("--top", report_.top, "sites a process; 0 for all")
            ->check(CLI::NonNegativeNumber)
            ->capture_default_str();
        report_app_->add_flag("--text", report_.as_text, "for people");
        add_source(*report_app_, report_.source);
        report_app_->add_option("--color", typed_.colour, "auto, always, never")->type_name("WHEN");
    }

    void add_control() {
        control_app_ = app_.add_subcommand("control", "Ask and steer a running process by its control socket");
        control_app_->footer(std::string(control_examples) + "\n" + exit_codes);
        control_app_->add_option("ACTION", control_.action, "status, set, baseline, stop, resume, detach")
            ->default_str("status");
        control_app_->add_option("SETTING", typed_.settings, "for set: NAME=VALUE of what 'memwatch options' lists, for=TIME");
        control_app_->add_option("--pid", typed_.pid, "the process")->required();
        control_app_->add_option("--preset", typed_.preset, "for set: the same as preset=");
        control_app_->add_option("--interval", typed_.interval, "for set: the same as interval=")->type_name("SIZE");
        control_app_->add_option("--for", typed_.for_time, "for set: the same as for=, how long the preset lasts")
            ->type_name("TIME");
        control_app_->add_flag("--json", control_.as_json, "the answer as JSON");
    }

    void add_attach() {
        attach_app_ = app_.add_subcommand("attach", "Put memwatch into a process that runs");
        attach_app_->footer(std::string(attach_examples) + "\n" + exit_codes);
        attach_app_->add_option("--pid", typed_.pid, "the process")->required();
        attach_app_->add_option(
            "--preset", attach_.preset,
            "off, on, investigate, full: nothing, sampled, finer for a while, each allocation (default: on)");
        attach_app_->add_option("--interval", attach_.interval, "mean bytes between samples (default: 1MiB)")
            ->type_name("SIZE");
        detach_app_ = app_.add_subcommand("detach", "Take memwatch out of a process it was attached to");
        detach_app_->footer(std::string(detach_examples) + "\n" + exit_codes);
        detach_app_->add_option("--pid", typed_.pid, "the process")->required();
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
        if (typed_.pid != 0) { show_.input = fmt::format("pid:{}", typed_.pid); }
        if (show_.input.empty()) { return refuse("INPUT is required"); }
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
        snapshot_.pid = typed_.pid;
        if (snapshot_.url.empty() && snapshot_.pid == 0) { return refuse("--url or --pid is required"); }
        if (typed_.as_json && snapshot_.file.empty()) { snapshot_.format = "json"; }
        snapshot_.json_summary = typed_.as_json && !snapshot_.file.empty();
        if (const auto format = parse_dump_format(snapshot_.format); !format) { return refuse("--format", format.error()); }
        if (!typed_.duration.empty()) {
            const result<std::uint64_t> duration = parse_duration(typed_.duration);
            if (!duration) { return refuse("--duration", duration.error()); }
            if (*duration == 0 || *duration > longest_duration_ns) { return refuse("--duration is above 0 and at most 300s"); }
            snapshot_.duration_ns = *duration;
        }
        return snapshot_;
    }

    // Empty is the default.
    [[nodiscard]] static bool is_preset(const std::string& word) {
        preset_option ignored{};
        return word.empty() || read_option(describe(option_id::preset), word, ignored);
    }

    parsed_arguments finish_run() {
        output_options output;
        if (const auto wrong = choose_colour(output)) { return refuse(wrong->what, wrong->where); }
        run_.colour = output.colour;
        run_.source.symbolize = !typed_.no_symbols;
        const std::vector<std::string> words = run_app_->remaining();
        run_.program.insert(run_.program.begin(), words.begin(), words.end());
        if (run_.program.empty()) { return refuse("PROGRAM is required"); }
        if (run_.program.front().substr(0, 1) == "-") { return refuse("is no option of run", run_.program.front()); }
        if (!is_preset(run_.preset)) { return refuse("use " + list_words<preset_option>(), "--preset " + run_.preset); }
        if (!run_.interval.empty()) {
            if (const auto bytes = parse_bytes(run_.interval); !bytes) { return refuse("--interval", bytes.error()); }
        }
        if (!typed_.threshold.empty()) {
            const result<std::uint64_t> bytes = parse_bytes(typed_.threshold);
            if (!bytes) { return refuse("--threshold", bytes.error()); }
            run_.leak_threshold_bytes = *bytes;
        }
        return run_;
    }

    parsed_arguments finish_report() {
        output_options output;
        if (const auto wrong = choose_colour(output)) { return refuse(wrong->what, wrong->where); }
        report_.colour = output.colour;
        report_.source.symbolize = !typed_.no_symbols;
        if (typed_.pid != 0) { report_.inputs.push_back(fmt::format("pid:{}", typed_.pid)); }
        if (report_.inputs.empty()) { return refuse("INPUT or --pid is required"); }
        return report_;
    }

    parsed_arguments finish_control() {
        control_.pid = typed_.pid;
        constexpr std::array<std::string_view, 6> actions{"status", "set", "baseline", "stop", "resume", "detach"};
        if (std::find(actions.begin(), actions.end(), control_.action) == actions.end()) {
            return refuse("use status, set, baseline, stop, resume or detach", control_.action);
        }
        for (const std::string& setting : typed_.settings) {
            const std::size_t equals = setting.find('=');
            if (equals == std::string::npos) { return refuse("a setting is NAME=VALUE", setting); }
            control_.settings.emplace_back(setting.substr(0, equals), setting.substr(equals + 1));
        }
        if (!typed_.preset.empty()) { control_.settings.emplace_back("preset", typed_.preset); }
        if (!typed_.interval.empty()) { control_.settings.emplace_back("interval", typed_.interval); }
        if (!typed_.for_time.empty()) { control_.settings.emplace_back("for", typed_.for_time); }
        if (control_.settings.empty() == (control_.action == "set")) {
            return refuse("set takes NAME=VALUE, and nothing else does");
        }
        return control_;
    }

    parsed_arguments finish_options() {
        output_options output;
        if (const auto wrong = choose_output(output, true)) { return refuse(wrong->what, wrong->where); }
        if (output.format == output_format::markdown) { return options_command{options_command::form::markdown}; }
        return options_command{output.format == output_format::json ? options_command::form::json
                                                                    : options_command::form::text};
    }

    parsed_arguments finish_attach() {
        attach_.pid = typed_.pid;
        if (!is_preset(attach_.preset)) { return refuse("use " + list_words<preset_option>(), "--preset " + attach_.preset); }
        if (!attach_.interval.empty()) {
            const result<std::uint64_t> bytes = parse_bytes(attach_.interval);
            if (!bytes) { return refuse("--interval", bytes.error()); }
            if (*bytes == 0) { return refuse("an interval is 1 byte to 1 TiB", "--interval " + attach_.interval); }
            attach_.interval = fmt::format("{}", *bytes);  // no word of the user's goes any further
        }
        return attach_;
    }

    CLI::App app_;
    CLI::App* show_app_{};
    CLI::App* diff_app_{};
    CLI::App* snapshot_app_{};
    CLI::App* run_app_{};
    CLI::App* report_app_{};
    CLI::App* control_app_{};
    CLI::App* attach_app_{};
    CLI::App* detach_app_{};
    CLI::App* options_app_{};
    show_command show_;
    diff_command diff_;
    snapshot_command snapshot_;
    run_command run_;
    report_command report_;
    control_command control_;
    attach_command attach_;
    typed_options typed_;
};

}  // namespace

parsed_arguments parse_arguments(int count, const char* const* arguments) { return command_line().parse(count, arguments); }

}  // namespace v1
}  // namespace memwatch
