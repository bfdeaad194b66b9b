// SPDX-License-Identifier: Apache-2.0
#include "cli/run.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <memwatch/snapshot/codec.hpp>

#include "cli/child.hpp"
#include "cli/children_server.hpp"
#include "cli/dump_folder.hpp"
#include "cli/judged_source.hpp"
#include "cli/processes.hpp"
#include "cli/program.hpp"
#include "control/client.hpp"
#include "platform/platform.hpp"
#include "report/process_report.hpp"
#include "report/verdict_findings.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr int failed_status = 125;
constexpr int not_executable_status = 126;
constexpr int not_found_status = 127;
constexpr std::size_t most_dumps = 2000;

int refuse(const error& e, int status) {
    print_error(e);
    return status;
}

int status_of_start(const error& e) noexcept {
    switch (e.code) {
        case error_code::not_found:
            return not_found_status;
        case error_code::io:
            return not_executable_status;
        default:
            return failed_status;
    }
}

// --- the environment of the program

void set(std::vector<std::string>& environment, const std::string& name, const std::string& value) {
    std::erase_if(environment, [&](const std::string& entry) { return entry.compare(0, name.size() + 1, name + "=") == 0; });
    environment.push_back(name + "=" + value);
}

std::string value_of(const std::vector<std::string>& environment, const std::string& name) {
    for (const std::string& entry : environment) {
        if (entry.compare(0, name.size() + 1, name + "=") == 0) { return entry.substr(name.size() + 1); }
    }
    return {};
}

std::vector<std::string> environment_for(const run_command& command, const std::string& library, const std::string& dumps) {
    std::vector<std::string> out;
    for (const char* const* at = platform::environment(); at != nullptr && *at != nullptr; ++at) { out.emplace_back(*at); }
    const std::string theirs = value_of(out, "LD_PRELOAD");
    set(out, "LD_PRELOAD", library + (theirs.empty() ? "" : ":" + theirs));
    set(out, "MEMWATCH_DUMP_DIR", dumps);
    // A program with one thread gets none of ours unless somebody wants to ask it while it runs.
    const bool is_asked = command.wants_control || !command.metrics_address.empty();
    if (is_asked && value_of(out, "MEMWATCH_CONTROL").empty()) { set(out, "MEMWATCH_CONTROL", "on"); }
    // Nor would it be judged: that takes looks while it runs.
    const bool is_judged = !command.report_file.empty() || command.fail_on_leak;
    if (is_judged && value_of(out, "MEMWATCH_VERDICTS").empty()) { set(out, "MEMWATCH_VERDICTS", "on"); }
    if (!command.preset.empty()) { set(out, "MEMWATCH_PRESET", command.preset); }
    if (!command.interval.empty()) { set(out, "MEMWATCH_INTERVAL", command.interval); }
    if (!command.epoch.empty()) { set(out, "MEMWATCH_EPOCH", command.epoch); }
    return out;
}

// --- what is left of it

// The started process first, then by live bytes.
void put_in_order(std::vector<reported_process>& processes, std::uint64_t first_pid) {
    std::stable_sort(processes.begin(), processes.end(), [&](const reported_process& a, const reported_process& b) {
        const bool is_a_first = a.value.info.pid == first_pid;
        const bool is_b_first = b.value.info.pid == first_pid;
        return is_a_first != is_b_first ? is_a_first : live_sum(a.value).bytes > live_sum(b.value).bytes;
    });
}

void read_dumps(const dump_folder& folder, const run_command& command, process_report& into) {
    const std::vector<std::string> paths = folder.dumps();
    for (std::size_t i = 0; i < paths.size() && i < most_dumps; ++i) {
        result<decoded_snapshot> dump = read_dump(paths[i]);
        if (!dump) {
            into.remarks.push_back("a dump is unreadable: " + dump.error().message());
            continue;
        }
        for (const std::string& loss : dump->damage) { into.remarks.push_back("a dump is damaged: " + loss); }
        keep_largest_sites(dump->value, command.top);
        into.processes.push_back({std::move(dump->value), false});
    }
    if (paths.size() > most_dumps) {
        into.remarks.push_back(fmt::format("{} more dumps were not read", paths.size() - most_dumps));
    }
}

// Daemons and others that outlive the program tell through their sockets.
void ask_survivors(const std::string& dumps, const run_command& command, process_report& into) {
    for (const std::uint64_t pid : processes_of_run(dumps)) {
        const result<std::string> bytes = control::ask(pid, {"summary", {}});
        result<decoded_snapshot> taken = bytes ? decode(*bytes) : tl::unexpected<error>(bytes.error());
        if (!taken) {
            into.remarks.push_back("still running, and not to be asked: " + taken.error().message());
            continue;
        }
        keep_largest_sites(taken->value, command.top);
        into.processes.push_back({std::move(taken->value), true});
    }
}

void acquit_all(process_report& report, const std::optional<snapshot>& healthy) {
    if (!healthy) { return; }
    for (reported_process& each : report.processes) { acquit(each.value, *healthy); }
}

process_report make_report(const run_command& command, const dump_folder& folder, pid_t child, int status,
                           const std::optional<snapshot>& healthy) {
    const auto pid = static_cast<std::uint64_t>(child);
    process_report out;
    out.command = command.program;
    out.status = status;
    out.top = command.top;
    read_dumps(folder, command, out);
    ask_survivors(folder.path(), command, out);
    put_in_order(out.processes, pid);
    name_sites(out, command.source);
    acquit_all(out, healthy);
    if (out.processes.empty() || out.processes.front().value.info.pid != pid) {
        out.remarks.push_back(
            fmt::format("no dump of pid {}: it was killed, ended while memwatch was off, or replaced its environment", pid));
    }
    return out;
}

// Of processes that have ended: of one that runs there will be another word.
bool has_leak(const process_report& report, const run_command& command) {
    std::size_t leaks = 0;
    for (const reported_process& each : report.processes) {
        if (!each.is_running) { leaks += leaks_above(each.value, static_cast<double>(command.leak_threshold_bytes)).size(); }
    }
    if (leaks != 0) { fmt::print(stderr, "memwatch: {} leak{} at the end\n", leaks, leaks == 1 ? "" : "s"); }
    return leaks != 0;
}

int finish(const run_command& command, const dump_folder& folder, pid_t child, int status,
           const std::optional<snapshot>& healthy) {
    const process_report report = make_report(command, folder, child, status, healthy);
    if (!command.is_quiet) {
        report_text_options how;
        how.colour = command.colour == colour_choice::always ||
                     (command.colour == colour_choice::automatic && ::isatty(STDERR_FILENO) == 1);
        fmt::print(stderr, "memwatch: {}", render_text(report, how));
    }
    if (!command.report_file.empty()) {
        if (const auto written = write_file_atomically(command.report_file, render_json(report)); !written) {
            return refuse(written.error(), status != 0 ? status : failed_status);
        }
    }
    const bool is_leaking = command.fail_on_leak && has_leak(report, command);
    return status == 0 && is_leaking ? 1 : status;
}

// Before the program runs for an hour: a baseline that is not there is said at once.
result<std::optional<snapshot>> load_baseline(const run_command& command) {
    if (command.baseline.empty()) { return std::nullopt; }
    return load_snapshot(command.baseline, command.source).map([](loaded_snapshot loaded) {
        return std::optional<snapshot>(std::move(loaded.value));
    });
}

}  // namespace

int run(const run_command& command) {
    const result<std::string> program = find_program(command.program.front());
    if (!program) { return refuse(program.error(), status_of_start(program.error())); }
    std::vector<std::string> warnings;
    if (auto checked = check_program(*program, warnings); !checked) {
        return refuse(checked.error(), status_of_start(checked.error()));
    }
    for (const std::string& warning : warnings) { print_warning(warning); }
    const result<std::optional<snapshot>> healthy = load_baseline(command);
    if (!healthy) { return refuse(healthy.error(), failed_status); }
    const result<std::string> library = find_preload_library();
    if (!library) { return refuse(library.error(), failed_status); }
    const result<dump_folder> folder = dump_folder::make(command.dump_dir);
    if (!folder) { return refuse(folder.error(), failed_status); }

    std::optional<signals_held> signals(std::in_place);
    const auto server = serve_children(command.metrics_address, folder->path());
    if (!server) { return refuse(server.error(), failed_status); }
    const result<pid_t> child =
        start_child(*program, command.program, environment_for(command, *library, folder->path()), *signals);
    if (!child) { return refuse(child.error(), status_of_start(child.error())); }
    const int status = wait_for_child(*child, *signals);
    signals.reset();  // from here on Ctrl-C is for us: a report can take its time
    return finish(command, *folder, *child, status, *healthy);
}

}  // namespace v1
}  // namespace memwatch
