// SPDX-License-Identifier: Apache-2.0
// `memwatch merge`: many dumps of a fleet become one, and say which hosts stand out.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fmt/format.h>
#include <memwatch/snapshot/codec.hpp>

#include "cli/commands/commands.hpp"
#include "cli/flags.hpp"
#include "fleet/merge.hpp"
#include "fleet/spread_report.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr unsigned most_workers = 8;
constexpr std::size_t shown_left_out = 20;

bool is_dump_name(const std::filesystem::path& path) {
    const auto suffix = path.extension();
    return suffix == ".memtrace" || suffix == ".json" || suffix == ".jsonl";
}

// All but `output`: where the merged dump of last time stands among the others, it would count everything twice.
result<void> add_folder(const std::string& folder, const std::string& output, std::vector<std::string>& paths) {
    std::error_code failed;
    const auto is_output = [&](const std::filesystem::path& path) {
        std::error_code ignored;
        return std::filesystem::equivalent(path, output, ignored);
    };
    for (auto at = std::filesystem::directory_iterator(folder, failed); !failed && at != std::filesystem::directory_iterator();
         at.increment(failed)) {
        if (at->is_regular_file(failed) && is_dump_name(at->path()) && !is_output(at->path())) {
            paths.push_back(at->path().string());
        }
    }
    if (failed) { return fail(error_code::io, "cannot read the folder: " + failed.message(), folder); }
    return {};
}

// One path a line.
result<void> add_list(const std::string& file, std::vector<std::string>& paths) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
        if (!line.empty()) { paths.push_back(line); }
    }
    if (!in.eof()) { return fail(error_code::io, "cannot read the list", file); }
    return {};
}

void warn_of(const std::vector<left_out_dump>& dumps) {
    for (std::size_t i = 0; i < dumps.size() && i < shown_left_out; ++i) {
        print_warning(dumps[i].path + " is left out: " + dumps[i].why);
    }
    if (dumps.size() > shown_left_out) { print_warning(fmt::format("and {} more", dumps.size() - shown_left_out)); }
}

class merge final : public command {
public:
    explicit merge(CLI::App& app) {
        app.add_option("DUMP", inputs_, "dump files; @FILE names a file that lists them, one a line");
        app.add_option("--from-dir", folders_, "all *.memtrace, *.json and *.jsonl in that folder; repeatable")
            ->allow_extra_args(false)
            ->type_name("DIR");
        app.add_option("-o,--output", output_, "the merged dump")->required()->type_name("FILE");
        app.add_option("--label", label_, "label of the merged dump");
        app.add_option("--report", report_, "how sites spread over hosts, to stdout: text, json, none")
            ->default_str("text")
            ->check(CLI::IsMember({"text", "json", "none"}));
        app.add_option("--top", top_, "sites in the report besides those with outliers; 0 for all")
            ->check(&check_count)
            ->capture_default_str();
        app.add_option("--workers", workers_, "dumps decoded at a time (default: one a processor, at most 8)")
            ->check(CLI::Range(1U, 64U));
        source_.add_to(app);
        colour_.add_to(app);
    }

    int run() override {
        const result<colour_choice> colour = colour_.read();
        if (!colour) { return refuse_usage(colour.error()); }
        std::vector<std::string> paths;
        if (const auto found = find_paths(paths); !found) { return report_failure(found.error()); }
        if (paths.empty()) { return refuse_usage("no dumps to merge"); }
        result<merged_fleet> fleet = add_up(paths);
        if (!fleet) { return report_failure(fleet.error()); }
        warn_of(fleet->unreadable);
        warn_of(fleet->older);
        for (const auto& each : fleet->notes) { print_warning(each); }
        if (const auto written = fleet->value.write_to(output_); !written) { return report_failure(written.error()); }
        const auto status = fleet->unreadable.empty() ? exit_status::fine : exit_status::unreadable;
        if (report_ == "none") { return static_cast<int>(status); }
        if (const source_options how = source_.read(); how.symbolize) { name_listed(*fleet, how); }
        return finish(report_ == "json" ? render_json(*fleet, top_) : render_text(*fleet, top_, wants_colour(*colour)), status);
    }

private:
    result<void> find_paths(std::vector<std::string>& paths) const {
        for (const auto& each : inputs_) {
            if (each.starts_with('@')) {
                if (auto added = add_list(each.substr(1), paths); !added) { return added; }
            } else {
                paths.push_back(each);
            }
        }
        for (const auto& each : folders_) {
            if (auto added = add_folder(each, output_, paths); !added) { return added; }
        }
        return {};
    }

    // Names for what is shown; debug information for all would take longer than the merge.
    void name_listed(merged_fleet& fleet, const source_options& how) const {
        snapshot& s = fleet.value;
        std::vector<bool> is_shown(s.frames.size());
        for (const std::uint32_t index : listed_sites(fleet, top_)) {
            for (const std::uint32_t frame : s.stacks[s.sites[index].stack].frames) { is_shown[frame] = true; }
        }
        std::vector<std::uint32_t> modules;
        for (std::size_t i = 0; i < s.frames.size(); ++i) {
            modules.push_back(s.frames[i].module);
            if (!is_shown[i]) { s.frames[i].module = no_module; }
        }
        for (const std::string& missing : name_frames(s, how).warnings) { print_warning("no names for " + missing); }
        for (std::size_t i = 0; i < s.frames.size(); ++i) { s.frames[i].module = modules[i]; }
    }

    [[nodiscard]] result<merged_fleet> add_up(const std::vector<std::string>& paths) const {
        progress shown(fmt::format("merging {} dumps", paths.size()));
        merge_options options;
        options.workers = workers_ != 0 ? workers_ : std::clamp(std::thread::hardware_concurrency(), 1U, most_workers);
        options.label = label_;
        options.progress = [&](std::size_t done, std::size_t of) { shown.say(fmt::format("merging dump {} of {}", done, of)); };
        return merge_dumps(paths, options);
    }

    std::vector<std::string> inputs_, folders_;
    std::string output_, label_, report_{"text"};
    std::size_t top_{20};
    unsigned workers_{};
    source_flags source_;
    colour_flag colour_;
};

}  // namespace

std::unique_ptr<command> make_merge(CLI::App& app) { return std::make_unique<merge>(app); }

}  // namespace v1
}  // namespace memwatch
