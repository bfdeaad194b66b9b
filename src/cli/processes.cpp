// SPDX-License-Identifier: Apache-2.0
#include "cli/processes.hpp"

#include <algorithm>

#include "symbols/symbolizer.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::size_t most_symbolized = 50;  // processes whose sites get names and lines; the largest ones

}  // namespace

void name_sites(process_report& report, const source_options& source) {
    for (std::size_t i = 0; source.symbolize && i < report.processes.size() && i < most_symbolized; ++i) {
        for (const std::string& warning : name_frames(report.processes[i].value, source).warnings) {
            report.remarks.push_back("no names for " + warning);
        }
    }
    std::sort(report.remarks.begin(), report.remarks.end());
    report.remarks.erase(std::unique(report.remarks.begin(), report.remarks.end()), report.remarks.end());
}

result<process_report> read_processes(const std::vector<std::string>& inputs, std::size_t top, const source_options& source) {
    process_report report;
    report.top = top;
    source_options unnamed = source;
    unnamed.symbolize = false;  // after the sites that are not shown are left out
    for (const std::string& input : inputs) {
        result<loaded_snapshot> loaded = load_snapshot(input, unnamed);
        if (!loaded) { return tl::unexpected<error>(loaded.error()); }
        report.remarks.insert(report.remarks.end(), loaded->damage.begin(), loaded->damage.end());
        keep_largest_sites(loaded->value, top);
        report.processes.push_back({std::move(loaded->value), is_running_source(input)});
    }
    name_sites(report, source);
    return report;
}

}  // namespace v1
}  // namespace memwatch
