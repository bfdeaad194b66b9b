// SPDX-License-Identifier: Apache-2.0
// `memwatch gate`: growth judged by a policy, for builds that shall fail.

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <memwatch/base/units.hpp>
#include <memwatch/diff/diff.hpp>
#include <memwatch/snapshot/codec.hpp>

#include "base/json_writer.hpp"
#include "cli/alerting.hpp"
#include "cli/commands/commands.hpp"
#include "cli/flags.hpp"
#include "cli/text_file.hpp"
#include "gate/baseline.hpp"
#include "gate/gate_words.hpp"
#include "gate/judgement.hpp"
#include "gate/place.hpp"
#include "gate/policy.hpp"
#include "gate/render.hpp"
#include "notify/alertmanager_url.hpp"
#include "report/words.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr const char* policy_file_name = "memwatch-gate.yml";
constexpr std::uint64_t largest_policy = 1U << 20U;
constexpr std::uint64_t largest_baseline = 1U << 30U;
constexpr std::size_t told_findings = 5;
constexpr std::size_t shown_update_rows = 20;

error named(const char* option, error e) {
    e.where = std::string(option) + (e.where.empty() ? "" : " " + e.where);
    return e;
}

// "tag=10MiB" or "re:a=b=1MiB": the size is behind the last "=".
template <class Make>
result<gate::budget> typed_budget(const char* option, const std::string& text, Make make) {
    const std::size_t equals = text.rfind('=');
    if (equals == std::string::npos) { return fail(error_code::invalid_argument, "use PATTERN=SIZE", option + (" " + text)); }
    auto made = make(text.substr(0, equals), text.substr(equals + 1), std::string());
    if (!made) { return tl::unexpected<error>(named(option, made.error())); }
    return made;
}

// What the files and options of one run add up to.
class policy_flags {
public:
    void add_to(CLI::App& app) {
        app.add_option("--max-growth", site_limit_, "what a site may grow by (default: 128KiB)")->type_name("SIZE");
        app.add_option("--max-total", total_limit_, "what all sites without a budget may grow by together (default: 128KiB)")
            ->type_name("SIZE");
        app.add_option("--tag-budget", tags_, "TAG=SIZE: what a tag may grow by instead; repeatable")
            ->allow_extra_args(false)
            ->type_name("TAG=SIZE");
        app.add_option("--site-budget", sites_,
                       "PATTERN=SIZE: what each site may grow by that matches (as --focus of diff); repeatable")
            ->allow_extra_args(false)
            ->type_name("PATTERN=SIZE");
        app.add_option("--suppressions", suppression_files_, "leak:PATTERN lines, as LeakSanitizer reads them; repeatable")
            ->allow_extra_args(false)
            ->type_name("FILE");
        CLI::Option* const config =
            app.add_option("--config", config_, "policy file (default: memwatch-gate.yml, if it is in this folder)");
        config->type_name("FILE");
        app.add_flag("--no-config", has_no_config_, "read no policy file")->excludes(config);
        app.add_flag("--accept-moves", accepts_moves_, "judge a site and what it seems to have moved to as one");
    }

    // Errors: invalid_argument for what was typed; those of the files.
    result<gate::policy> read() {
        find_config();
        result<gate::policy> made = config_.empty() ? gate::policy{} : read_config();
        if (!made) { return made; }
        for (auto step : {&policy_flags::take_limits, &policy_flags::take_budgets, &policy_flags::take_suppressions}) {
            if (const auto done = (this->*step)(*made); !done) { return tl::unexpected<error>(done.error()); }
        }
        if (accepts_moves_) { made->accepts_moves = true; }
        return made;
    }

    [[nodiscard]] const std::string& file() const { return config_; }

private:
    void find_config() {
        std::error_code ignored;
        const bool is_here = std::filesystem::is_regular_file(policy_file_name, ignored);
        if (config_.empty() && !has_no_config_ && is_here) { config_ = policy_file_name; }
    }

    result<gate::policy> read_config() const {
        const result<std::string> text = read_text_file(config_, largest_policy);
        if (!text) { return tl::unexpected<error>(text.error()); }
        return gate::read_policy(*text, config_);
    }

    result<void> take_limits(gate::policy& to) {
        const std::pair<const std::string*, double*> limits[] = {{&site_limit_, &to.site_limit_bytes},
                                                                 {&total_limit_, &to.total_limit_bytes}};
        for (const auto& [text, limit] : limits) {
            if (text->empty()) { continue; }
            const result<std::uint64_t> bytes = read_size(text == &site_limit_ ? "--max-growth" : "--max-total", *text);
            if (!bytes) { return tl::unexpected<error>(bytes.error()); }
            *limit = static_cast<double>(*bytes);
        }
        return {};
    }

    // What is typed is looked at before what the file says.
    result<void> take_budgets(gate::policy& to) {
        std::vector<gate::budget> sites;
        std::vector<gate::budget> tags;
        for (const std::string& text : sites_) {
            auto made = typed_budget("--site-budget", text, gate::make_budget);
            if (!made) { return tl::unexpected<error>(made.error()); }
            sites.push_back(std::move(*made));
        }
        for (const std::string& text : tags_) {
            auto made = typed_budget("--tag-budget", text, gate::make_tag_budget);
            if (!made) { return tl::unexpected<error>(made.error()); }
            tags.push_back(std::move(*made));
        }
        to.sites.insert(to.sites.begin(), sites.begin(), sites.end());
        to.tags.insert(to.tags.begin(), tags.begin(), tags.end());
        return {};
    }

    result<void> take_suppressions(gate::policy& to) {
        std::vector<std::string> files = suppression_files_;
        const std::filesystem::path folder = std::filesystem::path(config_).parent_path();
        for (const std::string& file : to.suppression_files) { files.push_back((folder / file).string()); }
        for (const std::string& file : files) {
            const result<std::string> text = read_text_file(file, largest_policy);
            if (!text) { return tl::unexpected<error>(text.error()); }
            auto some = gate::parse_suppressions(*text, file);
            if (!some) { return tl::unexpected<error>(some.error()); }
            to.suppressions.insert(to.suppressions.end(), some->begin(), some->end());
        }
        return {};
    }

    std::string site_limit_, total_limit_, config_;
    std::vector<std::string> tags_, sites_, suppression_files_;
    bool has_no_config_{};
    bool accepts_moves_{};
};

// Whom to tell, and under which labels.
class alert_flags {
public:
    void add_to(CLI::App& app) {
        app.add_option("--alertmanager", urls_,
                       "post the alert MemoryRegressionBlock there when the gate fails, and end it when it "
                       "passes; repeatable")
            ->allow_extra_args(false)
            ->type_name("URL");
        app.add_option("--slo-id", slo_id_, "label slo_id of the alert")->type_name("ID");
        app.add_option("--severity", severity_, "label severity of the alert")->capture_default_str()->type_name("WORD");
        app.add_option("--alert-label", labels_, "another label of the alert; repeatable")
            ->allow_extra_args(false)
            ->type_name("NAME=VALUE");
        app.add_option("--alert-for", lasts_, "how long the alert fires unless a later run ends it (default: 24h)")
            ->type_name("TIME");
        app.add_option("--alert-source", source_url_,
                       "URL that the alert leads to (default: this build, where the build server says)")
            ->type_name("URL");
    }

    // Errors: invalid_argument.
    [[nodiscard]] result<alert_choice> read() const {
        alert_choice choice;
        for (const std::string& text : urls_) {
            auto url = notify::alertmanager_url(text);
            if (!url) { return tl::unexpected<error>(named("--alertmanager", url.error())); }
            choice.targets.push_back(std::move(*url));
        }
        for (const std::string& text : labels_) {
            const std::size_t equals = text.find('=');
            const std::string name = text.substr(0, equals);
            if (equals == std::string::npos || !notify::is_label_name(name)) {
                return fail(error_code::invalid_argument, "use NAME=VALUE with a name of letters, digits and _",
                            "--alert-label " + text);
            }
            if (notify::is_reserved_label(name) || name == "slo_id") {
                return fail(error_code::invalid_argument, "this label is memwatch's own", "--alert-label " + text);
            }
            choice.identity[name] = text.substr(equals + 1);
        }
        if (!slo_id_.empty()) { choice.identity["slo_id"] = slo_id_; }
        choice.lasts_ms = 24ULL * 3600 * 1000;
        if (lasts_.empty()) { return choice; }
        const result<std::uint64_t> lasts = read_duration("--alert-for", lasts_);
        if (!lasts) { return tl::unexpected<error>(lasts.error()); }
        choice.lasts_ms = *lasts / 1'000'000;
        if (choice.lasts_ms == 0) {
            return fail(error_code::invalid_argument, "an alert lasts for more than nothing", "--alert-for");
        }
        return choice;
    }

    [[nodiscard]] std::string source_url() const { return source_url_.empty() ? build_url() : source_url_; }
    [[nodiscard]] const std::string& severity() const { return severity_; }

private:
    std::vector<std::string> urls_, labels_;
    std::string slo_id_, lasts_, source_url_;
    std::string severity_{"warning"};
};

class gate_command final : public command {
public:
    explicit gate_command(CLI::App& app) {
        app.add_option("BASE", base_, "FILE|URL|pid:N|baseline to compare with")->required();
        app.add_option("HEAD", head_, "FILE|URL|pid:N that is judged");
        policy_.add_to(app);
        app.add_option("--update-baseline", baseline_,
                       "write what BASE (then the only input) holds to FILE, and say what changes")
            ->type_name("FILE");
        app.add_option("--junit", junit_, "JUnit XML, one test case a rule")->type_name("FILE");
        app.add_option("--sarif", sarif_, "SARIF 2.1.0 for code scanning")->type_name("FILE");
        app.add_option("--markdown", markdown_, "Markdown summary, at most 60 kB")->type_name("FILE");
        app.add_flag("--github", is_github_, "annotations, and the summary added to $GITHUB_STEP_SUMMARY");
        app.add_option("--source-root", source_root_, "folder that files are named relative to (default: this one)")
            ->type_name("DIR");
        app.add_flag("--exit-zero", exit_zero_, "exit with 0 also when a limit is breached");
        app.add_option("--top", top_, "findings shown; 0 for all")->check(&check_count)->capture_default_str();
        alerts_.add_to(app);
        source_.add_to(app);
        output_.add_to(app, output_flags::markdown::yes);
    }

    int run() override {
        const result<output_options> output = output_.read();
        if (!output) { return refuse_usage(output.error()); }
        if (baseline_.empty() == head_.empty()) {
            return refuse_usage(baseline_.empty() ? "HEAD is required" : "--update-baseline takes one input");
        }
        result<alert_choice> alerts = alerts_.read();
        if (!alerts) { return refuse_usage(alerts.error()); }
        if (!baseline_.empty()) { return update_baseline(*output); }
        const result<gate::policy> rules = policy_.read();
        if (!rules) {
            return rules.error().code == error_code::invalid_argument ? refuse_usage(rules.error())
                                                                      : report_failure(rules.error());
        }
        return judge(*rules, *output, std::move(*alerts));
    }

private:
    // --- judging

    int judge(const gate::policy& rules, const output_options& output, alert_choice alerts) {
        result<loaded_snapshot> base = load_snapshot(base_, source_.read());
        if (!base) { return report_failure(base.error()); }
        const result<loaded_snapshot> head = load_snapshot(head_, source_.read());
        if (!head) { return report_failure(head.error()); }
        if (!base->damage.empty()) { return refuse_damaged(base_, "what is missing in it would count as growth"); }
        if (base->value.info.host.empty()) { base->value.info.host = head->value.info.host; }  // a baseline is of no host
        result<delta> sites = compare(*base, *head, dimension::site);
        const result<delta> tags = compare(*base, *head, dimension::tag);
        if (!sites) { return report_failure(sites.error()); }
        if (!tags) { return report_failure(tags.error()); }
        sites->warnings.insert(sites->warnings.end(), head->damage.begin(), head->damage.end());
        const gate::judgement judged = gate::judge(rules, *sites, *tags);
        if (!head->damage.empty() && !judged.is_breached()) {
            return refuse_damaged(head_, "nothing grew too much in what could be read, but what is missing may have");
        }
        const gate::gate_report report{rules, judged, *sites, *tags, base_, head_, policy_.file(), source_root()};
        return tell_everybody(report, output, std::move(alerts));
    }

    // Nothing is judged, written or resolved then: half a dump must not let a build pass.
    static int refuse_damaged(const std::string& input, const char* why) {
        return report_failure({error_code::unreadable, std::string("a damaged dump: ") + why, input});
    }

    static result<delta> compare(const loaded_snapshot& base, const loaded_snapshot& head, dimension by) {
        diff_options how;
        how.by = by;
        how.include_unchanged = true;  // so that a budget or suppression nobody needs any more is seen
        return diff(base.value, head.value, how);
    }

    [[nodiscard]] std::string source_root() const {
        std::error_code ignored;
        return std::filesystem::absolute(source_root_.empty() ? "." : source_root_, ignored).lexically_normal().string();
    }

    // The gate's own result comes first: an output that cannot be written makes 3 of a 0, an alert that nobody takes 4, and
    // neither hides a 1.
    int tell_everybody(const gate::gate_report& report, const output_options& output, alert_choice alerts) {
        const bool failed = report.judged.is_breached();
        int status = static_cast<int>(failed && !exit_zero_ ? exit_status::found : exit_status::fine);
        const auto note = [&](exit_status trouble) {
            if (status == static_cast<int>(exit_status::fine)) { status = static_cast<int>(trouble); }
        };
        if (const auto printed = print(render(report, output)); !printed) {
            print_error(printed.error());
            note(exit_status::unreadable);
        }
        if (!write_files(report)) { note(exit_status::unreadable); }
        if (is_github_ && !tell_github(report, output.format)) { note(exit_status::unreadable); }
        if (!alert(report, std::move(alerts))) { note(exit_status::unreachable); }
        return status;
    }

    [[nodiscard]] std::string render(const gate::gate_report& report, const output_options& output) const {
        switch (output.format) {
            case output_format::json:
                return gate::render_json(report);
            case output_format::markdown:
                return gate::render_markdown(report);
            case output_format::text:
                break;
        }
        return gate::render_text(report, top_, wants_colour(output.colour));
    }

    [[nodiscard]] bool write_files(const gate::gate_report& report) const {
        bool all = true;
        const std::pair<const std::string*, std::string (*)(const gate::gate_report&)> files[] = {
            {&junit_, gate::render_junit}, {&sarif_, gate::render_sarif}, {&markdown_, gate::render_markdown}};
        for (const auto& [file, make] : files) {
            if (file->empty()) { continue; }
            if (const auto written = write_file_atomically(*file, make(report)); !written) {
                print_error(written.error());
                all = false;
            }
        }
        return all;
    }

    // Annotations are lines of the log; beside JSON on stdout they go to stderr, which the runner reads as well.
    [[nodiscard]] static bool tell_github(const gate::gate_report& report, output_format format) {
        const std::string annotations = gate::render_annotations(report);
        if (format == output_format::text) {
            if (const auto printed = print(annotations); !printed) { return false; }
        } else {
            fmt::print(stderr, "{}", annotations);
        }
        const char* const summary = std::getenv("GITHUB_STEP_SUMMARY");
        if (summary == nullptr || *summary == '\0') { return true; }
        std::ofstream file(summary, std::ios::app | std::ios::binary);
        file << gate::render_markdown(report) << "\n" << std::flush;
        if (file.good()) { return true; }
        print_error({error_code::io, "cannot add the summary", summary});
        return false;
    }

    [[nodiscard]] bool alert(const gate::gate_report& report, alert_choice to) const {
        if (to.targets.empty()) { return true; }
        const snapshot_info& head = report.sites.after;
        const std::string service{head.service.empty() ? base_name(head.executable) : head.service};
        to.identity.try_emplace("service", service);
        for (auto& [name, value] : to.identity) { value = notify::label_value(value); }
        const auto now =
            std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch());
        const progress shown("telling Alertmanager");
        return tell_alertmanagers(to, regression_of(report), static_cast<std::uint64_t>(now.count()));
    }

    [[nodiscard]] std::optional<notify::regression> regression_of(const gate::gate_report& report) const {
        const auto found = gate::findings_of(report.judged, gate::outcome::breached);
        if (found.empty()) { return std::nullopt; }
        notify::regression r;
        r.found["severity"] = alerts_.severity();
        if (const delta_row* row = gate::row_of(report, found.front())) {
            const bool is_tag = found.front().rule->kind == gate::rule_kind::tag_budget;
            r.found["tag"] = is_tag ? row->name : row->tag;
            if (!is_tag) {
                r.found["site"] = gate::site_fingerprint(*row, report.sites.modules);
                r.found["function"] = printable(row->name);
            }
        }
        r.annotations["summary"] = "Memory of " + printable(report.sites.after.service) + " grew beyond its budget";
        std::string& text = r.annotations["description"];
        for (std::size_t i = 0; i < found.size() && i < told_findings; ++i) {
            text += printable(gate::finding_words(report, found[i])) + "\n";
        }
        if (found.size() > told_findings) { text += fmt::format("and {} more\n", found.size() - told_findings); }
        text += "base " + printable(report.base) + ", head " + printable(report.head);
        r.generator_url = alerts_.source_url();
        return r;
    }

    // --- the baseline

    int update_baseline(const output_options& output) const {
        const result<loaded_snapshot> head = load_snapshot(base_, source_.read());
        if (!head) { return report_failure(head.error()); }
        if (!head->damage.empty()) { return report_failure({error_code::unreadable, "a damaged dump is no baseline", base_}); }
        const result<snapshot> before = known_baseline();
        if (!before) { return report_failure(before.error()); }
        const std::string text = gate::write_baseline(head->value);
        const result<snapshot> after = gate::read_baseline(text);
        if (!after) { return report_failure(after.error()); }
        if (const auto written = write_file_atomically(baseline_, text); !written) { return report_failure(written.error()); }
        if (const std::size_t nameless = gate::nameless_sites(*after); nameless != 0) {
            print_warning(fmt::format("{} of {} sites have no names of their own: they are found again in the same build only",
                                      nameless, after->sites.size()));
        }
        return finish(output.format == output_format::json ? update_json(*before, *after)
                                                           : baseline_ + " " + gate::render_update(*before, *after, top_),
                      exit_status::fine);
    }

    // What the file holds now, nothing when there is none. A file that is something else is left alone.
    [[nodiscard]] result<snapshot> known_baseline() const {
        const result<std::string> text = read_text_file(baseline_, largest_baseline);
        if (!text && text.error().code == error_code::not_found) { return snapshot{}; }
        if (!text) { return tl::unexpected<error>(text.error()); }
        auto known = gate::read_baseline(*text);
        if (!known) {
            return fail(known.error().code, known.error().what + " (remove it to write a new one)",
                        baseline_ + ": " + known.error().where);
        }
        return known;
    }

    [[nodiscard]] std::string update_json(const snapshot& before, const snapshot& after) const {
        json_writer json;
        json.begin_object();
        json.key("kind").value("memwatch.baseline");
        json.key("file").value(baseline_);
        json.key("sites").value(std::uint64_t{after.sites.size()});
        json.key("bytes").value(live_totals(after).bytes);
        json.key("change_bytes").value(live_totals(after).bytes - live_totals(before).bytes);
        json.end_object();
        return json.take();
    }

    std::string base_, head_, baseline_, junit_, sarif_, markdown_, source_root_;
    bool is_github_{};
    bool exit_zero_{};
    std::size_t top_{shown_update_rows};
    policy_flags policy_;
    alert_flags alerts_;
    source_flags source_;
    output_flags output_;
};

}  // namespace

std::unique_ptr<command> make_gate(CLI::App& app) { return std::make_unique<gate_command>(app); }

}  // namespace v1
}  // namespace memwatch
