// SPDX-License-Identifier: Apache-2.0
// `memwatch diff`: two snapshots compared, with any number between them.

#include <CLI/CLI.hpp>
#include <algorithm>

#include <memwatch/diff/diff.hpp>
#include <memwatch/diff/window.hpp>

#include "cli/choices.hpp"
#include "cli/commands/commands.hpp"
#include "cli/flags.hpp"
#include "diff/clusters.hpp"
#include "report/json.hpp"
#include "report/markdown.hpp"
#include "report/metrics.hpp"
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

// One from before the mark of AFTER, the last one, has nothing to say.
result<void> cut(std::vector<loaded_snapshot>& all) {
    const snapshot_info after = all.back().value.info;
    for (loaded_snapshot& each : all) {
        if (after.baseline_ns != 0 && each.value.info.session != after.session) {
            return fail(error_code::invalid_argument, "the snapshots are of different sessions: one mark is not in all",
                        "--since-baseline");
        }
        const bool is_last = &each == &all.back();
        const std::uint64_t mark_ns = is_last ? after.baseline_ns : std::min(after.baseline_ns, each.value.info.taken_ns);
        if (const auto done = cut(each.value, mark_ns); !done) { return done; }
    }
    return {};
}

// Doubtful rows may stand before certain ones.
bool has_significant_growth(const delta& d) {
    return std::any_of(d.rows.begin(), d.rows.end(), [](const delta_row& r) { return r.bytes > 0 && r.is_significant(); });
}

class diff_command final : public command {
public:
    explicit diff_command(CLI::App& app) {
        app.add_option("BEFORE", before_, "FILE|URL of the earlier snapshot; with --since the URL of the service, and no AFTER")
            ->required();
        app.add_option("AFTER", later_,
                       "FILE|URL of the later snapshots: [DURING...] AFTER; the first and the last are compared");
        app.add_option("--since", since_,
                       "compare a service with itself so long ago (2h): it keeps a history, over its restarts if it has a "
                       "state folder")
            ->type_name("TIME");
        app.add_option("--threshold", threshold_, "hide rows that changed less (10MB = 10^7, 10MiB = 10*2^20 bytes)")
            ->type_name("SIZE");
        app.add_option("--focus", how_.focus,
                       "only rows whose name, tag, type, route or frames match: a glob ('*api/v2/*') or re:REGEX")
            ->type_name("GLOB");
        dimensions.offer(app.add_option("--by", by_, "what a row is"))->default_str("site");
        app.add_option("--top", top_, "rows; 0 for all")->check(&check_count)->capture_default_str();
        app.add_flag("--since-baseline", since_baseline_, "only blocks born after the baseline that AFTER knows");
        app.add_flag("--each-stack", each_stack_,
                     "a row for each stack; without it, stacks that end in the same place are one row");
        app.add_flag("--all", how_.include_unchanged, "also rows without any change");
        app.add_flag("--exit-code", exit_code_,
                     "exit with 1 when a row that is left grew by more than two standard errors (or exactly)");
        ranking_.add_to(app);
        source_.add_to(app);
        output_.add_to(app, output_flags::markdown::yes);
    }

    int run() override {
        const result<output_options> output = output_.read();
        if (!output) { return refuse_usage(output.error()); }
        if (const auto read = read_choices(); !read) { return refuse_usage(read.error()); }
        std::vector<loaded_snapshot> all;
        if (const auto loaded = load(all); !loaded) { return report_failure(loaded.error()); }
        std::vector<const snapshot*> of;
        for (const loaded_snapshot& each : all) { of.push_back(&each.value); }
        result<delta> d = compare(of);
        if (!d) { return report_failure(d.error()); }
        for (const loaded_snapshot& each : all) {
            d->warnings.insert(d->warnings.end(), each.damage.begin(), each.damage.end());
        }
        return show(*d, make_metric_table(of), *output);
    }

private:
    result<void> read_choices() {
        if (since_.empty() && later_.empty()) {
            return fail(error_code::invalid_argument, "AFTER is required, or --since TIME");
        }
        if (!since_.empty() && !later_.empty()) {
            return fail(error_code::invalid_argument, "--since compares a service with itself: one URL or pid:N",
                        later_.front());
        }
        if (!since_.empty()) {
            const result<std::uint64_t> age = read_duration("--since", since_);
            if (!age) { return tl::unexpected<error>(age.error()); }
        }
        if (!by_.empty()) {
            const result<dimension> by = parse_dimension(by_);
            if (!by) { return dimensions.check("--by", by_); }
            how_.by = *by;
        }
        if (!threshold_.empty()) {
            const result<std::uint64_t> bytes = read_size("--threshold", threshold_);
            if (!bytes) { return tl::unexpected<error>(bytes.error()); }
            threshold_bytes_ = static_cast<double>(*bytes);
        }
        const result<ranking> order = ranking_.read();
        if (!order) { return tl::unexpected<error>(order.error()); }
        how_.order = *order;
        return {};
    }

    result<void> load(std::vector<loaded_snapshot>& all) const {
        std::vector<std::string> names{before_};
        names.insert(names.end(), later_.begin(), later_.end());
        if (!since_.empty()) {
            result<loaded_snapshot> past = load_past_snapshot(before_, since_, source_.read());
            if (!past) { return tl::unexpected<error>(past.error()); }
            all.push_back(std::move(*past));
        }
        for (const std::string& name : names) {
            result<loaded_snapshot> each = load_snapshot(name, source_.read());
            if (!each) { return tl::unexpected<error>(each.error()); }
            all.push_back(std::move(*each));
        }
        if (since_baseline_) {
            if (const auto done = cut(all); !done) { return done; }
        }
        std::vector<snapshot*> weighed;
        for (loaded_snapshot& each : all) { weighed.push_back(&each.value); }
        ranking_.weigh(weighed);
        return {};
    }

    // Stacks of one place may pass the threshold together: where they are one row, rows are left out after that.
    [[nodiscard]] result<delta> compare(const std::vector<const snapshot*>& of) const {
        diff_options how = how_;
        how.top = is_clustered() ? 0 : top_;
        how.threshold_bytes = is_clustered() ? 0 : threshold_bytes_;
        return diff(of, how);
    }

    [[nodiscard]] bool is_clustered() const { return how_.by == dimension::site && !each_stack_; }

    int show(delta& d, const metric_table& metrics, const output_options& output) const {
        const std::vector<cluster> clusters = is_clustered() ? keep_top_clusters(d, top_, threshold_bytes_) : cluster_rows(d);
        const delta findings = as_findings(d, clusters);
        const bool is_found = exit_code_ && (has_significant_growth(d) || (is_clustered() && has_significant_growth(findings)));
        const std::string text = output.format == output_format::json ? render_json(d, &clusters, &metrics)
                                                                      : render(is_clustered() ? findings : d, metrics, output);
        return finish(text, is_found ? exit_status::found : exit_status::fine);
    }

    [[nodiscard]] std::string render(const delta& d, const metric_table& metrics, const output_options& output) const {
        if (output.format == output_format::markdown) { return render_markdown(d, &metrics); }
        return render_text(d, {top_, wants_colour(output.colour), {}, &metrics});
    }

    std::string before_, threshold_, by_, since_;
    std::vector<std::string> later_;
    diff_options how_;
    std::size_t top_{20};
    double threshold_bytes_{};
    bool each_stack_{};
    ranking_flags ranking_;
    bool since_baseline_{};
    bool exit_code_{};
    source_flags source_;
    output_flags output_;
};

}  // namespace

std::unique_ptr<command> make_diff(CLI::App& app) { return std::make_unique<diff_command>(app); }

}  // namespace v1
}  // namespace memwatch
