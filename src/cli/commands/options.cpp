// SPDX-License-Identifier: Apache-2.0
// `memwatch options`: the options; what it does is cli/list_options.cpp.

#include <CLI/CLI.hpp>

#include "cli/commands/commands.hpp"
#include "cli/flags.hpp"
#include "cli/list_options.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

class show_options final : public command {
public:
    explicit show_options(CLI::App& app) { output_.add_to(app, output_flags::markdown::yes); }

    int run() override {
        const result<output_options> output = output_.read();
        if (!output) { return refuse_usage(output.error()); }
        using form = options_command::form;
        const form as = output->format == output_format::markdown ? form::markdown
                        : output->format == output_format::json   ? form::json
                                                                  : form::text;
        return static_cast<int>(memwatch::run(options_command{as}));
    }

private:
    output_flags output_;
};

}  // namespace

std::unique_ptr<command> make_options(CLI::App& app) { return std::make_unique<show_options>(app); }

}  // namespace v1
}  // namespace memwatch
