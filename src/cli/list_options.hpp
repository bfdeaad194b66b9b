// SPDX-License-Identifier: Apache-2.0
#pragma once
// `memwatch options`: every option there is, from the same table that the process reads (settings/option_table.hpp).

#include "cli/terminal.hpp"

namespace memwatch {
inline namespace v1 {

struct options_command {
    enum class form { text, json, markdown };
    form as{form::text};
};

exit_status run(const options_command& command);

}  // namespace v1
}  // namespace memwatch
