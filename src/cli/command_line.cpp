// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line.hpp"

#include <algorithm>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <memwatch/version.hpp>

#include "cli/flags.hpp"
#include "cli/help_format.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

std::string list_commands() {
    std::vector<std::string_view> names;
    for (const command_entry& each : command_table()) {
        if (!each.is_hidden) { names.emplace_back(each.name); }
    }
    const std::string_view last = names.back();
    names.pop_back();
    return fmt::format("there are {} and {}", fmt::join(names, ", "), last);
}

}  // namespace

command_line::command_line() : app_("memwatch: is something leaking, who allocated it, and for which request?", "memwatch") {
    app_.set_version_flag("--version", std::string("memwatch ") + version, "the version");
    app_.set_help_flag("-h,--help", "this help");
    app_.require_subcommand(1);
    app_.formatter(std::make_shared<help_format>());
    app_.get_formatter()->label("SUBCOMMAND", "COMMAND");
    app_.get_formatter()->label("Subcommands", "Commands");
    app_.footer(std::string("Examples:\n"
                            "  memwatch snapshot --url localhost:9467 --label before -o before.memtrace\n"
                            "  memwatch diff before.memtrace localhost:9467 --threshold 1MB\n"
                            "  memwatch run -- ./server\n\n") +
                exit_code_words + "\n'memwatch COMMAND --help' says more.");
    for (const command_entry& each : command_table()) {
        CLI::App* const app = app_.add_subcommand(each.name, each.summary);
        app->group(each.is_hidden ? "" : "Commands");
        app->footer(each.takes_words ? std::string(each.footer) : std::string(each.footer) + "\n" + exit_code_words);
        members_.push_back({&each, app, each.make(*app)});
    }
}

int command_line::run(int count, const char* const* arguments) {
    if (count < 2) { return refuse_usage("no command given; " + list_commands()); }
    const std::string_view name = arguments[1];
    const auto wanted =
        std::find_if(members_.begin(), members_.end(), [&](const member& each) { return name == each.entry->name; });
    if (wanted == members_.end() && name.substr(0, 1) != "-") {
        return refuse_usage("no such command; " + list_commands(), std::string(name));
    }
    if (wanted != members_.end() && wanted->entry->takes_words) {
        const char* const* const end = arguments + count;
        const char* const* const dashes = std::find(arguments + 2, end, std::string_view("--"));
        if (dashes != end) { wanted->value->take_words({dashes + 1, end}); }
        count = static_cast<int>(dashes - arguments);
    }
    try {
        app_.parse(count, arguments);
    } catch (const CLI::Success& asked) {  // --help, --version
        return app_.exit(asked);
    } catch (const CLI::Error& e) {  // the one adapter around CLI11, whose own codes begin at 100
        return refuse_usage(e.what());
    }
    const auto parsed = std::find_if(members_.begin(), members_.end(), [](const member& each) { return each.app->parsed(); });
    return parsed->value->run();
}

}  // namespace v1
}  // namespace memwatch
