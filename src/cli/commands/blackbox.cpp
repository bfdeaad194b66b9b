// SPDX-License-Identifier: Apache-2.0
// `memwatch blackbox`: what a process that could not say it left behind.

#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <memwatch/snapshot/codec.hpp>

#include "cli/blackbox/words.hpp"
#include "cli/choices.hpp"
#include "cli/commands/commands.hpp"
#include "cli/flags.hpp"
#include "cli/source.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

const choices actions{"show", "list", "extract"};

class blackbox_command final : public command {
public:
    explicit blackbox_command(CLI::App& app) {
        actions.offer(app.add_option("ACTION", action_, "show one, list a folder, or extract a dump from one")->required());
        app.add_option("PATH", path_, "black box (*.blackbox), or a folder: its newest one whose process has ended")
            ->required();
        app.add_option("--before", before_, "what was alive that long before the last record, not at it: 30s, 5m");
        app.add_option("-o,--output", output_file_, "of extract: the dump")->type_name("FILE");
        app.add_option("--top", top_, "rows a table; 0 for all")->check(&check_count)->capture_default_str();
        source_.add_to(app);
        output_.add_to(app, output_flags::markdown::no);
    }

    int run() override {
        const result<output_options> output = output_.read();
        if (!output) { return refuse_usage(output.error()); }
        if (const auto known = actions.check("ACTION", action_); !known) { return refuse_usage(known.error()); }
        if ((action_ == "extract") == output_file_.empty()) {
            return refuse_usage(action_ == "extract" ? "where to? -o FILE is required" : "-o is for extract");
        }
        if (action_ == "list") { return list(*output); }
        std::uint64_t before_ns = 0;
        if (!before_.empty()) {
            const result<std::uint64_t> wanted = read_duration("--before", before_);
            if (!wanted) { return refuse_usage(wanted.error()); }
            before_ns = *wanted;
        }
        result<story> told = find_box(path_).and_then([&](const std::string& path) { return read_story(path, before_ns); });
        if (!told) { return report_failure(told.error()); }
        return action_ == "show" ? show(*told, *output) : extract(*told);
    }

private:
    int list(const output_options& output) const {
        const result<std::vector<listed_box>> all = list_boxes(path_);
        if (!all) { return report_failure(all.error()); }
        return finish(output.format == output_format::json ? render_json(*all) : render_text(*all, wants_colour(output.colour)),
                      exit_status::fine);
    }

    int show(story& told, const output_options& output) const {
        const source_options how = source_.read();
        if (told.situation && how.symbolize) { name_frames(*told.situation, how); }
        const std::size_t top = top_ == 0 ? static_cast<std::size_t>(-1) : top_;
        return finish(output.format == output_format::json ? render_json(told, top_)
                                                           : render_text(told, top, wants_colour(output.colour)),
                      exit_status::fine);
    }

    int extract(const story& told) const {
        if (!told.situation) {
            return report_failure({error_code::unreadable, "no situation was recorded, or none so long before", told.path});
        }
        if (const auto written = write_file_atomically(output_file_, told.situation_bytes); !written) {
            return report_failure(written.error());
        }
        return finish(fmt::format("{}: {} sites\n", output_file_, told.situation->sites.size()), exit_status::fine);
    }

    std::string action_, path_, before_, output_file_;
    std::size_t top_{10};
    source_flags source_;
    output_flags output_;
};

}  // namespace

std::unique_ptr<command> make_blackbox(CLI::App& app) { return std::make_unique<blackbox_command>(app); }

}  // namespace v1
}  // namespace memwatch
