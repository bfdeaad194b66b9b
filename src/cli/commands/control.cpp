// SPDX-License-Identifier: Apache-2.0
// `memwatch control`: the options; what it does is cli/steer.cpp.

#include <CLI/CLI.hpp>

#include "cli/choices.hpp"
#include "cli/commands/commands.hpp"
#include "cli/flags.hpp"
#include "cli/preset_word.hpp"
#include "cli/steer.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

const choices actions{"status", "set", "baseline", "history", "timeline", "stop", "resume", "detach"};

class control_process final : public command {
public:
    explicit control_process(CLI::App& app) {
        actions.offer(app.add_option("ACTION", wanted_.action, "what it is asked"))->default_str("status");
        app.add_option("SETTING", settings_, "for set: of what 'memwatch options' lists, and for=TIME")
            ->type_name("NAME=VALUE");
        app.add_option("--pid", wanted_.pid, "the process")->check(&check_pid)->required();
        preset_choices().offer(app.add_option("--preset", preset_, "for set: the same as preset="));
        app.add_option("--interval", interval_, "for set: the same as interval=")->type_name("SIZE");
        app.add_option("--for", for_time_, "for set: the same as for=, how long the preset lasts")->type_name("TIME");
        app.add_flag("--json", wanted_.as_json, "the answer as JSON");
    }

    int run() override {
        if (const auto read = read_choices(); !read) { return refuse_usage(read.error()); }
        return static_cast<int>(memwatch::run(wanted_));
    }

private:
    result<void> read_choices() {
        if (auto known = actions.check("ACTION", wanted_.action); !known) { return known; }
        for (const std::string& setting : settings_) {
            const std::size_t equals = setting.find('=');
            if (equals == std::string::npos) { return fail(error_code::invalid_argument, "a setting is NAME=VALUE", setting); }
            wanted_.settings.emplace_back(setting.substr(0, equals), setting.substr(equals + 1));
        }
        if (!preset_.empty()) { wanted_.settings.emplace_back("preset", preset_); }
        if (!interval_.empty()) { wanted_.settings.emplace_back("interval", interval_); }
        if (!for_time_.empty()) { wanted_.settings.emplace_back("for", for_time_); }
        if (wanted_.settings.empty() == (wanted_.action == "set")) {
            return fail(error_code::invalid_argument, "set takes NAME=VALUE, and nothing else does");
        }
        return {};
    }

    control_command wanted_;
    std::vector<std::string> settings_;
    std::string preset_, interval_, for_time_;
};

}  // namespace

std::unique_ptr<command> make_control(CLI::App& app) { return std::make_unique<control_process>(app); }

}  // namespace v1
}  // namespace memwatch
