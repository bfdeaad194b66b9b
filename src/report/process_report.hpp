// SPDX-License-Identifier: Apache-2.0
#pragma once
// What was live in some processes, site by site: what `memwatch run` says when a program has ended, and
// `memwatch show --by process` of dumps and running processes.
//
// In: snapshots, symbolized. Out: JSON (kind memwatch.report, version 1, with the findings of verdict_findings.hpp) or text.
// Threads: any. Laws: the sites' bytes and those left out sum to the process' live bytes; exact figures carry an error of 0,
// estimated ones their standard error.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <memwatch/model/snapshot.hpp>

namespace memwatch {
inline namespace v1 {

struct reported_process {
    snapshot value;     // its live records are not needed
    bool is_running{};  // taken while it ran, not at its end
};

struct process_report {
    std::vector<std::string> command;  // what was run; empty: nothing was
    std::optional<int> status;         // of what was run
    std::vector<reported_process> processes;
    std::vector<std::string> remarks;  // what is missing and why
    std::size_t top{20};               // sites a process; 0 = all
};

[[nodiscard]] std::string render_json(const process_report& r);

struct report_text_options {
    std::size_t processes{5};  // shown with their sites; of the others one line each
    std::size_t stack_lines{4};
    std::size_t verdicts{10};  // sentences a process, of leaks and suspects
    bool colour{};
};
[[nodiscard]] std::string render_text(const process_report& r, const report_text_options& options);

// Sites with the most live bytes first, at most `top` (0 = all), none without.
[[nodiscard]] std::vector<const site*> largest_live_sites(const snapshot& s, std::size_t top);
[[nodiscard]] sampled_totals live_sum(const snapshot& s) noexcept;  // over its sites

// Leaves what the `top` largest sites (0 = all) and those that were judged need: records of what leaks or may, and no module
// for the frames of other sites, so that symbolizing reads nothing for them. Figures stay.
void keep_largest_sites(snapshot& s, std::size_t top);

}  // namespace v1
}  // namespace memwatch
