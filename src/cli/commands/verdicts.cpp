// SPDX-License-Identifier: Apache-2.0
// `memwatch verdicts`: what leaks, by the verdicts of a process, or by judging a series of its dumps.

#include <CLI/CLI.hpp>
#include <algorithm>

#include <fmt/format.h>

#include "cli/choices.hpp"
#include "cli/commands/commands.hpp"
#include "cli/flags.hpp"
#include "cli/judged_source.hpp"
#include "cli/text_file.hpp"
#include "gate/suppression.hpp"
#include "report/verdict_findings.hpp"
#include "report/verdicts.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::uint64_t largest_suppressions = 4ULL << 20;

const choices levels{"leak", "suspect", "none"};

class verdicts final : public command {
public:
    explicit verdicts(CLI::App& app) {
        CLI::Option* const inputs =
            app.add_option("SOURCE", wanted_.inputs, "FILE|URL that has verdicts, or three dumps or more of one process")
                ->type_name("FILE|URL");
        app.add_option("--pid", pid_, "the process, by its control socket")
            ->check(&check_pid)
            ->excludes(inputs)
            ->type_name("PID");
        levels.offer(app.add_option("--level", level_, "only that and worse; none: everything that was judged"))
            ->default_str("suspect");
        app.add_flag("--all", wants_all_, "the same as --level none --top 0");
        app.add_option("--top", choice_.top, "rows; 0 for all")->check(&check_count)->capture_default_str();
        app.add_option("--baseline", wanted_.baseline, "a dump of a healthy run: what holds as much as there does not leak")
            ->type_name("FILE|URL");
        app.add_option("--suppressions,--suppress", suppression_files_,
                       "leak:PATTERN lines, as LeakSanitizer reads them; repeatable")
            ->allow_extra_args(false)
            ->type_name("FILE");
        app.add_flag("--exit-zero", is_lenient_, "end with 0 although something leaks");
        source_.add_to(app);
        output_.add_to(app, output_flags::markdown::yes);
    }

    int run() override {
        const result<output_options> output = output_.read();
        if (!output) { return refuse_usage(output.error()); }
        if (const auto read = read_choices(); !read) { return refuse_usage(read.error()); }
        result<std::vector<gate::suppression>> suppressions = read_suppressions();
        if (!suppressions) { return report_failure(suppressions.error()); }
        result<snapshot> judged = load_judged(wanted_, source_.read());
        if (!judged) { return report_failure(judged.error()); }
        if (judged->verdicts.empty()) { say_that_nothing_was_judged(); }
        suppress(*judged, *suppressions);
        const bool is_leaking = !leaks_above(*judged, 0).empty();
        return finish(render(*judged, *output), is_leaking && !is_lenient_ ? exit_status::found : exit_status::fine);
    }

private:
    result<void> read_choices() {
        if (pid_ != 0) { wanted_.inputs = {fmt::format("pid:{}", pid_)}; }
        if (wanted_.inputs.empty()) { return fail(error_code::invalid_argument, "a dump, a URL or --pid is required"); }
        if (!level_.empty()) {
            if (auto known = levels.check("--level", level_); !known) { return known; }
            choice_.least = *verdict_level_of(level_);
        }
        if (wants_all_) {
            choice_.least = verdict_level::none;
            choice_.top = 0;
        }
        return {};
    }

    [[nodiscard]] result<std::vector<gate::suppression>> read_suppressions() const {
        std::vector<gate::suppression> all;
        for (const std::string& file : suppression_files_) {
            const result<std::string> text = read_text_file(file, largest_suppressions);
            if (!text) { return tl::unexpected<error>(text.error()); }
            auto some = gate::parse_suppressions(*text, file);
            if (!some) { return tl::unexpected<error>(some.error()); }
            all.insert(all.end(), some->begin(), some->end());
        }
        return all;
    }

    static void suppress(snapshot& s, const std::vector<gate::suppression>& all) {
        if (all.empty()) { return; }
        const std::size_t hidden = std::erase_if(s.verdicts, [&](const verdict& each) {
            if (!wants_records(each)) { return false; }
            std::vector<frame> stack;
            for (const std::uint32_t index : s.stacks[s.sites[each.index].stack].frames) { stack.push_back(s.frames[index]); }
            const std::vector<std::string> texts = gate::texts_of(stack, s.modules);
            return std::any_of(all.begin(), all.end(), [&](const auto& one) { return gate::suppresses(one, texts); });
        });
        if (hidden != 0) { print_warning(fmt::format("{} leaks and suspects are suppressed", hidden)); }
    }

    void say_that_nothing_was_judged() const {
        print_warning(wanted_.inputs.size() > 1
                          ? "nothing was alive in these dumps"
                          : "nothing was judged in there (MEMWATCH_VERDICTS); three dumps of one process can be");
    }

    [[nodiscard]] std::string render(const snapshot& s, const output_options& output) const {
        const verdict_list list = list_verdicts(s, choice_);
        if (output.format == output_format::json) { return render_json(list); }
        return output.format == output_format::markdown ? render_markdown(list)
                                                        : render_text(list, wants_colour(output.colour));
    }

    judged_choice wanted_;
    std::vector<std::string> suppression_files_;
    std::uint64_t pid_{};
    std::string level_;
    bool wants_all_{};
    bool is_lenient_{};
    verdict_choice choice_;
    source_flags source_;
    output_flags output_;
};

}  // namespace

std::unique_ptr<command> make_verdicts(CLI::App& app) { return std::make_unique<verdicts>(app); }

}  // namespace v1
}  // namespace memwatch
