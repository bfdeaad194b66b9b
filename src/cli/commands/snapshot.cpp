// SPDX-License-Identifier: Apache-2.0
// `memwatch snapshot`: a snapshot of a running service, written down.

#include <CLI/CLI.hpp>
#include <chrono>
#include <thread>

#include <fmt/format.h>
#include <memwatch/base/units.hpp>
#include <memwatch/diff/window.hpp>
#include <memwatch/snapshot/codec.hpp>

#include "base/json_writer.hpp"
#include "cli/choices.hpp"
#include "cli/commands/commands.hpp"
#include "cli/flags.hpp"
#include "cli/url.hpp"
#include "control/client.hpp"
#include "http/client.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

const choices dump_formats{"memtrace", "json", "jsonl", "pprof", "pprof_allocs", "folded"};
constexpr std::uint64_t longest_duration_ns = 300'000'000'000;  // as seconds=N of the endpoint

struct snapshot_request {
    std::string url;
    std::uint64_t pid{};  // instead of a URL
    std::string label;
    std::uint64_t duration_ns{};  // 0 = at once
    std::string file;             // empty = stdout
    std::string format{"memtrace"};
    bool json_summary{};  // what was written, as JSON on stdout
};

std::string written_words(const snapshot_request& command, std::size_t bytes) {
    if (!command.json_summary) { return fmt::format("{}  {}\n", command.file, format_bytes(static_cast<double>(bytes))); }
    json_writer json;
    json.begin_object();
    json.key("kind").value("memwatch.written");
    json.key("file").value(command.file);
    json.key("format").value(command.format);
    json.key("label").value(command.label);
    json.key("bytes").value(std::uint64_t{bytes});
    json.end_object();
    return json.take();
}

result<std::string> ask(const snapshot_request& command) {
    const progress shown(fmt::format("taking a snapshot of pid {}", command.pid));
    control::request asked{"snapshot", {{"format", command.format}}};
    if (!command.label.empty()) { asked.parameters.emplace_back("label", command.label); }
    if (command.format != "memtrace") { asked.parameters.emplace_back("names", "200"); }
    return control::ask(command.pid, asked);
}

result<snapshot> ask_whole(std::uint64_t pid, const control::request& asked) {
    const result<std::string> bytes = control::ask(pid, asked);
    if (!bytes) { return tl::unexpected<error>(bytes.error()); }
    result<decoded_snapshot> decoded = decode(*bytes);
    if (!decoded) { return tl::unexpected<error>(decoded.error()); }
    return std::move(decoded->value);
}

// The window is cut here: the control socket answers one client at a time and never waits. Its start needs no records.
result<std::string> ask_window(const snapshot_request& command) {
    const result<dump_format> format = parse_dump_format(command.format);
    if (!format) { return tl::unexpected<error>(format.error()); }
    const progress shown(fmt::format("watching pid {} for {}", command.pid, format_duration(command.duration_ns)));
    const result<snapshot> start = ask_whole(command.pid, {"summary", {}});
    if (!start) { return tl::unexpected<error>(start.error()); }
    std::this_thread::sleep_for(std::chrono::nanoseconds(command.duration_ns));
    control::request asked{"snapshot", {}};
    if (!command.label.empty()) { asked.parameters.emplace_back("label", command.label); }
    if (command.format != "memtrace") { asked.parameters.emplace_back("names", "200"); }
    result<snapshot> end = ask_whole(command.pid, asked);
    if (!end) { return tl::unexpected<error>(end.error()); }
    const result<snapshot> window = window_between(*start, std::move(*end));
    return window ? encode(*window, *format) : tl::unexpected<error>(window.error());
}

result<std::string> fetch(const snapshot_request& command) {
    if (command.pid != 0) { return command.duration_ns == 0 ? ask(command) : ask_window(command); }
    const result<http_url> base = parse_url(command.url);
    if (!base) { return tl::unexpected<error>(base.error()); }
    snapshot_query query{command.format, command.label, {}};
    http_limits limits;
    if (command.duration_ns != 0) {
        query.seconds = fmt::format("{}", (command.duration_ns + 999'999'999) / 1'000'000'000);
        limits.answer += std::chrono::milliseconds(command.duration_ns / 1'000'000);
    }
    const progress shown("taking a snapshot of " + base->address());
    return http_get(snapshot_url(*base, query), limits);
}

bool is_binary(const std::string& format) { return format == "memtrace" || format == "pprof" || format == "pprof_allocs"; }

class snapshot_command final : public command {
public:
    explicit snapshot_command(CLI::App& app) {
        CLI::Option* const url =
            app.add_option("--url", wanted_.url, "the service, e.g. http://127.0.0.1:9467 or unix:/run/orders.sock");
        app.add_option("--pid", wanted_.pid, "the process, by its control socket")->check(&check_pid)->excludes(url);
        app.add_option("--label", wanted_.label, "a name for the snapshot, shown in diffs");
        app.add_option("--duration", duration_, "only what changes during this time, e.g. 5s")->type_name("TIME");
        app.add_option("-o,--output", wanted_.file, "file to write (0600, atomically); without it: standard output")
            ->type_name("FILE");
        dump_formats.offer(app.add_option("--format", wanted_.format, "of the dump")->capture_default_str());
        app.add_flag("--json", is_json_, "say what was written as JSON; without -o: --format json");
    }

    int run() override {
        if (const auto read = read_choices(); !read) { return refuse_usage(read.error()); }
        if (wanted_.file.empty() && is_binary(wanted_.format) && is_terminal_output()) {
            return report_failure({error_code::invalid_argument, "binary output does not go to a terminal; give -o FILE",
                                   "--format " + wanted_.format});
        }
        const result<std::string> bytes = fetch(wanted_);
        if (!bytes || wanted_.file.empty()) { return finish(bytes, exit_status::fine); }
        if (const auto written = write_file_atomically(wanted_.file, *bytes); !written) {
            return report_failure(written.error());
        }
        return finish(written_words(wanted_, bytes->size()), exit_status::fine);
    }

private:
    result<void> read_choices() {
        if (wanted_.url.empty() && wanted_.pid == 0) {
            return fail(error_code::invalid_argument, "--url or --pid is required");
        }
        if (is_json_ && wanted_.file.empty()) { wanted_.format = "json"; }
        wanted_.json_summary = is_json_ && !wanted_.file.empty();
        if (const auto format = parse_dump_format(wanted_.format); !format) {
            return dump_formats.check("--format", wanted_.format);
        }
        if (duration_.empty()) { return {}; }
        const result<std::uint64_t> duration = read_duration("--duration", duration_);
        if (!duration) { return tl::unexpected<error>(duration.error()); }
        if (*duration == 0 || *duration > longest_duration_ns) {
            return fail(error_code::invalid_argument, "--duration is above 0 and at most 300s");
        }
        wanted_.duration_ns = *duration;
        return {};
    }

    snapshot_request wanted_;
    std::string duration_;
    bool is_json_{};
};

}  // namespace

std::unique_ptr<command> make_snapshot(CLI::App& app) { return std::make_unique<snapshot_command>(app); }

}  // namespace v1
}  // namespace memwatch
