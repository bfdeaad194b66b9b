// SPDX-License-Identifier: Apache-2.0
// memwatch: a file or an address -> a snapshot -> a report.

#include <exception>

#include "cli/command_line.hpp"
#include "cli/terminal.hpp"

int main(int count, char** arguments) {
    using namespace memwatch;
    try {
        return command_line().run(count, arguments);
    } catch (const std::exception& e) {  // std::bad_alloc: an input too large for this machine
        print_error({error_code::limit, e.what(), {}});
        return static_cast<int>(exit_status::unreadable);
    }
}
