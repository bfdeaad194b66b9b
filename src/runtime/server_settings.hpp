// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a server or handler was started with - code, overlaid with the environment - and the rows of /debug/memtrace/config: the
// session's options as they are now, then the server's. The rows come from options.def and server_options.def.
// Compiled into libmemwatch-serve only. Threads: any.

#include <array>
#include <string>
#include <vector>

#include <memwatch/serve/server.hpp>
#include "serve/access.hpp"
#include "serve/config_page.hpp"
#include "settings/chosen_options.hpp"

namespace memwatch {
inline namespace v1 {

// One for each MEMWATCH_SERVER_OPTION, in the table's order.
enum class server_option_id : std::uint8_t {
#define MEMWATCH_SERVER_OPTION(type, member, default_value, environment, changes, least, most, unit, help) member,
#include <memwatch/server_options.def>
    count_
};

struct serve_settings {
    server_options options;
    std::array<option_origin, static_cast<std::size_t>(server_option_id::count_)> origins{};
    std::string token;
    std::string problem;  // what of the environment is not used, and why; empty = nothing
    const char* token_variable = "MEMWATCH_TOKEN";
};

// Environment over code, as for every option; nothing of it in a set-user-id program.
[[nodiscard]] serve_settings merge_environment(server_options wanted);

// Of the whole process. A handler mounted elsewhere has no address of its own. Secrets are masked.
[[nodiscard]] std::vector<serve::config_row> config_rows(const serve_settings& settings, serve::exposure where);

}  // namespace v1
}  // namespace memwatch
