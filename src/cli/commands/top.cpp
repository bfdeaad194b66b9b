// SPDX-License-Identifier: Apache-2.0
// `memwatch top`: a running service, looked at again and again. What it shows is cli/top/.

#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <memwatch/base/units.hpp>

#include "cli/choices.hpp"
#include "cli/commands/commands.hpp"
#include "cli/flags.hpp"
#include "cli/top/plain.hpp"
#include "cli/top/screen.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::uint64_t shortest_interval_ns = 500'000'000;
constexpr std::uint64_t longest_interval_ns = 3'600'000'000'000;

choices dimension_words() {
    std::vector<std::string> words;
    for (std::size_t i = 0; i < top::dimension_count; ++i) { words.emplace_back(to_string(static_cast<top::dimension>(i))); }
    return choices(std::move(words));
}

choices column_words() {
    std::vector<std::string> words;
    for (std::size_t i = 0; i < top::column_count; ++i) { words.emplace_back(to_string(static_cast<top::column>(i))); }
    return choices(std::move(words));
}

class top_command final : public command {
public:
    explicit top_command(CLI::App& app) {
        CLI::Option* const service =
            app.add_option("SERVICE", service_,
                           "a running service: http://127.0.0.1:9467, localhost:9467, unix:/path, pid:4711")
                ->type_name("URL");
        app.add_option("--pid", pid_, "the process, by its control socket")
            ->check(&check_pid)
            ->excludes(service)
            ->type_name("PID");
        app.add_option("--interval", interval_, "from one look to the next, 500ms or more; longer where answers take long")
            ->type_name("TIME")
            ->default_str("2s");
        dimensions_.offer(app.add_option("--by", by_, "what a row is; on the terminal v changes it"))->default_str("site");
        columns_.offer(app.add_option("--sort", sort_, "what rows are ordered by"))->default_str("growth");
        app.add_flag("--plain", is_plain_, "lines instead of a screen; also without a terminal, or with TERM=dumb");
        app.add_option("--count", plain_.looks, "of --plain: looks, then end; 0 for ever")->type_name("N")->default_str("0");
        app.add_option("--top", plain_.rows, "of --plain: rows a look; 0 for all")->type_name("N")->capture_default_str();
        source_.add_to(app);
        output_.add_to(app, output_flags::markdown::no);
    }

    int run() override {
        const result<output_options> output = output_.read();
        if (!output) { return refuse_usage(output.error()); }
        if (const auto read = read_choices(); !read) { return refuse_usage(read.error()); }
        result<top::service> service = top::service::find(service_, source_.read());
        if (!service) { return refuse_usage(service.error()); }
        top::model shown(service->address(), by_chosen_);
        plain_.as_json = output->format == output_format::json;
        plain_.with_colour = wants_colour(output->colour);
        if (is_plain_ || plain_.as_json || plain_.looks != 0 || !top::can_draw()) {
            return static_cast<int>(print_looks(std::move(*service), std::move(shown), plain_));
        }
        top::controls chosen;
        chosen.sort_by(plain_.how.by);
        return static_cast<int>(
            watch(std::move(*service), std::move(shown), std::move(chosen), plain_.interval_ns, plain_.with_colour));
    }

private:
    result<void> read_choices() {
        if (pid_ != 0) { service_ = fmt::format("pid:{}", pid_); }
        if (service_.empty()) { return fail(error_code::invalid_argument, "SERVICE or --pid is required"); }
        if (const auto by = top::parse_dimension(by_)) {
            by_chosen_ = *by;
        } else {
            return dimensions_.check("--by", by_);
        }
        if (auto known = columns_.check("--sort", sort_); !known) { return known; }
        for (std::size_t i = 0; i < top::column_count; ++i) {
            if (sort_ == to_string(static_cast<top::column>(i))) { plain_.how = {static_cast<top::column>(i), false}; }
        }
        const result<std::uint64_t> interval = read_duration("--interval", interval_);
        if (!interval) { return tl::unexpected<error>(interval.error()); }
        if (*interval < shortest_interval_ns || *interval > longest_interval_ns) {
            return fail(error_code::invalid_argument, "is 500ms to 1h", "--interval " + interval_);
        }
        plain_.interval_ns = *interval;
        return {};
    }

    const choices dimensions_{dimension_words()}, columns_{column_words()};
    std::string service_, interval_{"2s"}, by_{"site"}, sort_{"growth"};
    std::uint64_t pid_{};
    top::dimension by_chosen_{};
    top::plain_options plain_;
    bool is_plain_{};
    source_flags source_;
    output_flags output_;
};

}  // namespace

std::unique_ptr<command> make_top(CLI::App& app) { return std::make_unique<top_command>(app); }

}  // namespace v1
}  // namespace memwatch
