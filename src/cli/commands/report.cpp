// SPDX-License-Identifier: Apache-2.0
// `memwatch report`: what leaks, where, since when, how fast, how sure, for whom, and what probably fixes it.

#include <CLI/CLI.hpp>
#include <filesystem>
#include <system_error>

#include <fmt/format.h>
#include <memwatch/snapshot/codec.hpp>
#include <memwatch/version.hpp>

#include "attribution/attribution.hpp"
#include "cli/choices.hpp"
#include "cli/commands/commands.hpp"
#include "cli/flags.hpp"
#include "report/attribution_html.hpp"
#include "report/attribution_json.hpp"
#include "report/attribution_markdown.hpp"
#include "report/attribution_words.hpp"
#include "report/regression_test.hpp"
#include "report/words.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

const choices report_formats{"md", "json", "html"};

enum class report_format { folder, markdown, json, html };

class report final : public command {
public:
    explicit report(CLI::App& app) {
        app.add_option("SNAPSHOT", inputs_, "FILE|URL: BEFORE [DURING...] AFTER, oldest first")->required();
        app.add_option("-o,--output", output_,
                       "the folder that gets report.md, .json, .html and regression/; with --format, a file")
            ->type_name("FILE");
        report_formats.offer(
            app.add_option("--format", format_word_, "one document instead of a folder, on stdout without -o"));
        app.add_option("--threshold", threshold_, "less growth is no finding")->default_str("128KiB")->type_name("SIZE");
        app.add_option("--limit", limit_, "what the process may take: the report says when that is reached")->type_name("SIZE");
        app.add_option("--top", how_.top, "findings; 0 for all")->check(&check_count)->capture_default_str();
        app.add_option("--focus", how_.focus, "only sites whose name, tag, type, route or frames match: a glob or re:REGEX")
            ->type_name("GLOB");
        ranking_.add_to(app);
        source_.add_to(app);
    }

    int run() override {
        if (const auto read = read_choices(); !read) { return refuse_usage(read.error()); }
        const result<attribution> a = load_and_attribute();
        if (!a) { return report_failure(a.error()); }
        if (format_ == report_format::folder) { return write_folder(*a); }
        const std::string text = render(*a, format_);
        if (output_.empty()) { return finish(text, exit_status::fine); }
        const result<void> written = write_file_atomically(output_, text);
        return written ? static_cast<int>(exit_status::fine) : report_failure(written.error());
    }

private:
    result<void> read_choices() {
        if (inputs_.size() < 2) {
            return fail(error_code::invalid_argument, "a report compares two snapshots or more: BEFORE [DURING...] AFTER");
        }
        if (format_word_ == "md" || format_word_ == "markdown") {
            format_ = report_format::markdown;
        } else if (format_word_ == "json") {
            format_ = report_format::json;
        } else if (format_word_ == "html") {
            format_ = report_format::html;
        } else if (!format_word_.empty()) {
            return report_formats.check("--format", format_word_);
        } else if (output_.empty()) {
            return fail(error_code::invalid_argument, "say where the report goes, or print one document with --format md",
                        "-o DIR");
        }
        return read_sizes();
    }

    result<void> read_sizes() {
        for (const auto& [option, text, value] : {std::tuple{"--threshold", &threshold_, &how_.threshold_bytes},
                                                  std::tuple{"--limit", &limit_, &how_.limit_bytes}}) {
            if (text->empty()) { continue; }
            const result<std::uint64_t> bytes = read_size(option, *text);
            if (!bytes) { return tl::unexpected<error>(bytes.error()); }
            *value = static_cast<double>(*bytes);
        }
        const result<ranking> order = ranking_.read();
        if (!order) { return tl::unexpected<error>(order.error()); }
        how_.order = *order;
        return {};
    }

    [[nodiscard]] result<attribution> load_and_attribute() const {
        std::vector<loaded_snapshot> loaded;
        for (const std::string& input : inputs_) {
            result<loaded_snapshot> s = load_snapshot(input, source_.read());
            if (!s) { return tl::unexpected<error>(s.error()); }
            loaded.push_back(std::move(*s));
        }
        std::vector<snapshot*> weighed;
        for (loaded_snapshot& s : loaded) { weighed.push_back(&s.value); }
        ranking_.weigh(weighed);
        const std::vector<const snapshot*> snapshots(weighed.begin(), weighed.end());
        result<attribution> a = attribute(snapshots, how_);
        for (const loaded_snapshot& s : loaded) {
            if (a) { a->warnings.insert(a->warnings.end(), s.damage.begin(), s.damage.end()); }
        }
        return a;
    }

    [[nodiscard]] std::string render(const attribution& a, report_format format) const {
        const attribution_text_options options{version, format_ == report_format::folder, 200};
        if (format == report_format::json) { return render_json(a, version); }
        return format == report_format::html ? render_html(a, options) : render_markdown(a, options);
    }

    // The page comes last: where it stands, the rest is complete.
    [[nodiscard]] int write_folder(const attribution& a) const {
        const std::filesystem::path folder(output_);
        std::vector<std::pair<std::filesystem::path, std::string>> files;
        for (const finding& f : a.findings) {
            if (has_regression_test(f)) {
                files.emplace_back(folder / "regression" / regression_test_name(f), render_regression_test(a, f));
            }
        }
        files.emplace_back(folder / "report.json", render(a, report_format::json));
        files.emplace_back(folder / "report.html", render(a, report_format::html));
        files.emplace_back(folder / "report.md", render(a, report_format::markdown));
        std::string said = printable(summary_words(a).plain()) + "\n";
        for (const auto& [path, text] : files) {
            if (const result<void> made = make_folder(path.parent_path()); !made) { return report_failure(made.error()); }
            if (const result<void> written = write_file_atomically(path.string(), text); !written) {
                return report_failure(written.error());
            }
            said += printable(path.string()) + "\n";
        }
        return finish(said, exit_status::fine);
    }

    static result<void> make_folder(const std::filesystem::path& folder) {
        std::error_code failed;
        std::filesystem::create_directories(folder, failed);
        if (failed) { return fail(error_code::io, "cannot make the folder: " + failed.message(), folder.string()); }
        return {};
    }

    std::vector<std::string> inputs_;
    std::string output_, format_word_, threshold_, limit_;
    report_format format_{report_format::folder};
    attribution_options how_;
    ranking_flags ranking_;
    source_flags source_;
};

}  // namespace

std::unique_ptr<command> make_report(CLI::App& app) { return std::make_unique<report>(app); }

}  // namespace v1
}  // namespace memwatch
