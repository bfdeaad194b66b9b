// SPDX-License-Identifier: Apache-2.0
// `memwatch symbolize`: a dump with its names in it, for machines that have no symbols.

#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <memwatch/snapshot/codec.hpp>

#include "cli/commands/commands.hpp"
#include "cli/flags.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

class symbolize_command final : public command {
public:
    explicit symbolize_command(CLI::App& app) {
        app.add_option("DUMP", input_, "FILE|URL to name")->required();
        app.add_option("-o,--output", output_, "the dump with names")->required()->type_name("FILE");
        source_.add_to(app);
    }

    int run() override {
        source_options how = source_.read();
        if (!how.symbolize) { return refuse_usage("contradicts what symbolize is for", "--no-symbols"); }
        how.symbolize = false;
        result<loaded_snapshot> s = load_snapshot(input_, how);
        if (!s) { return report_failure(s.error()); }
        if (!s->damage.empty()) {
            return report_failure({error_code::unreadable, "is damaged: a copy would look whole", input_});
        }
        const symbolize_summary named = name_frames(s->value, how);
        for (const std::string& missing : named.warnings) { print_warning("no names for " + missing); }
        if (const auto written = s->value.write_to(output_); !written) { return report_failure(written.error()); }
        const std::size_t frames = named.resolved + named.unresolved;
        return finish(fmt::format("{}: {} of {} frames have names{}\n", output_, named.resolved, frames,
                                  named.unresolved == 0 ? "" : fmt::format(", {} have none", named.unresolved)),
                      exit_status::fine);
    }

private:
    std::string input_, output_;
    source_flags source_;
};

}  // namespace

std::unique_ptr<command> make_symbolize(CLI::App& app) { return std::make_unique<symbolize_command>(app); }

}  // namespace v1
}  // namespace memwatch
