// SPDX-License-Identifier: Apache-2.0
#pragma once
// argv -> one command of the table, run. The whole tree of commands and options is there to be walked, too: help, completion
// and the manual page say what the parser knows.

#include <CLI/CLI.hpp>
#include <memory>
#include <vector>

#include "cli/command.hpp"

namespace memwatch {
inline namespace v1 {

class command_line {
public:
    command_line();

    // What the shell gets to see. CLI11's own codes end here.
    int run(int count, const char* const* arguments);

private:
    struct member {
        const command_entry* entry;
        CLI::App* app;
        std::unique_ptr<command> value;
    };

    CLI::App app_;
    std::vector<member> members_;
};

}  // namespace v1
}  // namespace memwatch
