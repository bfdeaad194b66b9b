// SPDX-License-Identifier: Apache-2.0
// `memwatch run`: the options; what it does is cli/run.cpp.

#include <CLI/CLI.hpp>

#include "cli/run.hpp"

#include <memwatch/base/units.hpp>

#include "cli/commands/commands.hpp"
#include "cli/flags.hpp"
#include "cli/preset_word.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

class run_program final : public command {
public:
    explicit run_program(CLI::App& app) : app_(app) {
        app.prefix_command();  // from PROGRAM on nothing is ours
        preset_choices().offer(
            app.add_option("--preset", wanted_.preset, "nothing, sampled, finer for a while, each allocation (default: on)"));
        app.add_option("--interval", wanted_.interval, "mean bytes between samples (default: 1MiB)")->type_name("SIZE");
        app.add_option("--epoch", wanted_.epoch, "time between two looks at what lives (default: 10s)")->type_name("DURATION");
        app.add_option("--report", wanted_.report_file,
                       "JSON of what is live at the end, by process and site, and the verdicts")
            ->type_name("FILE");
        app.add_option("--metrics", wanted_.metrics_address,
                       "serve /metrics and /debug/memtrace of its processes, e.g. 127.0.0.1:9467")
            ->type_name("ADDRESS");
        app.add_flag("--control", wanted_.wants_control,
                     "a control socket from the start; without it, from the program's first thread of its own on");
        app.add_option("--dump-dir", wanted_.dump_dir, "keep the dump of each process here")->type_name("DIR");
        app.add_flag("--fail-on-leak", wanted_.fail_on_leak, "end with 1 if a verdict says leak, of what is held at the end");
        app.add_option("--threshold", threshold_,
                       "--fail-on-leak takes no notice of leaks that hold less, by two standard errors")
            ->type_name("SIZE");
        app.add_option("--baseline", wanted_.baseline, "a dump of a healthy run: what holds as much as there does not leak")
            ->type_name("FILE|URL");
        app.add_option("--top", wanted_.top, "sites a process; 0 for all")->check(&check_count)->capture_default_str();
        app.add_flag("-q,--quiet", wanted_.is_quiet, "no summary on stderr");
        source_.add_to(app);
        colour_.add_to(app);
    }

    void take_words(std::vector<std::string> words) override { wanted_.program = std::move(words); }

    int run() override {
        if (const auto read = read_choices(); !read) { return refuse_usage(read.error()); }
        return memwatch::run(wanted_);
    }

private:
    result<void> read_choices() {
        const result<colour_choice> colour = colour_.read();
        if (!colour) { return tl::unexpected<error>(colour.error()); }
        wanted_.colour = *colour;
        wanted_.source = source_.read();
        const std::vector<std::string> words = app_.remaining();
        wanted_.program.insert(wanted_.program.begin(), words.begin(), words.end());
        if (wanted_.program.empty()) { return fail(error_code::invalid_argument, "PROGRAM is required"); }
        if (wanted_.program.front().substr(0, 1) == "-") {
            return fail(error_code::invalid_argument, "is no option of run", wanted_.program.front());
        }
        if (auto preset = check_preset(wanted_.preset); !preset) { return preset; }
        if (!wanted_.interval.empty()) {
            const auto bytes = read_size("--interval", wanted_.interval);
            if (!bytes) { return tl::unexpected<error>(bytes.error()); }
        }
        if (!wanted_.epoch.empty()) {
            const auto length_ns = read_duration("--epoch", wanted_.epoch);
            if (!length_ns) { return tl::unexpected<error>(length_ns.error()); }
        }
        if (threshold_.empty()) { return {}; }
        const result<std::uint64_t> bytes = read_size("--threshold", threshold_);
        if (!bytes) { return tl::unexpected<error>(bytes.error()); }
        wanted_.leak_threshold_bytes = *bytes;
        return {};
    }

    CLI::App& app_;
    run_command wanted_;
    std::string threshold_;
    source_flags source_;
    colour_flag colour_;
};

}  // namespace

std::unique_ptr<command> make_run(CLI::App& app) { return std::make_unique<run_program>(app); }

}  // namespace v1
}  // namespace memwatch
