// SPDX-License-Identifier: Apache-2.0
#pragma once
// The command line as values, or the reason why it isn't one.

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

#include <memwatch/diff/diff.hpp>
#include <memwatch/model/delta.hpp>

#include "cli/attach.hpp"
#include "cli/list_options.hpp"
#include "cli/run.hpp"
#include "cli/source.hpp"
#include "cli/steer.hpp"
#include "cli/terminal.hpp"
#include "report/survivors.hpp"

namespace memwatch {
inline namespace v1 {

enum class output_format { text, markdown, json };

struct output_options {
    output_format format{output_format::text};
    colour_choice colour{colour_choice::automatic};
};

struct show_command {
    std::string input;
    std::string by;      // a view; empty = the summary
    std::string sort;    // of that view
    std::string cursor;  // of that view
    std::size_t top{20};
    survivor_filter only;
    bool since_baseline{};  // only blocks born after session::mark_baseline()
    source_options source;
    output_options output;
};

struct diff_command {
    std::string before;
    std::string after;
    diff_options how;
    bool since_baseline{};  // of both, only blocks born after AFTER's baseline
    bool exit_code{};       // 1 when something grew significantly
    source_options source;
    output_options output;
};

struct snapshot_command {
    std::string url;
    std::uint64_t pid{};  // instead of a URL
    std::string label;
    std::uint64_t duration_ns{};  // 0 = at once
    std::string file;             // empty = stdout
    std::string format{"memtrace"};
    bool json_summary{};  // what was written, as JSON on stdout
};

// Nothing left to do: help or version were printed, or an error was.
using parsed_arguments = std::variant<exit_status, show_command, diff_command, snapshot_command, run_command, report_command,
                                      control_command, attach_command, detach_command, options_command>;

[[nodiscard]] parsed_arguments parse_arguments(int count, const char* const* arguments);

}  // namespace v1
}  // namespace memwatch
