// SPDX-License-Identifier: Apache-2.0
// `memwatch show`: one snapshot as a summary or a table; several, process by process.

#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <memwatch/base/units.hpp>
#include <memwatch/diff/window.hpp>
#include <memwatch/snapshot/codec.hpp>

#include "cli/choices.hpp"
#include "cli/commands/commands.hpp"
#include "cli/flags.hpp"
#include "cli/processes.hpp"
#include "report/json.hpp"
#include "report/survivors.hpp"
#include "report/text.hpp"
#include "report/verdicts.hpp"
#include "report/view.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr const char* by_process = "process";
const choices views{"site", "type", "tag", "pool", "thread", "route", "trace", "survivor", "hand_off", by_process};

class show final : public command {
public:
    explicit show(CLI::App& app) {
        CLI::Option* const input = app.add_option("INPUT", inputs_, "FILE|URL to show");
        app.add_option("--pid", pid_, "the process, by its control socket")->check(&check_pid)->excludes(input);
        views.offer(
            app.add_option("--by", by_, "one table instead of the summary; process: what is live in each INPUT, site by site"));
        app.add_flag("--since-baseline", since_baseline_,
                     "only blocks born after the baseline (memwatch control baseline, session::mark_baseline)");
        app.add_option("--sort", sort_, "column to order that table by");
        app.add_option("--cursor", cursor_, "continue that table behind the page before");
        app.add_option("--survivors", only_.epochs, "only blocks alive for that many epochs");
        app.add_option("--min-depth", only_.min_depth, "only blocks from stacks of at least that many frames");
        app.add_flag("--records", reads_records_,
                     "read the records of single blocks of a large dump, too (from 64 MiB on the summary does without)");
        app.add_option("--top", top_, "rows a table; 0 for all")->check(&check_count)->capture_default_str();
        source_.add_to(app);
        output_.add_to(app, output_flags::markdown::no);
    }

    int run() override {
        const result<output_options> output = output_.read();
        if (!output) { return refuse_usage(output.error()); }
        if (pid_ != 0) { inputs_ = {fmt::format("pid:{}", pid_)}; }
        if (inputs_.empty()) { return refuse_usage("INPUT is required"); }
        if (by_ == by_process) { return show_processes(*output); }
        if (inputs_.size() > 1) { return refuse_usage("one INPUT, or --by process", inputs_[1]); }
        if (by_.empty() && !(sort_.empty() && cursor_.empty())) { return refuse_usage("--sort and --cursor need --by"); }
        if (const auto kind = parse_view_kind(by_); !by_.empty() && !kind) {
            return refuse_usage(views.check("--by", by_).error());
        }
        return show_one(*output);
    }

private:
    int show_processes(const output_options& output) const {
        const bool is_narrowed = since_baseline_ || !sort_.empty() || !cursor_.empty() || only_.epochs != 0;
        if (is_narrowed) { return refuse_usage("--by process takes no other choice of rows than --top"); }
        const result<process_report> report = read_processes(inputs_, top_, source_.read());
        if (!report) { return report_failure(report.error()); }
        const report_text_options text{report->processes.size(), 8, wants_colour(output.colour)};
        return finish(output.format == output_format::json ? render_json(*report) : render_text(*report, text),
                      exit_status::fine);
    }

    int show_one(const output_options& output) const {
        source_options how = source_.read();
        how.may_skip_records = can_do_without_records();
        result<loaded_snapshot> s = load_snapshot(inputs_.front(), how);
        if (!s) { return report_failure(s.error()); }
        if (since_baseline_) {
            result<snapshot> later = born_since(std::move(s->value), s->value.info.baseline_ns);
            if (!later) { return report_failure({later.error().code, later.error().what, "--since-baseline"}); }
            s->value = std::move(*later);
        }
        const auto unread = s->unread_bytes;
        return finish(by_.empty() ? summary(std::move(s->value), unread, output) : table(s->value, output), exit_status::fine);
    }

    [[nodiscard]] bool can_do_without_records() const {
        const bool is_narrowed = since_baseline_ || only_.is_set();
        return !reads_records_ && !is_narrowed && (by_.empty() || by_ == "tag" || by_ == "pool");
    }

    [[nodiscard]] text_options how_text(const output_options& output) const {
        return {top_, wants_colour(output.colour), only_};
    }

    [[nodiscard]] result<std::string> summary(snapshot s, std::uint64_t unread, const output_options& output) const {
        if (output.format == output_format::json) { return summary_json(s, unread); }
        keep_survivors(s, only_);
        std::string text = render_text(s, how_text(output));
        if (unread != 0) {
            text += fmt::format(
                "\n{} of this dump are records of single blocks, which were not read: no ages, routes, traces and threads.\n"
                "--records reads and checks them.\n",
                format_bytes(static_cast<double>(unread)));
        }
        return text;
    }

    // The views a summary is made of, as one JSON document.
    [[nodiscard]] result<std::string> summary_json(const snapshot& s, std::uint64_t unread) const {
        std::string json =
            "{\"kind\": \"memwatch.summary\", \"version\": 1, \"fingerprint\": \"" + fingerprint_of(s).hex() + "\"";
        if (unread != 0) { json += fmt::format(", \"unread_record_bytes\": {}", unread); }
        for (const view_kind kind : {view_kind::sites, view_kind::tags, view_kind::pools, view_kind::threads,
                                     view_kind::survivors, view_kind::hand_offs}) {
            const result<view> v = make_view(s, kind, {top_, {}, {}, only_});
            if (!v) { return tl::unexpected<error>(v.error()); }
            std::string document = render_json(*v);
            document.pop_back();  // its newline
            json += fmt::format(",\n\"{}\": {}", to_string(kind), document);
        }
        std::string verdicts = render_json(list_verdicts(s, {verdict_level::suspect, {}, top_}));
        verdicts.pop_back();
        return json + ",\n\"verdicts\": " + verdicts + "}\n";
    }

    [[nodiscard]] result<std::string> table(const snapshot& s, const output_options& output) const {
        const result<view> v = parse_view_kind(by_).and_then([&](view_kind kind) {
            return make_view(s, kind, {top_, cursor_, sort_, only_});
        });
        if (!v) { return tl::unexpected<error>(v.error()); }
        return output.format == output_format::json ? render_json(*v) : render_text(*v, how_text(output));
    }

    std::vector<std::string> inputs_;
    std::uint64_t pid_{};
    std::string by_, sort_, cursor_;
    std::size_t top_{20};
    survivor_filter only_;
    bool since_baseline_{};
    bool reads_records_{};
    source_flags source_;
    output_flags output_;
};

}  // namespace

std::unique_ptr<command> make_show(CLI::App& app) { return std::make_unique<show>(app); }

}  // namespace v1
}  // namespace memwatch
