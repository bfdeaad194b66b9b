// SPDX-License-Identifier: Apache-2.0
// `memwatch footprint`: where the memory of a process is, as rows that add up to what the kernel says.

#include <CLI/CLI.hpp>

#include <fmt/format.h>

#include "cli/commands/commands.hpp"
#include "cli/flags.hpp"
#include "cli/text_file.hpp"
#include "cli/url.hpp"
#include "control/client.hpp"
#include "http/client.hpp"
#include "report/footprint.hpp"
#include "snapshot/footprint_json.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::uint64_t largest_footprint = 16ULL << 20;

class footprint_command final : public command {
public:
    explicit footprint_command(CLI::App& app) {
        CLI::Option* const input =
            app.add_option("SOURCE", input_, "URL of a service, or FILE with the JSON of a footprint")->type_name("FILE|URL");
        app.add_option("--pid", pid_, "the process, by its control socket")
            ->check(&check_pid)
            ->excludes(input)
            ->type_name("PID");
        CLI::Option* const full =
            app.add_flag("--full", is_full_, "look through mappings and heap also where that takes long (from 8 GiB on)");
        app.add_flag("--cheap", is_cheap_, "do not look through them at all: fewer rows, nothing is held up")->excludes(full);
        app.add_option("--modules", how_.modules, "rows of loaded objects; 0 for all")
            ->check(&check_count)
            ->capture_default_str();
        output_.add_to(app, output_flags::markdown::yes);
    }

    int run() override {
        const result<output_options> output = output_.read();
        if (!output) { return refuse_usage(output.error()); }
        if (pid_ != 0) { input_ = fmt::format("pid:{}", pid_); }
        if (input_.empty()) { return refuse_usage("a URL, a file or --pid is required"); }
        const bool is_file = !is_running_source(input_);
        if (is_file && (is_full_ || is_cheap_)) {
            return refuse_usage("--full and --cheap are for a process that runs", input_);
        }
        const result<footprint> where = load();
        if (!where) { return report_failure(where.error()); }
        return finish(render(*where, *output), exit_status::fine);
    }

private:
    [[nodiscard]] std::string detail() const { return is_full_ ? "1" : is_cheap_ ? "0" : ""; }

    [[nodiscard]] result<std::string> obtain() const {
        if (const std::uint64_t pid = process_of(input_); pid != 0) {
            control::request asked{"footprint", {}};
            if (!detail().empty()) { asked.parameters.emplace_back("detail", detail()); }
            return control::ask(pid, asked);
        }
        if (!is_url(input_)) { return read_text_file(input_, largest_footprint); }
        const std::string query = detail().empty() ? std::string() : "detail=" + detail();
        return parse_url(input_).and_then([&](const http_url& base) { return http_get(debug_url(base, "footprint", query)); });
    }

    [[nodiscard]] result<footprint> load() const {
        return obtain().and_then([&](const std::string& bytes) {
            result<footprint> where = decode_footprint(bytes);
            if (!where) { where.error().where = input_ + ": " + where.error().where; }
            return where;
        });
    }

    [[nodiscard]] std::string render(const footprint& where, const output_options& output) const {
        if (output.format == output_format::json) { return encode_footprint(where); }
        if (output.format == output_format::markdown) { return render_markdown(where, how_); }
        footprint_words how = how_;
        how.colour = wants_colour(output.colour);
        how.width = terminal_width();
        return render_text(where, how);
    }

    std::string input_;
    std::uint64_t pid_{};
    bool is_full_{};
    bool is_cheap_{};
    footprint_words how_;
    output_flags output_;
};

}  // namespace

std::unique_ptr<command> make_footprint(CLI::App& app) { return std::make_unique<footprint_command>(app); }

}  // namespace v1
}  // namespace memwatch
