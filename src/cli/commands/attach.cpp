// SPDX-License-Identifier: Apache-2.0
// `memwatch attach` and `memwatch detach`: the options; what they do is cli/attach.cpp.

#include <CLI/CLI.hpp>

#include "cli/attach.hpp"

#include <fmt/format.h>

#include "cli/commands/commands.hpp"
#include "cli/flags.hpp"
#include "cli/preset_word.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

class attach final : public command {
public:
    explicit attach(CLI::App& app) {
        app.add_option("--pid", wanted_.pid, "the process")->check(&check_pid)->required();
        preset_choices().offer(
            app.add_option("--preset", wanted_.preset, "nothing, sampled, finer for a while, each allocation (default: on)"));
        app.add_option("--interval", wanted_.interval, "mean bytes between samples (default: 1MiB)")->type_name("SIZE");
    }

    int run() override {
        if (const auto read = read_choices(); !read) { return refuse_usage(read.error()); }
        return static_cast<int>(memwatch::run(wanted_));
    }

private:
    result<void> read_choices() {
        if (auto preset = check_preset(wanted_.preset); !preset) { return preset; }
        if (wanted_.interval.empty()) { return {}; }
        const result<std::uint64_t> bytes = read_size("--interval", wanted_.interval);
        if (!bytes) { return tl::unexpected<error>(bytes.error()); }
        if (*bytes == 0) {
            return fail(error_code::invalid_argument, "an interval is 1 byte to 1 TiB", "--interval " + wanted_.interval);
        }
        wanted_.interval = fmt::format("{}", *bytes);  // no word of the user's goes any further
        return {};
    }

    attach_command wanted_;
};

class detach final : public command {
public:
    explicit detach(CLI::App& app) { app.add_option("--pid", wanted_.pid, "the process")->check(&check_pid)->required(); }
    int run() override { return static_cast<int>(memwatch::run(wanted_)); }

private:
    detach_command wanted_;
};

}  // namespace

std::unique_ptr<command> make_attach(CLI::App& app) { return std::make_unique<attach>(app); }
std::unique_ptr<command> make_detach(CLI::App& app) { return std::make_unique<detach>(app); }

}  // namespace v1
}  // namespace memwatch
