// SPDX-License-Identifier: Apache-2.0
#pragma once
// `memwatch run`: a program, unchanged, with memwatch in it and in its children; at the end what is still live, site by site.

#include <cstdint>
#include <string>
#include <vector>

#include "cli/source.hpp"
#include "cli/terminal.hpp"

namespace memwatch {
inline namespace v1 {

struct run_command {
    std::vector<std::string> program;  // and its arguments
    std::string preset;                // empty: as the environment says
    std::string interval;
    std::string epoch;  // empty: as the environment says
    std::string report_file;
    std::string metrics_address;
    std::string baseline;  // FILE|URL of a healthy run: what holds as much as there does not leak; empty: none is known
    std::string dump_dir;  // kept; empty: a private one, removed
    bool wants_control{};  // a control socket from the start, also in programs with one thread
    bool fail_on_leak{};
    std::uint64_t leak_threshold_bytes{};  // of smaller leaks fail_on_leak takes no notice
    std::size_t top{10};
    bool is_quiet{};
    source_options source;
    colour_choice colour{colour_choice::automatic};
};

// What the shell gets to see: the program's own status, 128 + signal, or 125 (memwatch failed), 126 (it cannot be executed),
// 127 (there is no such program).
int run(const run_command& command);

}  // namespace v1
}  // namespace memwatch
