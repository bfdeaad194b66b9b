// SPDX-License-Identifier: Apache-2.0
#pragma once
// The tree of commands as a script that completes them: one function a shell. Nothing is asked when a key is pressed; the
// script knows all the words, and files and folders are the shell's own.
//
// In: the tree, whose descriptions may hold any character. Out: a script for bash 4.4, zsh 5 or fish 3. Threads: any.

#include <string>

#include "cli/command_tree.hpp"

namespace memwatch {
inline namespace v1 {

[[nodiscard]] std::string bash_completion(const command_tree& tree);
[[nodiscard]] std::string zsh_completion(const command_tree& tree);
[[nodiscard]] std::string fish_completion(const command_tree& tree);

}  // namespace v1
}  // namespace memwatch
