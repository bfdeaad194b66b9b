// SPDX-License-Identifier: Apache-2.0
#include "cli/attach.hpp"

#include <unistd.h>

#include <charconv>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <memwatch/base/units.hpp>

#include "cli/attach_checks.hpp"
#include "cli/attach_script.hpp"
#include "cli/debugger.hpp"
#include "cli/program.hpp"
#include "control/client.hpp"
#include "control/protocol.hpp"
#include "report/words.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr int look_seconds = 10;                       // for a thread that may be interrupted
constexpr int call_seconds = 10;                       // for each call there
constexpr std::uint64_t timeout_ns = 120'000'000'000;  // for all of it, with gdb reading the program's symbols

exit_status refuse(error e) {
    e.code = error_code::unreachable;  // whatever it was: this process cannot be had
    print_error(e);
    return exit_status::unreachable;
}

error about(std::uint64_t pid, std::string what) {
    return {error_code::unreachable, std::move(what), fmt::format("pid {}", pid)};
}

std::string settings_of(const attach_command& command) {
    std::string out = "control=on";
    if (!command.preset.empty()) { out += " preset=" + command.preset; }
    if (!command.interval.empty()) { out += " interval=" + command.interval; }
    return out;
}

// The script's one line among whatever gdb says.
result<void> read_outcome(std::uint64_t pid, const std::string& printed) {
    constexpr std::string_view failed = "memwatch-failed ";
    std::string_view last;
    for (std::string_view rest = printed; !rest.empty();) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        if (line == "memwatch-ok") { return {}; }
        if (line.substr(0, failed.size()) == failed) {
            return tl::unexpected<error>(about(pid, std::string(line.substr(failed.size()))));
        }
        if (!line.empty()) { last = line; }
    }
    if (last.find("not supported") != std::string_view::npos) {
        return tl::unexpected<error>(about(pid, "this gdb has no Python: install Debian's gdb"));
    }
    return tl::unexpected<error>(about(pid, "gdb failed: " + printable(last)));
}

result<void> load(const attach_command& command, const std::string& gdb, const std::string& library) {
    debugger_run wanted;
    wanted.gdb = gdb;
    wanted.script = attach_script::text;
    wanted.pid = command.pid;
    wanted.timeout_ns = timeout_ns;
    wanted.environment = {fmt::format("MEMWATCH_GDB_PID={}", command.pid), "MEMWATCH_GDB_LIBRARY=" + library,
                          "MEMWATCH_GDB_SETTINGS=" + settings_of(command), fmt::format("MEMWATCH_GDB_SECONDS={}", look_seconds),
                          fmt::format("MEMWATCH_GDB_CALL_SECONDS={}", call_seconds)};
    const result<std::string> printed = run_debugger(wanted);
    return printed ? read_outcome(command.pid, *printed) : tl::unexpected<error>(printed.error());
}

std::string bytes_in_words(std::string_view number) {
    std::uint64_t bytes = 0;
    std::from_chars(number.data(), number.data() + number.size(), bytes);
    return format_bytes(static_cast<double>(bytes));
}

}  // namespace

exit_status run(const attach_command& command) {
    const result<std::string> library = find_attach_library();
    if (!library) { return refuse(library.error()); }
    std::vector<std::string> warnings;
    if (const auto fine = check_attachable({command.pid, *library, "/proc", ::geteuid()}, warnings); !fine) {
        return refuse(fine.error());
    }
    const result<std::string> gdb = find_program("gdb");
    if (!gdb) { return refuse(about(command.pid, "attaching needs gdb, which is not installed here: apt-get install gdb")); }
    for (const std::string& warning : warnings) { print_warning(warning); }
    {
        const progress shown(fmt::format("attaching to pid {}", command.pid));
        if (const auto loaded = load(command, *gdb, *library); !loaded) { return refuse(loaded.error()); }
    }
    const result<std::string> status = control::ask(command.pid, {"status", {}});
    if (!status) {
        return refuse(about(command.pid, "memwatch is in it, but does not answer (" + status.error().what +
                                             "); is MEMWATCH_CONTROL=off there?"));
    }
    const auto word = [&](std::string_view name) { return printable(control::field(*status, name)); };
    const result<void> written = print(
        fmt::format("pid {0}: attached; allocator {1}, preset {2}, R {3}; look with 'memwatch show --pid {0}'\n", command.pid,
                    word("allocator"), word("preset"), bytes_in_words(control::field(*status, "interval_bytes"))));
    return written ? exit_status::fine : status_of(written.error());
}

exit_status run(const detach_command& command) {
    const result<std::string> status = control::ask(command.pid, {"detach", {}});
    if (!status) { return refuse(status.error()); }
    const result<void> written =
        print(fmt::format("pid {}: detached; {}\n", command.pid, printable(control::field(*status, "state"))));
    return written ? exit_status::fine : status_of(written.error());
}

}  // namespace v1
}  // namespace memwatch
