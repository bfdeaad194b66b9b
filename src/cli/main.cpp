// SPDX-License-Identifier: Apache-2.0
// memwatch: a file or an address -> a snapshot -> a report.

#include <exception>
#include <type_traits>
#include <variant>

#include "cli/commands.hpp"

int main(int count, char** arguments) {
    using namespace memwatch;
    try {
        const parsed_arguments parsed = parse_arguments(count, arguments);
        return std::visit(
            [](const auto& command) {
                if constexpr (std::is_same_v<std::decay_t<decltype(command)>, exit_status>) {
                    return static_cast<int>(command);
                } else {
                    return static_cast<int>(run(command));
                }
            },
            parsed);
    } catch (const std::exception& e) {  // std::bad_alloc: an input too large for this machine
        print_error({error_code::limit, e.what(), {}});
        return static_cast<int>(exit_status::unreadable);
    }
}
