// SPDX-License-Identifier: Apache-2.0
#pragma once
// memwatch(1): the tree of commands as a manual page, one page for all of them. The build writes it by running memwatch, which
// has to know the file's name beforehand: a page a command would be a second list of commands, in the build.
//
// In: the tree. Out: roff in the man(7) macros that groff and mandoc share. Threads: any.

#include <string>
#include <string_view>

#include "cli/command_tree.hpp"

namespace memwatch {
inline namespace v1 {

[[nodiscard]] std::string render_manual(const command_tree& tree);

// One or more lines that roff shows as they stand: no character is a command or an escape.
[[nodiscard]] std::string roff_escaped(std::string_view text);

}  // namespace v1
}  // namespace memwatch
