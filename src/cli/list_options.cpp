// SPDX-License-Identifier: Apache-2.0
#include "cli/list_options.hpp"

#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/json_writer.hpp"
#include "settings/option_table.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

struct scope {
    const char* name;
    const char* title;
    std::span<const option_description> rows;
};

std::vector<scope> scopes() {
    return {{"session", "Options of a session", session_option_table()},
            {"server", "Options of the HTTP server", server_option_table()}};
}

const char* change_of(const option_description& option) {
    return option.change == option_change::runtime ? "runtime" : "start";
}

std::string or_dash(std::string text) { return text.empty() ? "-" : text; }

std::string as_text() {
    std::string out =
        "Precedence: default < code < environment < runtime. A name in the second column can be changed while the\n"
        "process runs: memwatch control --pid N set NAME=VALUE\n";
    for (const scope& each : scopes()) {
        out += fmt::format("\n{}\n", each.title);
        for (const option_description& row : each.rows) {
            const bool may_change = row.change == option_change::runtime;
            out += fmt::format("  {:26} {:16} default {}{}\n      {}\n", row.environment, may_change ? row.name() : "-",
                               or_dash(row.default_text()), row.values().empty() ? "" : "; " + row.values(), row.help);
        }
    }
    out += "\nRead by this command\n";
    for (const variable_description& row : command_variable_table()) {
        out += fmt::format("  {}\n      {}\n", row.environment, row.help);
    }
    return out;
}

// docs/options.md holds this (tests/contract/options_page.py).
std::string as_markdown() {
    std::string out;
    for (const scope& each : scopes()) {
        out += fmt::format("### {}\n\n| variable | name | default | values | changes | what |\n|---|---|---|---|---|---|\n",
                           each.title);
        for (const option_description& row : each.rows) {
            std::string help(row.help);
            for (std::size_t at = help.find('|'); at != std::string::npos; at = help.find('|', at + 2)) {
                help.insert(at, "\\");
            }
            out += fmt::format("| `{}` | `{}` | {} | {} | {} | {} |\n", row.environment, row.name(),
                               or_dash(row.default_text()), or_dash(row.values()), change_of(row), help);
        }
        out += "\n";
    }
    out += "### Read by the memwatch command\n\n| variable | what |\n|---|---|\n";
    for (const variable_description& row : command_variable_table()) {
        out += fmt::format("| `{}` | {} |\n", row.environment, row.help);
    }
    return out;
}

void write_row(json_writer& json, const option_description& row, const char* scope) {
    json.new_line();
    json.begin_object();
    json.key("name").value(row.name());
    json.key("environment").value(row.environment);
    json.key("scope").value(scope);
    json.key("default").value(row.default_text());
    json.key("values").value(row.values());
    json.key("unit").value(row.unit);
    json.key("changes").value(change_of(row));
    json.key("help").value(row.help);
    json.end_object();
}

std::string as_json() {
    json_writer json;
    json.begin_object();
    json.key("kind").value("memwatch.options");
    json.key("version").value(std::uint64_t{1});
    json.key("options").begin_array();
    for (const scope& each : scopes()) {
        for (const option_description& row : each.rows) { write_row(json, row, each.name); }
    }
    json.end_array();
    json.end_object();
    return json.take();
}

}  // namespace

exit_status run(const options_command& command) {
    const std::string words = command.as == options_command::form::json       ? as_json()
                              : command.as == options_command::form::markdown ? as_markdown()
                                                                              : as_text();
    const result<void> written = print(words);
    return written ? exit_status::fine : status_of(written.error());
}

}  // namespace v1
}  // namespace memwatch
