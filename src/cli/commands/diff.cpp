// SPDX-License-Identifier: Apache-2.0
// `memwatch diff`: two snapshots compared.

#include <CLI/CLI.hpp>
#include <algorithm>

#include <memwatch/diff/diff.hpp>
#include <memwatch/diff/window.hpp>

#include "cli/choices.hpp"
#include "cli/commands/commands.hpp"
#include "cli/flags.hpp"
#include "report/json.hpp"
#include "report/markdown.hpp"
#include "report/text.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

const choices dimensions{"site", "type", "tag", "trace", "route", "thread", "pool"};

// Leaves what was born after the mark.
result<void> cut(snapshot& s, std::uint64_t mark_ns) {
    result<snapshot> later = born_since(std::move(s), mark_ns);
    if (!later) { return fail(later.error().code, later.error().what, "--since-baseline"); }
    s = std::move(*later);
    return {};
}

// A BEFORE from before the mark has nothing to say.
result<void> cut(snapshot& before, snapshot& after) {
    const std::uint64_t mark_ns = after.info.baseline_ns;
    if (mark_ns != 0 && before.info.session != after.info.session) {
        return fail(error_code::invalid_argument, "the snapshots are of different sessions: one mark is not in both",
                    "--since-baseline");
    }
    return cut(before, std::min(mark_ns, before.info.taken_ns)).and_then([&] { return cut(after, mark_ns); });
}

// Rows are ordered by growth, so that what `top` cut off is smaller; doubtful rows may stand before certain ones.
bool has_significant_growth(const delta& d) {
    return std::any_of(d.rows.begin(), d.rows.end(), [](const delta_row& r) { return r.bytes > 0 && r.is_significant(); });
}

class diff_command final : public command {
public:
    explicit diff_command(CLI::App& app) {
        app.add_option("BEFORE", before_, "FILE|URL of the earlier snapshot")->required();
        app.add_option("AFTER", after_, "FILE|URL of the later snapshot")->required();
        app.add_option("--threshold", threshold_, "hide rows that changed less (10MB = 10^7, 10MiB = 10*2^20 bytes)")
            ->type_name("SIZE");
        app.add_option("--focus", how_.focus,
                       "only rows whose name, tag, type, route or frames match: a glob ('*api/v2/*') or re:REGEX")
            ->type_name("GLOB");
        dimensions.offer(app.add_option("--by", by_, "what a row is"))->default_str("site");
        how_.top = 20;
        app.add_option("--top", how_.top, "rows; 0 for all")->check(CLI::NonNegativeNumber)->capture_default_str();
        app.add_flag("--since-baseline", since_baseline_, "only blocks born after the baseline that AFTER knows");
        app.add_flag("--all", how_.include_unchanged, "also rows without any change");
        app.add_flag("--exit-code", exit_code_,
                     "exit with 1 when a row that is left grew by more than two standard errors (or exactly)");
        source_.add_to(app);
        output_.add_to(app, output_flags::markdown::yes);
    }

    int run() override {
        const result<output_options> output = output_.read();
        if (!output) { return refuse_usage(output.error()); }
        if (const auto read = read_choices(); !read) { return refuse_usage(read.error()); }
        const result<delta> d = compare();
        if (!d) { return report_failure(d.error()); }
        return finish(render(*d, *output), exit_code_ && has_significant_growth(*d) ? exit_status::found : exit_status::fine);
    }

private:
    result<void> read_choices() {
        if (!by_.empty()) {
            const result<dimension> by = parse_dimension(by_);
            if (!by) { return dimensions.check("--by", by_); }
            how_.by = *by;
        }
        if (!threshold_.empty()) {
            const result<std::uint64_t> bytes = read_size("--threshold", threshold_);
            if (!bytes) { return tl::unexpected<error>(bytes.error()); }
            how_.threshold_bytes = static_cast<double>(*bytes);
        }
        return {};
    }

    [[nodiscard]] result<delta> compare() const {
        result<loaded_snapshot> before = load_snapshot(before_, source_.read());
        if (!before) { return tl::unexpected<error>(before.error()); }
        result<loaded_snapshot> after = load_snapshot(after_, source_.read());
        if (!after) { return tl::unexpected<error>(after.error()); }
        if (since_baseline_) {
            if (const auto done = cut(before->value, after->value); !done) { return tl::unexpected<error>(done.error()); }
        }
        result<delta> d = diff(before->value, after->value, how_);
        for (const loaded_snapshot* side : {&*before, &*after}) {
            if (d) { d->warnings.insert(d->warnings.end(), side->damage.begin(), side->damage.end()); }
        }
        return d;
    }

    [[nodiscard]] std::string render(const delta& d, const output_options& output) const {
        switch (output.format) {
            case output_format::json:
                return render_json(d);
            case output_format::markdown:
                return render_markdown(d);
            case output_format::text:
                break;
        }
        return render_text(d, {how_.top, wants_colour(output.colour), {}});
    }

    std::string before_, after_, threshold_, by_;
    diff_options how_;
    bool since_baseline_{};
    bool exit_code_{};
    source_flags source_;
    output_flags output_;
};

}  // namespace

std::unique_ptr<command> make_diff(CLI::App& app) { return std::make_unique<diff_command>(app); }

}  // namespace v1
}  // namespace memwatch
