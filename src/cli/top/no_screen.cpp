// SPDX-License-Identifier: Apache-2.0
// A build without ncurses: `memwatch top` prints plain lines.
#include "cli/top/screen.hpp"

namespace memwatch {
inline namespace v1 {
namespace top {

bool can_draw() { return false; }

exit_status watch(service, model, controls, std::uint64_t, bool) { return exit_status::unreachable; }  // never called

}  // namespace top
}  // namespace v1
}  // namespace memwatch
