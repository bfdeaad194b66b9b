// SPDX-License-Identifier: Apache-2.0
// Apart from screen.cpp, because <term.h> makes macros of a hundred short words (bell, lines, columns ...).
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "cli/top/screen.hpp"

#include <ncurses.h>
#include <term.h>

namespace memwatch {
inline namespace v1 {
namespace top {

bool can_draw() {
    const char* const name = std::getenv("TERM");
    if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDOUT_FILENO) != 1 || name == nullptr || std::strcmp(name, "dumb") == 0) {
        return false;
    }
    int outcome = 0;
    if (setupterm(name, STDOUT_FILENO, &outcome) != OK) { return false; }
    const char* const move_cursor = tigetstr("cup");
    return move_cursor != nullptr && move_cursor != reinterpret_cast<const char*>(-1);  // terminfo's "there is no such string"
}

}  // namespace top
}  // namespace v1
}  // namespace memwatch
