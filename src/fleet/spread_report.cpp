// SPDX-License-Identifier: Apache-2.0
#include "fleet/spread_report.hpp"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>
#include <memwatch/base/units.hpp>
#include <memwatch/model/site_name.hpp>

#include "base/json_writer.hpp"
#include "report/text_table.hpp"
#include "report/words.hpp"

namespace memwatch::inline v1 {
namespace {

constexpr std::size_t widest_name = 56;

std::string counted(std::uint64_t count, const char* what) {
    return format_count(static_cast<double>(count)) + " " + what + (count == 1 ? "" : "s");
}

// By live bytes, largest first.
std::vector<std::uint32_t> live_sites(const snapshot& s) {
    std::vector<std::uint32_t> order(s.sites.size());
    std::iota(order.begin(), order.end(), 0U);
    std::erase_if(order, [&](auto i) { return s.sites[i].live.samples == 0; });
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return s.sites[a].live.bytes > s.sites[b].live.bytes; });
    return order;
}

std::string outlier_words(const merged_fleet& fleet, const spread& of) {
    std::string words;
    for (const auto& each : of.outliers) {
        words += (words.empty() ? "outliers: " : ", ") + printable(fleet.hosts[each.host]) + " " +
                 format_estimate(each.bytes, each.standard_error);
        if (of.median > 0) { words += fmt::format(" ({:.1f} x the median)", each.bytes / of.median); }
    }
    return words + (of.has_more_outliers ? ", maybe more" : "");
}

std::vector<std::string> spread_cells(const merged_fleet& fleet, const spread& of) {
    return {fmt::format("{}/{}", of.hosts_with, fleet.hosts.size()), format_bytes(of.minimum), format_bytes(of.median),
            format_bytes(of.maximum)};
}

std::string rule_words(const merged_fleet& fleet) {
    if (fleet.hosts.size() < fewest_hosts_for_outliers) {
        return fmt::format("Fewer than {} hosts: no outliers are named.\n", fewest_hosts_for_outliers);
    }
    return fmt::format(
        "A host is an outlier above {:.0f} x the median and {:.0f} standard deviations over it (robust, with its own sampling "
        "error).\nChance: none in a million by sampling alone; 1 in 2,000 to 10,000 where hosts differ by 30 % anyway.\n",
        outlier_ratio, outlier_sigmas);
}

void write_spread(json_writer& json, const merged_fleet& fleet, const spread& of) {
    json.key("hosts").value(of.hosts_with);
    json.key("min_bytes").value(of.minimum);
    json.key("median_bytes").value(of.median);
    json.key("max_bytes").value(of.maximum);
    json.key("robust_standard_deviation").value(of.scale);
    json.key("outliers").begin_array();
    for (const auto& each : of.outliers) {
        json.begin_object();
        json.key("host").value(fleet.hosts[each.host]);
        json.key("bytes").value(each.bytes);
        json.key("standard_error").value(each.standard_error);
        json.end_object();
    }
    json.end_array();
    json.key("may_have_more_outliers").value(of.has_more_outliers);
}

void write_left_out(json_writer& json, const char* key, const std::vector<left_out_dump>& dumps) {
    json.key(key).begin_array();
    for (const auto& each : dumps) {
        json.begin_object();
        json.key("file").value(each.path);
        json.key("why").value(each.why);
        json.end_object();
    }
    json.end_array();
}

}  // namespace

std::vector<std::uint32_t> listed_sites(const merged_fleet& fleet, std::size_t top) {
    auto order = live_sites(fleet.value);
    if (top == 0 || order.size() <= top) { return order; }
    const auto rest = order.begin() + static_cast<std::ptrdiff_t>(top);
    order.erase(std::remove_if(rest, order.end(), [&](auto i) { return fleet.spreads[i].outliers.empty(); }), order.end());
    return order;
}

std::string render_text(const merged_fleet& fleet, std::size_t top, bool colour) {
    const auto& s = fleet.value;
    const auto live = live_totals(s);
    std::string text =
        styled(counted(fleet.dumps, "dump") + " of " + counted(fleet.hosts.size(), "host"), text_style::bold, colour);
    text += fmt::format("{}{}  live heap {}\n", s.info.service.empty() ? "" : "  ", printable(s.info.service),
                        format_estimate(live.bytes, live.bytes_standard_error()));
    text += fmt::format("a host: median {}, from {} to {}\n", format_bytes(fleet.total.median),
                        format_bytes(fleet.total.minimum), format_bytes(fleet.total.maximum));
    if (!fleet.total.outliers.empty()) { text += outlier_words(fleet, fleet.total) + "\n"; }
    const auto sites = listed_sites(fleet, top);
    text_table table(colour, 2);
    table.add_column("function", text_table::align::left);
    table.add_column("tag", text_table::align::left);
    for (const char* title : {"live bytes", "hosts", "min a host", "median", "max"}) {
        table.add_column(title, text_table::align::right);
    }
    for (const auto index : sites) {
        const auto& site = s.sites[index];
        std::vector<std::string> cells{elide(printable(site_name(s, site)), widest_name), printable(s.tags[site.tag].name),
                                       format_estimate(site.live.bytes, site.live.bytes_standard_error())};
        const auto rest = spread_cells(fleet, fleet.spreads[index]);
        cells.insert(cells.end(), rest.begin(), rest.end());
        table.add_row(std::move(cells));
        if (const auto words = outlier_words(fleet, fleet.spreads[index]); !words.empty()) { table.add_note(words); }
    }
    text += fmt::format("\nSites ({} of {}; a host without a site counts as 0)\n{}", sites.size(), live_sites(s).size(),
                        table.render());
    return text + "\n" + rule_words(fleet);
}

std::string render_json(const merged_fleet& fleet, std::size_t top) {
    const auto& s = fleet.value;
    const auto live = live_totals(s);
    json_writer json;
    json.begin_object();
    json.key("kind").value("memwatch.fleet");
    json.key("version").value(std::uint64_t{1});
    json.key("dumps").value(fleet.dumps);
    json.key("hosts").value(std::uint64_t{fleet.hosts.size()});
    json.key("live_bytes").value(live.bytes);
    json.key("live_bytes_standard_error").value(live.bytes_standard_error());
    json.key("per_host").begin_object();
    write_spread(json, fleet, fleet.total);
    json.end_object();
    json.key("sites").begin_array();
    for (const auto index : listed_sites(fleet, top)) {
        const auto& site = s.sites[index];
        json.new_line();
        json.begin_object();
        json.key("key").value(site_key(s, site));
        json.key("name").value(site_name(s, site));
        json.key("tag").value(s.tags[site.tag].name);
        json.key("type").value(site.type);
        json.key("live_bytes").value(site.live.bytes);
        json.key("live_bytes_standard_error").value(site.live.bytes_standard_error());
        json.key("per_host").begin_object();
        write_spread(json, fleet, fleet.spreads[index]);
        json.end_object();
        json.end_object();
    }
    json.end_array();
    json.key("outliers_need_hosts").value(std::uint64_t{fewest_hosts_for_outliers});
    write_left_out(json, "unreadable", fleet.unreadable);
    write_left_out(json, "older", fleet.older);
    json.key("notes").begin_array();
    for (const auto& each : fleet.notes) { json.value(each); }
    json.end_array();
    json.end_object();
    return json.take();
}

}  // namespace memwatch::inline v1
