// SPDX-License-Identifier: Apache-2.0
#pragma once
// The live view on a terminal, by ncurses: keys and signals in, lines out. The terminal is given back as it was when the view
// ends, by a key, by a signal or by an error.
//
// In: a model and a service. Out: an exit status. Threads: the caller's, and the asker's. A stub without ncurses.

#include <cstdint>

#include "cli/terminal.hpp"
#include "cli/top/controls.hpp"
#include "cli/top/service.hpp"

namespace memwatch {
inline namespace v1 {
namespace top {

// Whether stdin and stdout are a terminal that can be drawn on (TERM is known and not "dumb"), and this build knows how.
[[nodiscard]] bool can_draw();

// Until the person quits, or SIGINT, which is the same. SIGTERM and SIGHUP end the process by themselves once the terminal is
// restored. 4 when nobody ever answered.
exit_status watch(service of, model shown, controls chosen, std::uint64_t interval_ns, bool with_colour);

}  // namespace top
}  // namespace v1
}  // namespace memwatch
